// Judges a history: a pure function of what clients saw and what the database holds in the end. It
// knows the promises of docs/message-life.md and nothing of how they are kept.

import {
  type History,
  openSubscriptionBooks,
  openTopicBooks,
  type SubscriptionBook,
  type TopicBook,
} from './history-books.ts';
import * as deliveryRules from './history-delivery-rules.ts';
import * as ledgerRules from './history-ledger-rules.ts';
import * as logRules from './history-log-rules.ts';

export type { History } from './history-books.ts';

type Rules<Book> = Record<string, (book: Book) => Iterable<string>>;

const { nothingIsLeft, ...otherDeliveryRules } = deliveryRules;
const ofTopics = { ...logRules } satisfies Rules<TopicBook>;
const ofSubscriptions = { ...otherDeliveryRules, ...ledgerRules } satisfies Rules<SubscriptionBook>;

export type Rule = keyof typeof ofTopics | keyof typeof ofSubscriptions | 'nothingIsLeft';

export const rules = [...Object.keys(ofTopics), ...Object.keys(ofSubscriptions), 'nothingIsLeft'] as Rule[];

export interface Violation {
  readonly rule: Rule;
  readonly what: string;
}

/**
 * Empty when the history keeps every promise. `drained`: clients went on until nothing was left to
 * do.
 */
export function checkHistory(history: History, { drained = false } = {}): Violation[] {
  const violations: Violation[] = [];
  const judge = <Book>(judging: Rules<Book>, book: Book, of: string) => {
    for (const [rule, breaches] of Object.entries(judging)) {
      for (const breach of breaches(book)) violations.push({ rule: rule as Rule, what: `${of}: ${breach}` });
    }
  };
  for (const book of openTopicBooks(history)) judge(ofTopics, book, book.topic.name);
  for (const book of openSubscriptionBooks(history)) {
    judge({ ...ofSubscriptions, ...(drained && { nothingIsLeft }) }, book, book.subscription.name);
  }
  return violations;
}
