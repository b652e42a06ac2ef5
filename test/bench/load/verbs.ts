// What each verb costs by itself: one connection, one call at a time, every verb in turn on the
// same messages, so that no call waits in line behind another one. Each round leaves nothing
// outstanding.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WillcallClient } from './http-queue-client.ts';
import type { Reporter } from './protocol.ts';
import { connectAll, type Target } from './queue-client.ts';
import { Recorder, type WindowFigures } from './recorder.ts';

export const verbs = ['publish', 'receive', 'acknowledge', 'extend', 'release', 'receiveAgain', 'reject'] as const;
export type Verb = (typeof verbs)[number];
export type VerbFigures = WindowFigures<'rounds', Verb>;

export interface VerbSettings {
  readonly target: Target;
  readonly topic: string;
  readonly subscription: string;
  readonly batch: number;
  readonly bodyBytes: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export async function drive(settings: VerbSettings, reporter: Reporter<VerbFigures>): Promise<void> {
  const { target, bodyBytes } = settings;
  const [client] = (await connectAll(1, { target, bodyBytes })) as WillcallClient[];
  if (client === undefined) {
    throw new Error('no connection was opened');
  }
  await runFor(client, settings, settings.warmUpSeconds);
  reporter.measuring();
  reporter.window((await runFor(client, settings, settings.seconds)).finish());
  client.close();
}

async function runFor(
  client: WillcallClient,
  settings: VerbSettings,
  seconds: number,
): Promise<Recorder<'rounds', Verb>> {
  const recorder = new Recorder<'rounds', Verb>(['rounds'], verbs);
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    try {
      await runRound(client, settings, recorder);
      recorder.add('rounds', 1);
    } catch (error) {
      recorder.recordError(error);
      await sleep(100);
    }
  }
  return recorder;
}

async function runRound(
  client: WillcallClient,
  { topic, subscription, batch }: VerbSettings,
  recorder: Recorder<'rounds', Verb>,
): Promise<void> {
  const timed = async <Result>(verb: Verb, call: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now();
    const result = await call();
    recorder.recordCall(verb, performance.now() - startedAt);
    return result;
  };
  const receive = async (verb: 'receive' | 'receiveAgain') => {
    const { receipts } = await timed(verb, () => client.receive(subscription, { maxMessages: batch, waitSeconds: 0 }));
    if (receipts.length !== batch) {
      throw new Error(`${verb}: ${receipts.length} of ${batch} messages came`);
    }
    return receipts;
  };
  await timed('publish', () => client.publish(topic, batch));
  const first = await receive('receive');
  await timed('extend', () => client.settle('extend', subscription, first));
  await timed('release', () => client.settle('release', subscription, first));
  const second = await receive('receiveAgain');
  await timed('acknowledge', () => client.acknowledge(subscription, second));
  await timed('publish', () => client.publish(topic, batch));
  const third = await receive('receive');
  await timed('reject', () => client.settle('reject', subscription, third));
}
