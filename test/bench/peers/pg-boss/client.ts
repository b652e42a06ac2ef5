// pg-boss called as its users call it, in batches. All clients of the generator share one instance,
// and so one pool of database connections, as the requests of a service would.

import { makeBody } from '../../load/body.ts';
import type { ClientOptions, QueueClient, Received, ReceiveOptions } from '../../load/queue-client.ts';
import { type Boss, makeBoss } from './library.ts';

let shared: Promise<Boss> | null = null;
let users = 0;

export async function connect(options: ClientOptions): Promise<QueueClient> {
  shared ??= startBoss(options.target.url);
  users += 1;
  return new BossClient(await shared, makeBody(options.bodyBytes));
}

async function startBoss(url: string): Promise<Boss> {
  const boss = await makeBoss(url, false);
  boss.on('error', (error) => process.stderr.write(`${error.stack ?? error.message}\n`));
  await boss.start();
  return boss;
}

class BossClient implements QueueClient {
  readonly #boss: Boss;
  readonly #body: string;
  #checked = false;

  constructor(boss: Boss, body: string) {
    this.#boss = boss;
    this.#body = body;
  }

  async createQueue(queue: string): Promise<void> {
    await this.#boss.createQueue(queue);
  }

  async publish(queue: string, messages: number): Promise<void> {
    const ids = await this.#boss.insert(
      queue,
      Array.from({ length: messages }, () => ({ data: { body: this.#body } })),
      // As every other system answers, and so that the number can be checked.
      { returnId: true },
    );
    if (ids?.length !== messages) {
      throw new Error(`insert: ${ids?.length ?? 0} of ${messages} jobs were made`);
    }
  }

  async receive(queue: string, options: ReceiveOptions): Promise<Received> {
    const jobs = await this.#boss.fetch(queue, { batchSize: options.maxMessages });
    if (!this.#checked && jobs.length > 0) {
      this.#checked = true;
      if (jobs.some((job) => job.data.body !== this.#body)) {
        throw new Error('fetch: a body came back changed');
      }
    }
    return {
      receipts: jobs.map((job) => job.id),
      redelivered: jobs.filter((job) => (job.retryCount ?? 0) > 0).length,
    };
  }

  async acknowledge(queue: string, receipts: readonly string[]): Promise<void> {
    const { affected } = await this.#boss.complete(queue, [...receipts]);
    if (affected !== receipts.length) {
      throw new Error(`complete: ${affected} of ${receipts.length} jobs were completed`);
    }
  }

  close(): void {
    users -= 1;
    if (users === 0) {
      void shared?.then((boss) => boss.stop({ graceful: false }));
      shared = null;
    }
  }
}
