// One log line for each message that became a dead letter: which, of what, and why. Verbs and
// upkeep count what they set aside; the rows are read after that, so that no hot statement carries
// them. Two instances that set messages of one subscription aside at once may both log some.

import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';
import type { Drainable } from './batching/batcher.ts';
import type { SubscriptionIds } from './waiting/waiter.ts';

/** Lines for one event; what is beyond is counted in a line of its own. */
const LINES_MAX = 1_000;
const SUBSCRIPTIONS_MAX = 10_000;

export interface DeadLetterLog extends Drainable {
  /** So many messages of the subscription have just become dead letters. Never throws. */
  note(ids: SubscriptionIds, count: number): void;
}

export function createDeadLetterLog({
  store,
  logger,
}: {
  readonly store: Store;
  readonly logger: Logger;
}): DeadLetterLog {
  /** The last number that was logged, by subscription. */
  const logged = new Map<number, number>();
  /** One read at a time, so that nothing is logged twice. */
  let reading: Promise<void> = Promise.resolve();

  async function logNewest({ topicId, subscriptionId }: SubscriptionIds, count: number): Promise<void> {
    const after = logged.get(subscriptionId) ?? null;
    const limit = after === null ? Math.min(count, LINES_MAX) : LINES_MAX;
    const letters = await store.ledger.listNewestDeadLetters({ topicId, subscriptionId }, after ?? 0, limit);
    for (const letter of letters) logger.info(letter, 'a message became a dead letter');
    if (count > LINES_MAX) logger.info({ subscriptionId, messages: count }, 'many messages became dead letters');
    const last = letters.at(-1)?.deadLetterNo;
    if (last === undefined) return;
    if (logged.size >= SUBSCRIPTIONS_MAX) logged.clear();
    logged.set(subscriptionId, last);
  }

  function note(ids: SubscriptionIds, count: number): void {
    if (count === 0) return;
    reading = reading
      .then(() => logNewest(ids, count))
      .catch((err: unknown) => {
        logger.warn({ err, subscriptionId: ids.subscriptionId, messages: count }, 'messages became dead letters');
      });
  }

  return { note, drained: () => reading };
}
