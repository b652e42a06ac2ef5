// Full lifecycles: each connection publishes a batch to its queue, receives up to as many, and
// acknowledges what it got, for as long as it is told. Optionally every so many receives are left
// unacknowledged with a visibility timeout of one second, so that leases expire and their messages
// come back all the while; or nothing is published, and what waits is collected; or each connection
// pauses after each lifecycle.

import { setTimeout as sleep } from 'node:timers/promises';
import { Backlog } from './backlog.ts';
import type { Reporter } from './protocol.ts';
import { connectAll, createQueues, type QueueClient, type Target } from './queue-client.ts';
import { type LifecycleFigures, measureWindows, repeat, type Shared, timed, type WindowTimes } from './windows.ts';

export interface LifecycleSettings extends WindowTimes {
  /**
   * Connections are spread over these in turn; more than one when a system runs as several
   * instances.
   */
  readonly targets: readonly Target[];
  readonly connections: number;
  /**
   * Created by the driver. Connection i works on queue i modulo their number; where there are more,
   * on several in turn.
   */
  readonly queues: readonly string[];
  readonly batch: number;
  readonly bodyBytes: number;
  /** Every so many receives of a connection are left to expire; 0: none. */
  readonly abandonEvery: number;
  /** False: only what waits already is collected. */
  readonly publishes: boolean;
  /** After each lifecycle of a connection; 0: the next one begins at once. */
  readonly pauseMs: number;
}

export async function drive(settings: LifecycleSettings, reporter: Reporter<LifecycleFigures>): Promise<void> {
  const clients = await connectClients(settings);
  await createQueues(clients, settings.queues);
  await measureWindows(settings, reporter, (shared) => loopAll(clients, settings, shared));
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

async function loopAll(clients: readonly QueueClient[], settings: LifecycleSettings, shared: Shared): Promise<void> {
  const { queues, batch, connections } = settings;
  // Twice what all connections of a queue may have published and not yet collected.
  const enough = 2 * batch * Math.ceil(connections / queues.length);
  const places = queues.map((queue): Place => ({ queue, backlog: new Backlog(enough), wasFull: false }));
  const loops = clients.map((client, index) => {
    const own = places
      .filter((_, at) => (places.length <= connections ? at === index % places.length : at % connections === index))
      .map((place) => ({ ...place }));
    // Turns start at different numbers, which keeps the connections from leaving their leases all
    // at the same moment.
    return repeat(
      shared,
      async (turn) => {
        const place = own[turn % own.length];
        if (place === undefined) {
          throw new Error('a lifecycle load needs at least one queue');
        }
        await runLifecycle({ client, place, settings, shared, turn });
        if (settings.pauseMs > 0) {
          await sleep(settings.pauseMs);
        }
      },
      index,
    );
  });
  await Promise.all(loops);
}

/**
 * A queue, as one of the connections that work on it remembers it; they share the account of what
 * waits.
 */
interface Place {
  readonly queue: string;
  readonly backlog: Backlog;
  /** Whether the last receive got all that it asked for. */
  wasFull: boolean;
}

interface Turn {
  readonly client: QueueClient;
  readonly place: Place;
  readonly settings: LifecycleSettings;
  readonly shared: Shared;
  readonly turn: number;
}

/** One publish (unless enough is waiting), one receive, one acknowledgment. */
async function runLifecycle({ client, place, settings, shared, turn }: Turn): Promise<void> {
  const { queue, backlog } = place;
  const { batch } = settings;
  const abandon = settings.abandonEvery > 0 && turn % settings.abandonEvery === 0;
  if (settings.publishes && !(place.wasFull && backlog.isFull())) {
    await timed(shared, 'publish', () => client.publish(queue, batch));
    shared.recorder.add('published', batch);
    backlog.published(batch);
  }
  const timeout = abandon ? { visibilityTimeoutSeconds: 1 } : {};
  const received = await timed(shared, 'receive', () =>
    client.receive(queue, { maxMessages: batch, waitSeconds: 0, ...timeout }),
  );
  const messages = received.receipts.length;
  place.wasFull = messages === batch;
  backlog.received(messages);
  shared.recorder.add('received', messages);
  shared.recorder.add('redelivered', received.redelivered);
  if (messages === 0) {
    shared.recorder.add('emptyReceives', 1);
    return;
  }
  if (abandon) {
    shared.recorder.add('abandoned', messages);
    backlog.abandoned(messages);
    return;
  }
  await timed(shared, 'acknowledge', () => client.acknowledge(queue, received.receipts));
  shared.recorder.add('acknowledged', messages);
}
