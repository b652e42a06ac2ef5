// Thousands of parked receives: first how soon a single one is answered, then many are parked and
// left alone for a while, then how soon one of the many is. A receive that comes back empty after
// its wait is sent again, as a consumer would.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reporter } from './protocol.ts';
import { connectAll, createQueues, type QueueClient, type Target } from './queue-client.ts';

export interface ParkedSettings {
  readonly target: Target;
  readonly receives: number;
  /** The receives are spread over these. */
  readonly queues: readonly string[];
  readonly waitSeconds: number;
  readonly bodyBytes: number;
  readonly samples: number;
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  /** After the last one was parked, before idling counts. */
  readonly settleSeconds: number;
  readonly idleSeconds: number;
}

export interface ParkedFigures {
  readonly phase: 'one parked' | 'parking' | 'idle' | 'many parked';
  readonly seconds: number;
  /**
   * From the moment the publish was sent to a receive's answer, in milliseconds; one per sample.
   */
  readonly fromPublishStartMs: readonly number[];
  readonly publishMs: readonly number[];
  /** Receives that came back empty because their wait was over. */
  readonly emptyReceives: number;
  readonly errors: number;
  readonly errorTexts: readonly string[];
}

const PARKED_PER_SECOND = 1000;
const ANSWER_MS_MAX = 10_000;
const ERROR_TEXTS_MAX = 5;

export async function drive(settings: ParkedSettings, reporter: Reporter<ParkedFigures>): Promise<void> {
  const { target, bodyBytes, queues } = settings;
  const creators = await connectAll(8, { target, bodyBytes });
  await createQueues(creators, queues);
  closeAll(creators);
  const crowd = new Crowd(settings);
  await crowd.park(queues[0] ?? '');
  reporter.measuring();
  reporter.window(await takeSamples('one parked', crowd, queues.slice(0, 1), settings));
  const startedAt = performance.now();
  for (let parked = 1; parked < settings.receives; parked += 1) {
    await crowd.park(queues[parked % queues.length] ?? '');
    await sleep(Math.max(0, startedAt + (parked * 1000) / PARKED_PER_SECOND - performance.now()));
  }
  await sleep(settings.settleSeconds * 1000);
  reporter.window(crowd.takeFigures('parking', startedAt));
  const idleSince = performance.now();
  await sleep(settings.idleSeconds * 1000);
  reporter.window(crowd.takeFigures('idle', idleSince));
  reporter.window(await takeSamples('many parked', crowd, queues, settings));
  crowd.leave();
}

/**
 * By a connection of its own: between two times it would idle so long that the server closes it.
 */
async function takeSamples(
  phase: ParkedFigures['phase'],
  crowd: Crowd,
  among: readonly string[],
  settings: ParkedSettings,
): Promise<ParkedFigures> {
  const { target, bodyBytes } = settings;
  const publishers = await connectAll(1, { target, bodyBytes });
  const [publisher] = publishers;
  if (publisher === undefined) {
    throw new Error('no connection was opened');
  }
  const startedAt = performance.now();
  const samples: Sample[] = [];
  // The first one is for warming up.
  for (let sample = 0; sample <= settings.samples; sample += 1) {
    const queue = among[Math.floor(Math.random() * among.length)] ?? '';
    samples.push(await takeSample(publisher, crowd, queue, settings));
  }
  closeAll(publishers);
  return { ...crowd.takeFigures(phase, startedAt), ...summarize(samples.slice(1)) };
}

function closeAll(clients: readonly QueueClient[]): void {
  for (const client of clients) {
    client.close();
  }
}

/** All parked receives: each is a connection that receives, signs, and receives again. */
class Crowd {
  readonly #settings: ParkedSettings;
  readonly #clients: QueueClient[] = [];
  /** Called with the moment at which a queue's next message came. */
  readonly #awaited = new Map<string, (receivedAt: number) => void>();
  #emptyReceives = 0;
  #errors = 0;
  #errorTexts: string[] = [];
  #left = false;

  constructor(settings: ParkedSettings) {
    this.#settings = settings;
  }

  async park(queue: string): Promise<void> {
    const { target, bodyBytes } = this.#settings;
    const [client] = await connectAll(1, { target, bodyBytes });
    if (client !== undefined) {
      this.#clients.push(client);
      void this.#receiveForEver(client, queue);
    }
  }

  /** Resolves with the moment at which one of the queue's receives is answered with a message. */
  nextAnswer(queue: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no receive of ${queue} was answered in time`)), ANSWER_MS_MAX);
      this.#awaited.set(queue, (receivedAt) => {
        clearTimeout(timer);
        this.#awaited.delete(queue);
        resolve(receivedAt);
      });
    });
  }

  recordError(error: unknown): void {
    this.#errors += 1;
    if (this.#errorTexts.length < ERROR_TEXTS_MAX) {
      this.#errorTexts.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** What happened since the last time. */
  takeFigures(phase: ParkedFigures['phase'], startedAt: number): ParkedFigures {
    const figures = {
      phase,
      seconds: (performance.now() - startedAt) / 1000,
      fromPublishStartMs: [],
      publishMs: [],
      emptyReceives: this.#emptyReceives,
      errors: this.#errors,
      errorTexts: this.#errorTexts,
    };
    this.#emptyReceives = 0;
    this.#errors = 0;
    this.#errorTexts = [];
    return figures;
  }

  leave(): void {
    this.#left = true;
    closeAll(this.#clients);
  }

  async #receiveForEver(client: QueueClient, queue: string): Promise<void> {
    while (!this.#left) {
      try {
        const { receipts } = await client.receive(queue, { maxMessages: 1, waitSeconds: this.#settings.waitSeconds });
        const receivedAt = performance.now();
        if (receipts.length === 0) {
          this.#emptyReceives += 1;
          continue;
        }
        this.#awaited.get(queue)?.(receivedAt);
        await client.acknowledge(queue, receipts);
      } catch (error) {
        if (this.#left) {
          return;
        }
        this.recordError(error);
        await sleep(1000);
      }
    }
  }
}

interface Sample {
  readonly fromPublishStartMs: number;
  readonly publishMs: number;
}

async function takeSample(
  publisher: QueueClient,
  crowd: Crowd,
  queue: string,
  { pauseMsMin, pauseMsMax }: ParkedSettings,
): Promise<Sample> {
  // Long enough for the receive that was answered last to be parked again.
  await sleep(pauseMsMin + Math.random() * (pauseMsMax - pauseMsMin));
  const startedAt = performance.now();
  const answered = crowd.nextAnswer(queue);
  await publisher.publish(queue, 1);
  const publishMs = performance.now() - startedAt;
  return { fromPublishStartMs: (await answered) - startedAt, publishMs };
}

function summarize(samples: readonly Sample[]) {
  return {
    fromPublishStartMs: samples.map((sample) => sample.fromPublishStartMs),
    publishMs: samples.map((sample) => sample.publishMs),
  };
}
