// Histories of publishing, and how each breaks one promise and no other: what history.test.ts asks
// the checker about.

import type { PublishCall } from './history.ts';
import type * as logRules from './history-log-rules.ts';
import { micros, type Story, tellTwoPublishes } from './history-story.ts';

export interface Case {
  tell: () => Story;
  /** Makes it a history that breaks the rule, and no other. */
  spoil: (story: Story) => void;
}

export const set = <T extends object>(target: T | undefined, fields: Partial<T>) => Object.assign(target ?? {}, fields);

export const logCases: Record<keyof typeof logRules, Case[]> = {
  publishedIsKept: [
    { tell: () => tellTwoPublishes(), spoil: ({ rows }) => rows.messages.pop() },
    { tell: () => tellTwoPublishes(), spoil: ({ rows }) => set(rows.messages[1], { body: 'other bytes' }) },
    { tell: () => tellTwoPublishes(), spoil: ({ rows }) => set(rows.messages[1], { publishedBy: 'p1' }) },
  ],
  messagesWerePublished: [
    { tell: () => tellTwoPublishes(), spoil: ({ calls }) => calls.pop() },
    { tell: () => tellTwoPublishes(), spoil: ({ calls }) => calls.push({ ...calls[1] } as PublishCall) },
    { tell: tellRepeated, spoil: ({ calls }) => calls.splice(1, 1) },
  ],
  dedupeKeysNameOneMessage: [
    {
      tell: tellRepeated,
      spoil: ({ calls }) => set((calls[2] as PublishCall).answer?.[0], { id: 'id-1', sequence: 1 }),
    },
    { tell: tellRepeated, spoil: ({ calls }) => set(calls[2] as PublishCall, { dedupeKeys: [null] }) },
  ],
  sequencesAreDense: [
    {
      tell: () => tellTwoPublishes(),
      spoil: ({ rows, calls }) => {
        set(rows.messages[1], { seq: 3 });
        set(calls[1], { answer: [{ id: 'id-2', sequence: 3, duplicate: false }] });
      },
    },
  ],
  logIsInTimeOrder: [
    { tell: () => tellTwoPublishes(), spoil: ({ rows }) => set(rows.messages[1], { publishedAt: micros(0) }) },
  ],
  publishesKeepTheirOrder: [
    {
      tell: () => tellTwoPublishes(),
      spoil: ({ calls: [first, second] }) => {
        set(second, { startedAt: 1, endedAt: 2 });
        set(first, { startedAt: 3, endedAt: 4 });
      },
    },
  ],
  publishesAreWhole: [
    {
      tell: () => tellTwoUnanswered(),
      spoil: ({ rows }) => rows.messages.pop(),
    },
  ],
  nothingIsPublishedTwice: [
    {
      tell: () => tellTwoUnanswered(),
      spoil: ({ rows }) => rows.messages.push({ ...doubleOf(rows), seq: 3, messageId: 'id-3' }),
    },
    {
      // Asked twice under one key, and done twice.
      tell: () => {
        const story = tellRepeated();
        for (const call of story.calls.slice(1)) Object.assign(call, { answer: null, error: 'lost' });
        return story;
      },
      spoil: ({ rows }) => rows.messages.push({ ...doubleOf(rows), seq: 3, messageId: 'id-3' }),
    },
  ],
};

/** Two messages in one call, which nobody was answered. */
function tellTwoUnanswered(): Story {
  const story = tellTwoPublishes();
  const [first, second] = story.calls.splice(0) as [PublishCall, PublishCall];
  const bodies = [...first.bodies, ...second.bodies];
  story.calls.push({ ...first, bodies, dedupeKeys: [null, null], answer: null, error: 'lost' });
  for (const row of story.rows.messages) row.publishedBy = first.client;
  return story;
}

function doubleOf({ messages: [, last] }: Story['rows']) {
  if (last === undefined) throw new Error('two messages were told of');
  return last;
}

function tellRepeated(): Story {
  const story = tellTwoPublishes({ alike: true });
  story.repeat(story.calls[1] as PublishCall, 'key');
  return story;
}
