// The engine: the verbs, composed. It knows the domain and the store, neither a transport nor a
// wire. Any number of engines may work on one database; nothing is owned by one.

import { WillcallError } from '../domain/errors.ts';
import { type FairUse, fairUseDefaults } from '../domain/fair-use.ts';
import type { Logger } from '../domain/logger.ts';
import { type Observer, silentObserver } from '../domain/observer.ts';
import type { Store } from '../store/index.ts';
import { type AcknowledgeVerb, createAcknowledge } from './acknowledge.ts';
import { type AdmissionVerbs, createAdmission } from './admission.ts';
import { type AuditVerbs, createAudit } from './audit.ts';
import { Slots } from './batching/slots.ts';
import { createDeadLetterLog } from './dead-letter-log.ts';
import { createExtend, type ExtendVerb } from './extend.ts';
import { ByteBudget } from './fair-use/byte-budget.ts';
import { createJournal, type JournalVerbs } from './journal.ts';
import { createKeyVerbs, type KeyVerbs } from './keys.ts';
import { Directory } from './lookups/directory.ts';
import { observeVerbs } from './observing.ts';
import { createPublish, type PublishVerb } from './publish.ts';
import { createReceive, type ReceiveVerb } from './receive.ts';
import { createReject, type RejectVerb } from './reject.ts';
import { createRelease, type ReleaseVerb } from './release.ts';
import { createSearchVerbs, type SearchVerbs } from './searches.ts';
import { noSecrets, type Secrets } from './secrets.ts';
import { createSubscriptionVerbs, type SubscriptionVerbs } from './subscriptions.ts';
import { createTopicVerbs, type TopicVerbs } from './topics.ts';
import { createUpkeep, type UpkeepTask } from './upkeep/index.ts';
import { Dispatchers } from './waiting/dispatchers.ts';
import { createWakeups } from './waiting/wakeups.ts';

/**
 * Flushes of the hot verbs at once: more than one, so that tens of megabytes do not stop the
 * others.
 */
const FLUSHES_MAX = 2;
/** Beside those, flushes that settle very many receipts of one subscription. */
const LARGE_FLUSHES_MAX = 2;
/**
 * Connections that may wait for a busy lock: a busy topic leaves the others enough to work with.
 */
const LOCK_WAITS_SHARE = 1 / 2;

/**
 * The verbs. All may throw WillcallError; each says which codes beyond `database_*` and
 * `overloaded`.
 */
export interface Engine
  extends AdmissionVerbs,
    KeyVerbs,
    TopicVerbs,
    SubscriptionVerbs,
    PublishVerb,
    ReceiveVerb,
    AcknowledgeVerb,
    ReleaseVerb,
    ExtendVerb,
    RejectVerb,
    AuditVerbs,
    SearchVerbs,
    JournalVerbs {
  /** Resolves when the database answers; throws `database_unavailable`, `shutting_down`. */
  checkReadiness(): Promise<void>;
}

/** What the process that owns the engine calls besides the verbs. */
export interface EngineLifecycle {
  /** Begins to listen for wakeups. */
  start(): Promise<void>;
  /**
   * Refuses new receives, answers those that wait with what there is, and flushes what was
   * accepted.
   */
  stop(): Promise<void>;
  /** Resolves when nothing is under way; to be awaited when no transport is open any more. */
  drained(): Promise<void>;
  /** The periodic work, for the scheduler. */
  readonly upkeep: readonly UpkeepTask[];
}

export interface EngineOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** The key that opens everything; absent, there is none. */
  readonly adminKey?: string | undefined;
  /** Absent: the defaults. */
  readonly fairUse?: FairUse | undefined;
  /** The byte budget that the transports count in; absent, one of the engine's own. */
  readonly byteBudget?: ByteBudget | undefined;
  /** Absent: nothing can be derived. */
  readonly secrets?: Secrets | undefined;
  /** Absent: nothing is observed. */
  readonly observer?: Observer | undefined;
}

export function createEngine(options: EngineOptions): Engine & EngineLifecycle {
  const parts = createParts(options);
  const { store, admission, dispatchers, wakeups } = parts;
  const { verbs, drainables } = createVerbs(parts, () => stopping);
  const upkeep = createUpkeep(parts);
  let stopping = false;

  async function checkReadiness(): Promise<void> {
    if (stopping) throw new WillcallError('shutting_down', 'This instance is stopping.');
    await store.ping();
  }

  async function start(): Promise<void> {
    wakeups.start();
  }

  async function drained(): Promise<void> {
    await Promise.all(drainables.map((each) => each.drained()));
    await parts.deadLetterLog.drained();
  }

  async function stop(): Promise<void> {
    stopping = true;
    await dispatchers.stop();
    await Promise.all([drained(), upkeep.stop(), admission.stop()]);
    await parts.deadLetterLog.drained();
    wakeups.stop();
  }

  return {
    ...verbs,
    checkReadiness,
    start,
    stop,
    drained,
    upkeep: upkeep.tasks,
  };
}

type Parts = ReturnType<typeof createParts>;

/** What the verbs and the upkeep share. */
function createParts(options: EngineOptions) {
  const {
    store,
    logger,
    observer = silentObserver,
    secrets = noSecrets,
    adminKey = null,
    fairUse = fairUseDefaults,
  } = options;
  const byteBudget = options.byteBudget ?? new ByteBudget({ bytesMax: fairUse.trafficBytes });
  const turns = new Slots(FLUSHES_MAX);
  const largeFlushes = new Slots(LARGE_FLUSHES_MAX);
  const lockWaits = new Slots(Math.max(1, Math.floor(store.connectionsMax * LOCK_WAITS_SHARE)));
  const dispatchers = new Dispatchers({ store, byteBudget, turns, lockWaits, observer });
  const admission = createAdmission({ store, logger, adminKey, fairUse, secrets });
  const wakeups = createWakeups({
    store,
    logger,
    handlers: {
      onTopic: (topicId) => dispatchers.wakeTopic(topicId),
      onSubscription: (subscriptionId) => dispatchers.wakeSubscription(subscriptionId),
      onKey: admission.onKey,
      onEverybody: () => {
        admission.forgetAll();
        dispatchers.wakeEverybody();
      },
    },
  });
  const directory = new Directory(store);
  observer.gauge('parked_receives', () => dispatchers.waiting);
  observer.gauge('reserved_bytes', () => byteBudget.bytes);
  return {
    store,
    logger,
    observer,
    secrets,
    deadLetterLog: createDeadLetterLog({ store, logger }),
    turns,
    lockWaits,
    largeFlushes,
    dispatchers,
    admission,
    wakeups,
    directory,
  };
}

/** Every verb but `checkReadiness`, and what is to be drained when the engine stops. */
function createVerbs(parts: Parts, isStopping: () => boolean) {
  const { directory, dispatchers } = parts;
  const { authenticate, authenticateKeyId, deriveSecret, admit, parked } = parts.admission;
  const { publish, ...publishes } = createPublish(parts);
  const { acknowledge, ...acknowledgments } = createAcknowledge(parts);
  const { release, ...releases } = createRelease(parts);
  const { extend, ...extensions } = createExtend(parts);
  const { reject, ...rejections } = createReject(parts);
  const { handBack } = releases;
  const { receive } = createReceive({ directory, dispatchers, acknowledge, handBack, parked, isStopping });
  const observed = {
    ...createKeyVerbs(parts),
    ...createTopicVerbs(parts),
    ...createSubscriptionVerbs(parts),
    ...createAudit(parts.store),
    ...createSearchVerbs(parts.store),
    ...createJournal(parts.store),
    publish,
    receive,
    acknowledge,
    release,
    extend,
    reject,
  };
  const verbs: Omit<Engine, 'checkReadiness'> = {
    authenticate,
    authenticateKeyId,
    deriveSecret,
    admit,
    ...observeVerbs(observed, parts.observer),
  };
  return { verbs, drainables: [publishes, acknowledgments, releases, extensions, rejections] };
}
