// Full lifecycles: each connection publishes a batch to its queue, receives up to as many, and acknowledges what it got,
// for as long as it is told. Optionally every so many receives are left unacknowledged with a visibility timeout of
// one second, so that leases expire and their messages come back all the while.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backlog } from './backlog.ts';
import type { Reporter } from './protocol.ts';
import { connectAll, type QueueClient, type Target } from './queue-client.ts';
import { Recorder, type WindowFigures } from './recorder.ts';

export interface LifecycleSettings {
  /** Connections are spread over these in turn; more than one when a system runs as several instances. */
  readonly targets: readonly Target[];
  readonly connections: number;
  /** Created by the driver; connection i works on queue i modulo their number. */
  readonly queues: readonly string[];
  readonly batch: number;
  readonly bodyBytes: number;
  /** Every so many receives of a connection are left to expire; 0: none. */
  readonly abandonEvery: number;
  readonly warmUpSeconds: number;
  readonly windowSeconds: number;
  readonly windows: number;
}

const counters = ['published', 'received', 'redelivered', 'acknowledged', 'abandoned', 'emptyReceives'] as const;
export const lifecycleCalls = ['publish', 'receive', 'acknowledge'] as const;
type Counter = (typeof counters)[number];
type Call = (typeof lifecycleCalls)[number];
export type LifecycleFigures = WindowFigures<Counter, Call>;

/** A connection that meets an error goes on, unless it becomes clear that nothing works. */
const ERRORS_MAX = 50;

interface Shared {
  recorder: Recorder<Counter, Call>;
  stopped: boolean;
}

export async function drive(settings: LifecycleSettings, reporter: Reporter<LifecycleFigures>): Promise<void> {
  const clients = await connectClients(settings);
  const first = clients[0];
  if (first === undefined) {
    throw new Error('a lifecycle load needs at least one connection');
  }
  for (const queue of settings.queues) {
    await first.createQueue(queue);
  }
  const shared: Shared = { recorder: newRecorder(), stopped: false };
  const loops = loopAll(clients, settings, shared);
  await sleep(settings.warmUpSeconds * 1000);
  const warmUp = shared.recorder;
  shared.recorder = newRecorder();
  reporter.measuring();
  const startedAt = performance.now();
  for (let window = 1; window <= settings.windows; window += 1) {
    await sleep(startedAt + window * settings.windowSeconds * 1000 - performance.now());
    const finished = shared.recorder;
    shared.recorder = newRecorder();
    reporter.window(window === 1 ? withErrorsOf(warmUp, finished) : finished.finish());
    if (finished.errors > ERRORS_MAX) {
      break;
    }
  }
  shared.stopped = true;
  await loops;
  for (const client of clients) {
    client.close();
  }
}

async function connectClients(settings: LifecycleSettings): Promise<QueueClient[]> {
  const { targets, connections, bodyBytes } = settings;
  const share = Math.ceil(connections / targets.length);
  const perTarget = await Promise.all(targets.map((target) => connectAll(share, { target, bodyBytes })));
  return perTarget.flat().slice(0, connections);
}

function newRecorder(): Recorder<Counter, Call> {
  return new Recorder(counters, lifecycleCalls);
}

// What failed while warming up is not measured, but must not go unseen.
function withErrorsOf(warmUp: Recorder<Counter, Call>, recorder: Recorder<Counter, Call>): LifecycleFigures {
  const figures = recorder.finish();
  const before = warmUp.finish();
  return {
    ...figures,
    errors: before.errors + figures.errors,
    errorTexts: [...before.errorTexts, ...figures.errorTexts],
  };
}

async function loopAll(clients: readonly QueueClient[], settings: LifecycleSettings, shared: Shared): Promise<void> {
  const { queues, batch, connections } = settings;
  // Twice what all connections of a queue may have published and not yet collected.
  const enough = 2 * batch * Math.ceil(connections / queues.length);
  const backlogs = queues.map(() => new Backlog(enough));
  const loops = clients.map((client, index) => {
    const queue = queues[index % queues.length];
    const backlog = backlogs[index % queues.length];
    if (queue === undefined || backlog === undefined) {
      throw new Error('a lifecycle load needs at least one queue');
    }
    return loop({ client, queue, backlog, settings, shared, offset: index });
  });
  await Promise.all(loops);
}

interface Worker {
  readonly client: QueueClient;
  readonly queue: string;
  readonly backlog: Backlog;
  readonly settings: LifecycleSettings;
  readonly shared: Shared;
  /** Keeps the connections from leaving their leases all at the same moment. */
  readonly offset: number;
}

async function loop(worker: Worker): Promise<void> {
  const { shared, settings, offset } = worker;
  let wasFull = false;
  for (let turn = offset; !shared.stopped; turn += 1) {
    const abandon = settings.abandonEvery > 0 && turn % settings.abandonEvery === 0;
    try {
      wasFull = await runLifecycle(worker, { abandon, publish: !wasFull || !worker.backlog.isFull() });
    } catch (error) {
      if (shared.stopped) {
        return;
      }
      shared.recorder.recordError(error);
      await sleep(100);
    }
  }
}

/** One publish (unless enough is waiting), one receive, one acknowledgment; whether the receive was filled. */
async function runLifecycle(worker: Worker, turn: { abandon: boolean; publish: boolean }): Promise<boolean> {
  const { client, queue, backlog, settings, shared } = worker;
  const { batch } = settings;
  if (turn.publish) {
    await timed(shared, 'publish', () => client.publish(queue, batch));
    shared.recorder.add('published', batch);
    backlog.published(batch);
  }
  const timeout = turn.abandon ? { visibilityTimeoutSeconds: 1 } : {};
  const received = await timed(shared, 'receive', () =>
    client.receive(queue, { maxMessages: batch, waitSeconds: 0, ...timeout }),
  );
  const messages = received.receipts.length;
  backlog.received(messages);
  shared.recorder.add('received', messages);
  shared.recorder.add('redelivered', received.redelivered);
  if (messages === 0) {
    shared.recorder.add('emptyReceives', 1);
    return false;
  }
  if (turn.abandon) {
    shared.recorder.add('abandoned', messages);
    backlog.abandoned(messages);
    return messages === batch;
  }
  await timed(shared, 'acknowledge', () => client.acknowledge(queue, received.receipts));
  shared.recorder.add('acknowledged', messages);
  return messages === batch;
}

async function timed<Result>(shared: Shared, call: Call, run: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now();
  const result = await run();
  shared.recorder.recordCall(call, performance.now() - startedAt);
  return result;
}
