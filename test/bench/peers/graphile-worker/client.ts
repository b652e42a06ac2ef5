// graphile-worker called in batches: a queue is a task, since jobs of one of its own named queues
// run one at a time. All clients of the generator share one pool of database connections, as the
// requests of a service would.

import { makeBody } from '../../load/body.ts';
import type { ClientOptions, QueueClient, Received, ReceiveOptions } from '../../load/queue-client.ts';
import { type Library, openLibrary } from './library.ts';

let shared: Promise<Library> | null = null;
let users = 0;

export async function connect(options: ClientOptions): Promise<QueueClient> {
  shared ??= openLibrary(options.target.url);
  users += 1;
  return new WorkerClient(await shared, makeBody(options.bodyBytes), `bench-${users}`);
}

class WorkerClient implements QueueClient {
  readonly #library: Library;
  readonly #body: string;
  readonly #poolId: string;
  #checked = false;

  constructor(library: Library, body: string, poolId: string) {
    this.#library = library;
    this.#body = body;
    this.#poolId = poolId;
  }

  /** Tasks are made when they are first named. */
  async createQueue(): Promise<void> {}

  async publish(queue: string, messages: number): Promise<void> {
    const jobs = await this.#library.utils.addJobs(
      Array.from({ length: messages }, () => ({ identifier: queue, payload: { body: this.#body } })),
    );
    if (jobs.length !== messages) {
      throw new Error(`addJobs: ${jobs.length} of ${messages} jobs were made`);
    }
  }

  async receive(queue: string, options: ReceiveOptions): Promise<Received> {
    const jobs = await this.#library.take(queue, this.#poolId, options.maxMessages);
    if (!this.#checked && jobs.length > 0) {
      this.#checked = true;
      if (jobs.some((job) => job.payload.body !== this.#body)) {
        throw new Error('get_job: a body came back changed');
      }
    }
    return { receipts: jobs.map((job) => job.id), redelivered: jobs.filter((job) => job.attempts > 1).length };
  }

  async acknowledge(_queue: string, receipts: readonly string[]): Promise<void> {
    const completed = await this.#library.complete(receipts, this.#poolId);
    if (completed !== receipts.length) {
      throw new Error(`complete_jobs: ${completed} of ${receipts.length} jobs were completed`);
    }
  }

  close(): void {
    users -= 1;
    if (users === 0) {
      void shared?.then((library) => library.close());
      shared = null;
    }
  }
}
