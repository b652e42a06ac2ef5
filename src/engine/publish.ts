// The verb publish: appends a call's messages to a topic's log, all of them or none. The caller is
// answered after the commit; many callers share one. A call whose every message has a dedupe key is
// tried again when its connection was lost, because then a repetition publishes nothing twice; any
// other is not, because its effect is not known.

import type { Principal } from '../domain/access.ts';
import { type ErrorCode, type FieldFault, WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { NewMessage, PublishedMessage } from '../domain/message.ts';
import type { Observer } from '../domain/observer.ts';
import type { Store } from '../store/index.ts';
import type { PublishCall, PublishOutcome } from '../store/messages.ts';
import { Batcher, type Drainable, type Group } from './batching/batcher.ts';
import type { Slots } from './batching/slots.ts';
import type { Directory } from './lookups/directory.ts';
import { observeFlush } from './observing.ts';
import type { Wakeups } from './waiting/wakeups.ts';

const MIB = 1024 * 1024;
const TRIES_MAX = 3;
const RETRY_PAUSE_MS = 200;
/** A consumer that is behind does not catch up at once. */
const FULL_RETRY_SECONDS = 5;
const FULL_LOGGED_MS = 60_000;
const FULL_LOGGED_MAX = 1_000;

export interface PublishRequest {
  readonly topic: string;
  /** 1 to `limits.publishMessagesMax`; all of them are published or none. */
  readonly messages: readonly NewMessage[];
  readonly caller: Principal;
}

export interface PublishVerb {
  /**
   * In the order of the request. Throws `topic_not_found`, `message_too_large`,
   * `idempotency_conflict`, `backlog_full`.
   */
  publish(request: PublishRequest): Promise<readonly PublishedMessage[]>;
}

/** A call that was refused: which of its messages, why, and the topic's bound on a body. */
interface Refusal {
  readonly refused: readonly number[];
  readonly code: Extract<ErrorCode, 'message_too_large' | 'idempotency_conflict' | 'backlog_full'>;
  readonly maxMessageBytes: number;
}

/** 'gone' when the topic is no more. */
type PublishReply = readonly PublishedMessage[] | Refusal | 'gone';

export interface PublishDeps {
  readonly store: Store;
  readonly directory: Directory;
  readonly wakeups: Wakeups;
  readonly logger: Logger;
  readonly turns: Slots;
  readonly lockWaits: Slots;
  readonly observer: Observer;
}

export function createPublish(deps: PublishDeps): PublishVerb & Drainable {
  const { directory } = deps;
  const batcher = createPublishBatcher(deps);

  async function publish(request: PublishRequest): Promise<readonly PublishedMessage[]> {
    const call = { messages: request.messages.map(withoutPastDelay), publisher: request.caller };
    return directory.withTopic(request.topic, async (topic) => {
      const reply = await submitSafely(() => batcher.submit(topic.topicId, call), call);
      if (reply === 'gone' || !('refused' in reply)) return reply;
      throw toError(request, reply);
    });
  }

  return { publish, drained: () => batcher.drained() };
}

/** Joins the calls of a topic into flushes. */
function createPublishBatcher({ store, wakeups, logger, observer, turns, lockWaits }: PublishDeps) {
  const logFull = createFullLog(logger);

  async function flush(groups: readonly Group<PublishCall>[], wait: boolean) {
    const outcomes = await store.messages.publish(
      groups.map(({ key, entries }) => ({ topicId: key, calls: entries })),
      wait,
    );
    return Promise.all(groups.map((group, i) => toReplies(group, outcomes[i], wait)));
  }

  async function toReplies(
    group: Group<PublishCall>,
    outcome: PublishOutcome | undefined,
    wait: boolean,
  ): Promise<readonly PublishReply[] | 'busy'> {
    switch (outcome?.outcome) {
      case 'published':
        wakeups.wakeTopic(group.key);
        return shareOut(group, outcome.messages);
      case 'message_too_large':
      case 'idempotency_conflict':
        return leaveOut(group, outcome, refusedByCall(group, outcome.refused), wait);
      case 'backlog_full':
        logFull(group.key, outcome.furthestBehind);
        return leaveOut(group, outcome, beyondRoom(group, outcome), wait);
      case 'busy':
        return 'busy';
      default:
        return group.entries.map(() => 'gone');
    }
  }

  /** A group that holds a refusal was left undone: refuses those calls, and does the others. */
  async function leaveOut(
    group: Group<PublishCall>,
    { outcome, maxMessageBytes = 0 }: { readonly outcome: Refusal['code']; readonly maxMessageBytes?: number },
    byCall: readonly (readonly number[])[],
    wait: boolean,
  ): Promise<readonly PublishReply[] | 'busy'> {
    const kept = group.entries.filter((_, i) => byCall[i]?.length === 0);
    const [replies = []] = kept.length > 0 ? await flush([{ key: group.key, entries: kept }], wait) : [];
    // Then nothing of the group was done.
    if (replies === 'busy') return 'busy';
    const rest = [...replies];
    return byCall.map((ofCall) =>
      ofCall.length > 0 ? { refused: ofCall, code: outcome, maxMessageBytes } : (rest.shift() ?? 'gone'),
    );
  }

  return new Batcher<PublishCall, PublishReply>({
    flush: observeFlush('publish', observer, flush),
    weigh: ({ messages }) => ({
      items: messages.length,
      bytes: messages.reduce((bytes, message) => bytes + message.body.length, 0),
    }),
    groupsMax: 200,
    itemsMax: 5_000,
    bytesMax: 16 * MIB,
    turns,
    lockWaits,
    pendingBytesMax: 256 * MIB,
    pendingEntriesMax: 20_000,
  });
}

/** Only what may be repeated without harm is. */
async function submitSafely<T>(submit: () => Promise<T>, { messages }: PublishCall): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await submit();
    } catch (error) {
      const lost = error instanceof WillcallError && error.code === 'database_unavailable';
      const harmless = messages.every((message) => message.dedupeKey !== null);
      // An unavailable database does not recover in a moment: callers get a time to retry after.
      const isAway = tried === 1 && lost && error.retryAfterSeconds !== null;
      if (!lost || !harmless || isAway || tried === TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS * tried * (0.5 + Math.random())));
    }
  }
}

/**
 * What is due already enters the log at once; of a time the database decides, whose clock is the
 * one that counts.
 */
function withoutPastDelay(message: NewMessage): NewMessage {
  return message.delaySeconds === 0 ? { ...message, delaySeconds: null } : message;
}

/** What there is of each message of a group, by call. */
function shareOut<T>(group: Group<PublishCall>, all: readonly T[]): T[][] {
  let next = 0;
  return group.entries.map(({ messages }) => {
    next += messages.length;
    return all.slice(next - messages.length, next);
  });
}

/** The refused messages of each call, by their indexes in the call. */
function refusedByCall(group: Group<PublishCall>, refused: readonly number[]): number[][] {
  const isRefused = new Set(refused);
  let first = 0;
  return group.entries.map(({ messages }) => {
    const ofCall = messages.flatMap((_, i) => (isRefused.has(first + i) ? [i] : []));
    first += messages.length;
    return ofCall;
  });
}

/** The same where there is room for some: calls take it in turn, each as a whole. */
function beyondRoom(
  group: Group<PublishCall>,
  { entering, room }: Extract<PublishOutcome, { outcome: 'backlog_full' }>,
): number[][] {
  let left = room;
  return refusedByCall(group, entering).map((ofCall) => {
    if (ofCall.length > left) return ofCall;
    left -= ofCall.length;
    return [];
  });
}

/** Logs for the operator which subscription is behind, at most once a minute for each topic. */
function createFullLog(logger: Logger) {
  const loggedAt = new Map<number, number>();
  return (topicId: number, subscription: string): void => {
    const now = performance.now();
    if (now - (loggedAt.get(topicId) ?? Number.NEGATIVE_INFINITY) < FULL_LOGGED_MS) return;
    if (loggedAt.size >= FULL_LOGGED_MAX) loggedAt.clear();
    loggedAt.set(topicId, now);
    logger.info({ topicId, subscription }, 'a publish was refused: the backlog of the subscription is full');
  };
}

function toError({ messages, topic }: PublishRequest, { code, refused, maxMessageBytes }: Refusal): WillcallError {
  switch (code) {
    case 'message_too_large': {
      const fields = refused.map((index): FieldFault => {
        const bytes = messages[index]?.body.length ?? 0;
        return { path: ['messages', index, 'body'], rule: 'bytes_at_most', bytes, topic, bytesMax: maxMessageBytes };
      });
      return new WillcallError(code, { topic, maxMessageBytes, fields });
    }
    case 'idempotency_conflict': {
      const fields = refused.map((index): FieldFault => {
        const key = messages[index]?.dedupeKey ?? '';
        return { path: ['messages', index, 'dedupeKey'], rule: 'one_body_per_key', key };
      });
      return new WillcallError(code, { fields });
    }
    case 'backlog_full':
      return new WillcallError(code, { topic }, { retryAfterSeconds: FULL_RETRY_SECONDS });
  }
}
