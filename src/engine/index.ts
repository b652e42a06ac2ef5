// The engine: the verbs, put together. It knows domain words and the store, and neither a door nor a status code.
// Any number of engines may work on one database; nothing is owned by one.

import type { Credentials } from '../domain/api-key.ts';
import { WillcallError } from '../domain/errors.ts';
import { type FairUse, fairUseDefaults } from '../domain/fair-use.ts';
import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';
import { createAcknowledge } from './acknowledge.ts';
import { createAudit } from './audit.ts';
import { FlushTurns } from './batching/flush-turns.ts';
import { LockWaits } from './batching/lock-waits.ts';
import { ByteBudget } from './fair-use/byte-budget.ts';
import { RateLimits } from './fair-use/rate-limits.ts';
import { createGiveBack } from './give-back.ts';
import { createKeyVerbs } from './keys.ts';
import { Directory } from './lookups/directory.ts';
import { Keyring } from './lookups/keyring.ts';
import { createPublish } from './publish.ts';
import { createReceive } from './receive.ts';
import { createSubscriptionVerbs } from './subscriptions.ts';
import { createTopicVerbs } from './topics.ts';
import type { Engine } from './types.ts';
import { createRetention, type RetainReport } from './upkeep/retain.ts';
import { createSweeper, type SweepReport } from './upkeep/sweep.ts';
import { Dispatchers } from './waiting/dispatchers.ts';
import { ParkedReceives } from './waiting/parked-receives.ts';
import { createWakeups } from './waiting/wakeups.ts';

export type { Engine } from './types.ts';

/** Flushes of the hot verbs on their way at once. */
const FLUSHES_MAX = 2;

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
  /** Ends the waits of keys that are no more, writes down when keys were used, and forgets whose rates are whole again. */
  tendKeys(): Promise<void>;
}

export interface EngineOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** The key that opens everything; absent, there is none. */
  readonly adminKey?: string | undefined;
  /** Absent: the defaults. */
  readonly fairUse?: FairUse | undefined;
  /** What the doors count; absent, nobody does. */
  readonly byteBudget?: ByteBudget | undefined;
}

export function createEngine(options: EngineOptions): Engine & EngineLifecycle {
  const { store, logger, adminKey, fairUse = fairUseDefaults } = options;
  const byteBudget = options.byteBudget ?? new ByteBudget({ bytesMax: fairUse.trafficBytes });
  const state = { stopping: false };
  const directory = new Directory(store);
  const turns = new FlushTurns(FLUSHES_MAX);
  const lockWaits = new LockWaits(store.connectionsMax);
  const dispatchers = new Dispatchers({
    ...{ store, logger, byteBudget, turns, lockWaits },
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
  const keys = createKeyRooms({ store, logger, adminKey, fairUse });
  const rateLimits = new RateLimits({ requestsPerSecond: fairUse.keyRequestsPerSecond });
  const wakeups = createWakeups({
    ...{ store, logger },
    handlers: {
      onTopic: (topicId) => dispatchers.wakeTopic(topicId),
      onSubscription: (subscriptionId) => dispatchers.wakeSubscription(subscriptionId),
      onKey: keys.hear,
      onEverybody: () => {
        keys.forgetAll();
        dispatchers.wakeEverybody();
      },
    },
  });
  const rooms = { store, directory, wakeups, turns, lockWaits };
  const { publish, drained: published } = createPublish({ ...rooms, logger });
  const { acknowledge, drained: acknowledged } = createAcknowledge(rooms);
  const giveBack = createGiveBack(rooms);
  const receive = createReceive({
    ...{ directory, dispatchers, acknowledge, parked: keys.parked },
    isStopping: () => state.stopping,
  });
  const sweeper = createSweeper({ store, dispatchers, wakeups, logger, lockWaits });
  const retention = createRetention({ store, logger });

  return {
    ...createTopicVerbs(rooms),
    ...createSubscriptionVerbs(rooms),
    ...createAudit(store),
    ...createKeyVerbs({ store, wakeups, logger }),
    authenticate: keys.authenticate,
    admit: (access) => rateLimits.admit(access),
    ...{ publish, acknowledge, receive },
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
      await Promise.all([published(), acknowledged(), giveBack.drained(), sweeper.stop(), keys.stop()]);
      wakeups.stop();
    },
    sweep: sweeper.run,
    retain: retention.run,
    poll: () => dispatchers.poll(),
    tendKeys: () => {
      rateLimits.forgetFull();
      return keys.tend();
    },
  };
}

/** What knows keys: the keyring, and the receives that are parked under them. */
function createKeyRooms({ store, logger, adminKey, fairUse }: EngineOptions & { fairUse: FairUse }) {
  const keyring = new Keyring({ store, logger, adminKey: adminKey ?? null });
  const parked = new ParkedReceives({ keyring, logger, fairUse });
  return {
    authenticate: (credentials: Credentials) => keyring.authenticate(credentials),
    parked,
    hear: (keyId: string) => {
      keyring.forget(keyId);
      parked.hear(keyId);
    },
    forgetAll: () => keyring.forgetAll(),
    tend: async () => {
      await Promise.all([parked.check(), keyring.recordUses()]);
    },
    stop: async () => {
      await keyring.drained();
      await keyring.recordUses().catch((err: unknown) => {
        logger.warn({ err }, 'when keys were used last was not written down');
      });
    },
  };
}
