// How soon a parked receive is answered: one connection waits in a receive, another publishes one
// message after a random pause, and both note when their answers came. The two may belong to
// different instances of one system.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reporter } from './protocol.ts';
import { connectAll, type QueueClient, type Target } from './queue-client.ts';

export interface WakeupSettings {
  readonly publishTo: Target;
  readonly receiveFrom: Target;
  readonly queue: string;
  readonly bodyBytes: number;
  readonly samples: number;
  /**
   * The publish comes a random while after the receive was sent, between these two, so that it is
   * parked by then.
   */
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
}

export interface WakeupFigures {
  /**
   * From the moment the publish was sent to the receive's answer, in milliseconds; one per sample.
   */
  readonly fromPublishStartMs: readonly number[];
  /** From the publish's answer to the receive's; negative when the receive was answered first. */
  readonly fromPublishAnswerMs: readonly number[];
  readonly publishMs: readonly number[];
  /** Receives that came back empty, or that took a message of an earlier sample. */
  readonly errors: number;
}

const WARM_UP_SAMPLES = 10;
const WAIT_SECONDS = 20;

export async function drive(settings: WakeupSettings, reporter: Reporter<WakeupFigures>): Promise<void> {
  const { bodyBytes } = settings;
  const [publisher] = await connectAll(1, { target: settings.publishTo, bodyBytes });
  const [receiver] = await connectAll(1, { target: settings.receiveFrom, bodyBytes });
  if (publisher === undefined || receiver === undefined) {
    throw new Error('no connection was opened');
  }
  await publisher.createQueue(settings.queue);
  const pair = { publisher, receiver };
  for (let sample = 0; sample < WARM_UP_SAMPLES; sample += 1) {
    await takeSample(pair, settings);
  }
  reporter.measuring();
  const figures = {
    fromPublishStartMs: [] as number[],
    fromPublishAnswerMs: [] as number[],
    publishMs: [] as number[],
  };
  let errors = 0;
  for (let sample = 0; sample < settings.samples; sample += 1) {
    const taken = await takeSample(pair, settings);
    if (taken === null) {
      errors += 1;
      continue;
    }
    figures.fromPublishStartMs.push(taken.receivedAt - taken.startedAt);
    figures.fromPublishAnswerMs.push(taken.receivedAt - taken.publishedAt);
    figures.publishMs.push(taken.publishedAt - taken.startedAt);
  }
  reporter.window({ ...figures, errors });
  publisher.close();
  receiver.close();
}

interface Pair {
  readonly publisher: QueueClient;
  readonly receiver: QueueClient;
}

interface Sample {
  readonly startedAt: number;
  readonly publishedAt: number;
  readonly receivedAt: number;
}

async function takeSample({ publisher, receiver }: Pair, settings: WakeupSettings): Promise<Sample | null> {
  const { queue, pauseMsMin, pauseMsMax } = settings;
  let startedAt: number | null = null;
  const receiving = receiver.receive(queue, { maxMessages: 10, waitSeconds: WAIT_SECONDS }).then((received) => ({
    receivedAt: performance.now(),
    wasParked: startedAt !== null,
    receipts: received.receipts,
  }));
  // Handled below; until then a failure must not count as unhandled.
  receiving.catch(() => {});
  await sleep(pauseMsMin + Math.random() * (pauseMsMax - pauseMsMin));
  startedAt = performance.now();
  await publisher.publish(queue, 1);
  const publishedAt = performance.now();
  const { receivedAt, wasParked, receipts } = await receiving;
  if (receipts.length > 0) {
    await receiver.acknowledge(queue, receipts);
  }
  return wasParked && receipts.length === 1 ? { startedAt, publishedAt, receivedAt } : null;
}
