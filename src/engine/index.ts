// The engine: the verbs, put together. It knows domain words and the store, and neither a door nor a status code.
// Any number of engines may work on one database; nothing is owned by one.

import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';
import { createAcknowledge } from './acknowledge.ts';
import { createAudit } from './audit.ts';
import { Directory } from './directory.ts';
import { Dispatchers } from './dispatchers.ts';
import { createGiveBack } from './give-back.ts';
import { createPublish } from './publish.ts';
import { createReceive } from './receive.ts';
import { createRetention, type RetainReport } from './retain.ts';
import { createSubscriptionVerbs } from './subscriptions.ts';
import { createSweeper, type SweepReport } from './sweep.ts';
import { TimerWheel } from './timer-wheel.ts';
import { createTopicVerbs } from './topics.ts';
import type { Engine } from './types.ts';
import { createWakeups } from './wakeups.ts';

export type { Engine } from './types.ts';

/** Timers are this exact; finer ones would cost more wake-ups of the process than they gain. */
const SLOT_MS = 5;

/** What the process that owns the engine calls besides the verbs. */
export interface EngineLifecycle {
  /** Begins to listen for wakeups and to poll. */
  start(): Promise<void>;
  /** Refuses new receives, answers those that wait with what there is, and flushes what was accepted. */
  stop(): Promise<void>;
  /** Upkeep, for jobs and tests. */
  sweep(): Promise<SweepReport>;
  retain(): Promise<RetainReport>;
  poll(): Promise<void>;
}

export function createEngine(options: { store: Store; logger: Logger }): Engine & EngineLifecycle {
  const { store, logger } = options;
  const state = { stopping: false };
  const wheel = new TimerWheel(SLOT_MS);
  const directory = new Directory(store);
  const dispatchers = new Dispatchers({
    ...{ store, wheel, logger },
    handBack: (ids, messages, row) => {
      const items = messages.map(({ deliveryNo, sequence }) => ({
        ...{ deliveryNo, sequence, nonce: row.nonce },
        ...{ reference: null, delaySeconds: null, error: null },
      }));
      void giveBack.handBack(ids, items, row.principal).catch((err: unknown) => {
        logger.warn({ err }, 'messages for a client that left were not handed back; their lease will expire');
      });
    },
  });
  const wakeups = createWakeups({
    ...{ store, logger },
    handlers: {
      onTopic: (topicId) => dispatchers.wakeTopic(topicId),
      onSubscription: (subscriptionId) => dispatchers.wakeSubscription(subscriptionId),
      onEverybody: () => dispatchers.wakeEverybody(),
    },
  });
  const rooms = { store, directory, wakeups };
  const { publish, drained: published } = createPublish(rooms);
  const { acknowledge, drained: acknowledged } = createAcknowledge(rooms);
  const giveBack = createGiveBack(rooms);
  const receive = createReceive({ directory, dispatchers, acknowledge, isStopping: () => state.stopping });
  const sweeper = createSweeper({ store, dispatchers, wakeups, wheel, logger });
  const retention = createRetention({ store, logger });

  return {
    ...createTopicVerbs(rooms),
    ...createSubscriptionVerbs(rooms),
    ...createAudit(store),
    ...{ publish, receive, acknowledge },
    release: giveBack.release,
    extend: giveBack.extend,
    reject: giveBack.reject,
    checkReadiness: async () => {
      if (state.stopping) throw new WillcallError('shutting_down', 'This instance is stopping.');
      await store.ping();
    },

    start: async () => {
      wakeups.start();
      dispatchers.start();
    },
    stop: async () => {
      state.stopping = true;
      await dispatchers.stop();
      await Promise.all([published(), acknowledged(), giveBack.drained(), sweeper.drained()]);
      wakeups.stop();
      wheel.stop();
    },
    sweep: sweeper.run,
    retain: retention.run,
    poll: () => dispatchers.poll(),
  };
}
