// Observing the engine's work: its verbs and its flushes, wrapped where an observer listens.

import { type Observer, outcomeOf, silentObserver } from '../domain/observer.ts';

type Verb = (...request: never[]) => Promise<unknown>;

/** Verbs that say how many items they were about; of the others, a call is one. */
const counts: Readonly<Record<string, (request: never, answer: never) => number>> = {
  publish: (_request, answer: readonly unknown[]) => answer.length,
  receive: (_request, answer: { readonly messages: readonly unknown[] }) => answer.messages.length,
  acknowledge: countReceipts,
  release: countReceipts,
  extend: countReceipts,
  reject: countReceipts,
};

/** The same verbs, each call reported; the very same where nothing is observed. */
export function observeVerbs<Verbs extends object>(verbs: Verbs, observer: Observer): Verbs {
  if (observer === silentObserver) return verbs;
  const observed = Object.entries(verbs).map(([verb, run]) => [verb, observeVerb(verb, run as Verb, observer)]);
  return Object.fromEntries(observed) as Verbs;
}

/** The same flush, each one reported; the very same where nothing is observed. */
export function observeFlush<Group extends { readonly entries: readonly unknown[] }, Result>(
  verb: string,
  observer: Observer,
  flush: (groups: readonly Group[], wait: boolean) => Promise<Result>,
): typeof flush {
  if (observer === silentObserver) return flush;
  return async (groups, wait) => {
    const startedAt = performance.now();
    const report = (outcome: ReturnType<typeof outcomeOf> | 'ok') => {
      const entries = groups.reduce((sum, group) => sum + group.entries.length, 0);
      observer.flush({ verb, outcome, seconds: secondsSince(startedAt), groups: groups.length, entries });
    };
    try {
      const result = await flush(groups, wait);
      report('ok');
      return result;
    } catch (error) {
      report(outcomeOf(error));
      throw error;
    }
  };
}

function observeVerb(verb: string, run: Verb, observer: Observer): Verb {
  const count = counts[verb] ?? (() => 1);
  return async (...request) => {
    const startedAt = performance.now();
    try {
      const answer = await run(...request);
      const items = count(request[0] as never, answer as never);
      observer.call({ verb, outcome: 'ok', seconds: secondsSince(startedAt), items });
      return answer;
    } catch (error) {
      observer.call({ verb, outcome: outcomeOf(error), seconds: secondsSince(startedAt), items: 0 });
      throw error;
    }
  };
}

function countReceipts(request: { readonly receipts: readonly unknown[] }): number {
  return request.receipts.length;
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
