// What the checker says of outcomes and of calls that were never answered, on histories made by
// hand.

import { describe, expect, it } from 'vitest';
import type { Outcome, SettleVerb } from '../../src/domain/settling.ts';
import type { PublishCall, ReceiveCall, SettleCall } from './history.ts';
import { checkHistory, type Rule } from './history-check.ts';
import { finish, micros, type Story, tellOneInFlight, tellTwoPublishes } from './history-story.ts';

const lastSettle = (story: Story) => story.calls.at(-1) as SettleCall;

describe('the outcome of a receipt', () => {
  const unknown = Buffer.alloc(33, 1).toString('base64url');
  const error = { code: 'broken', message: null };

  /** The receipt of one message, and what had been answered about it before. */
  const scenes = {
    live: () => tellOneInFlight(),
    acknowledged: () => scene(({ story, receipt }) => story.acknowledge(11, 'c1', receipt)),
    released: () => scene(({ story, receipt }) => story.release(11, 'c1', receipt)),
    'released and acknowledged elsewhere': () =>
      scene(({ story, receipt }) => {
        story.release(11, 'c1', receipt);
        story.acknowledge(13, 'c2', story.receive(12, 'c2', [1])[0] ?? '');
      }),
    rejected: () => scene(({ story, receipt }) => story.reject(11, 'c1', receipt)),
    expired: () => scene(({ story, receipt }) => story.expire(41, receipt)),
    'handed out again': () =>
      scene(({ story, receipt }) => {
        story.expire(41, receipt);
        story.receive(50, 'c2', [1]);
      }),
    'acknowledged elsewhere': () =>
      scene(({ story, receipt }) => {
        story.expire(41, receipt);
        story.acknowledge(51, 'c2', story.receive(50, 'c2', [1])[0] ?? '');
      }),
    'expired for the last time': () =>
      scene(({ story, receipt }) => {
        story.rows.subscriptions = story.rows.subscriptions.map((row) => ({ ...row, maxAttempts: 1 }));
        story.expire(41, receipt);
        story.rows.deferred = [];
        for (const row of story.rows.failures) row.deadLetterNo = 1;
        story.rows.deadLetters.push({
          ...{ subscriptionId: 1, deadLetterNo: 1, reason: 'max_attempts', seq: 1, seqLast: 1, attempts: 1 },
          ...{ messageId: 'id-1', body: null, failedAttempts: 1, closed: false },
        });
      }),
  } satisfies Record<string, () => { story: Story; receipt: string }>;

  function scene(tell: (scene: { story: Story; receipt: string }) => unknown) {
    const told = tellOneInFlight();
    tell(told);
    return told;
  }

  const judge = (name: keyof typeof scenes, verb: SettleVerb, outcome: Outcome, receipt?: string): Rule[] => {
    const told = scenes[name]();
    told.story.answer(verb, 'c9', receipt ?? told.receipt, outcome, verb === 'release' ? { error } : {});
    return checkHistory(told.story).map(({ rule }) => rule);
  };

  const allowed: [keyof typeof scenes, SettleVerb, Outcome][] = [
    ['acknowledged', 'acknowledge', 'already_acknowledged'],
    ['acknowledged', 'release', 'already_acknowledged'],
    ['acknowledged', 'extend', 'already_acknowledged'],
    ['released', 'release', 'already_released'],
    ['released', 'acknowledge', 'already_released'],
    ['released and acknowledged elsewhere', 'release', 'already_released'],
    ['rejected', 'reject', 'already_rejected'],
    ['rejected', 'acknowledge', 'already_rejected'],
    ['expired', 'extend', 'gone'],
    ['expired', 'release', 'gone'],
    ['handed out again', 'acknowledge', 'superseded'],
    ['handed out again', 'release', 'superseded'],
    ['acknowledged elsewhere', 'acknowledge', 'superseded'],
    ['expired for the last time', 'release', 'dead_lettered'],
  ];
  it.each(allowed)('of a message that is %s: %s is %s', (name, verb, outcome) => {
    expect(judge(name, verb, outcome)).toEqual([]);
  });

  const forbidden: [keyof typeof scenes, SettleVerb, Outcome][] = [
    ['live', 'acknowledge', 'superseded'],
    ['live', 'acknowledge', 'invalid_receipt'],
    ['live', 'acknowledge', 'not_done'],
    ['live', 'acknowledge', 'gone'],
    ['live', 'acknowledge', 'released'],
    ['live', 'acknowledge', 'already_acknowledged'],
    ['live', 'release', 'gone'],
    ['live', 'release', 'dead_lettered'],
    ['live', 'release', 'already_released'],
    ['live', 'reject', 'already_rejected'],
    ['acknowledged', 'acknowledge', 'acknowledged'],
    ['acknowledged', 'acknowledge', 'superseded'],
    ['acknowledged', 'extend', 'gone'],
    ['released', 'release', 'released'],
    ['released', 'acknowledge', 'gone'],
    ['released', 'release', 'superseded'],
    ['released and acknowledged elsewhere', 'release', 'superseded'],
    ['rejected', 'release', 'dead_lettered'],
    ['expired', 'acknowledge', 'gone'],
    ['expired', 'release', 'superseded'],
    ['expired', 'release', 'dead_lettered'],
    ['handed out again', 'acknowledge', 'acknowledged'],
    ['handed out again', 'release', 'gone'],
    ['acknowledged elsewhere', 'acknowledge', 'already_acknowledged'],
    ['acknowledged elsewhere', 'extend', 'gone'],
    ['expired for the last time', 'acknowledge', 'dead_lettered'],
    ['expired for the last time', 'acknowledge', 'superseded'],
  ];
  it.each(forbidden)('of a message that is %s: %s cannot be %s', (name, verb, outcome) => {
    expect(judge(name, verb, outcome)).toContain('outcomesAreAllowed');
  });

  it('is invalid for a receipt that nobody was handed, and for no other', () => {
    expect(judge('live', 'acknowledge', 'invalid_receipt', unknown)).toEqual([]);
    expect(judge('live', 'acknowledge', 'gone', unknown)).toContain('outcomesAreAllowed');
  });

  it('cannot be extended once the lease was over', () => {
    const { story, receipt } = tellOneInFlight();
    story.extend(41, 'c1', receipt);
    expect(checkHistory(story).map(({ rule }) => rule)).toEqual(['outcomesAreAllowed']);
  });

  it('is gone once the time of its lease is over, also while nobody has ended it', () => {
    const { story, receipt } = tellOneInFlight();
    story.answer('extend', 'c1', receipt, 'gone');
    story.rows.readAt = micros(40);
    expect(checkHistory(story)).toEqual([]);
    story.rows.readAt = micros(39);
    expect(checkHistory(story).map(({ rule }) => rule)).toEqual(['outcomesAreAllowed']);
  });

  it('may be either of two while calls overlap', () => {
    for (const outcome of ['gone', 'superseded'] as const) {
      const { story, receipt } = tellOneInFlight();
      story.expire(41, receipt);
      story.receive(50, 'c2', [1]);
      story.overlap(story.calls.at(-1) as ReceiveCall, story.answer('release', 'c1', receipt, outcome));
      expect(checkHistory(story)).toEqual([]);
    }
  });

  it('is what another call did that was not answered yet, also after the message was handed out again', () => {
    const { story, receipt } = tellOneInFlight();
    const release = story.release(12, 'c1', receipt);
    story.receive(13, 'c2', [1]);
    const repeated = story.answer('release', 'c1', receipt, 'already_released');
    expect(checkHistory(story)).toEqual([]);
    Object.assign(release, { endedAt: (repeated.endedAt ?? 0) + 1 });
    expect(checkHistory(story)).toEqual([]);
    // Not when it began only afterwards.
    Object.assign(release, { startedAt: (repeated.endedAt ?? 0) + 1, endedAt: (repeated.endedAt ?? 0) + 2 });
    expect(checkHistory(story).map(({ rule }) => rule)).toContain('outcomesAreAllowed');
  });

  it('of an atomic call is all or nothing', () => {
    const { story, receipt } = tellOneInFlight();
    const call = story.acknowledge(11, 'c1', receipt);
    const other = story.answer('acknowledge', 'c1', unknown, 'invalid_receipt');
    story.calls.pop();
    const both = {
      inputs: [...call.inputs, ...other.inputs],
      answer: [...(call.answer ?? []), ...(other.answer ?? [])],
    };
    Object.assign(call, both);
    expect(checkHistory(story)).toEqual([]);
    Object.assign(call, { atomic: true });
    expect(checkHistory(story).map(({ rule }) => rule)).toEqual(['outcomesAreAllowed']);
  });
});

describe('what was never answered', () => {
  const unanswer = (call: PublishCall | ReceiveCall | SettleCall) =>
    Object.assign(call, { answer: null, error: 'lost' });

  it('may have been done, and may not', () => {
    const done = finish(tellOneInFlight());
    unanswer(lastSettle(done));
    expect(checkHistory(done)).toEqual([]);
    const { story, receipt } = tellOneInFlight();
    unanswer(story.answer('acknowledge', 'c1', receipt, 'acknowledged'));
    expect(checkHistory(story)).toEqual([]);
  });

  it('explains a message in the log, and a delivery that nobody got', () => {
    const published = tellTwoPublishes();
    unanswer(published.calls[1] as PublishCall);
    expect(checkHistory(published)).toEqual([]);
    const { story } = tellOneInFlight();
    unanswer(story.calls[1] as ReceiveCall);
    expect(checkHistory(story)).toEqual([]);
  });

  it('explains, where connections were lost, a duplicate of which nobody knows the original', () => {
    const story = tellTwoPublishes({ alike: true });
    story.repeat(story.calls[1] as PublishCall, 'key');
    story.calls.splice(1, 1);
    expect(checkHistory(story).map(({ rule }) => rule)).toEqual(['messagesWerePublished']);
    expect(checkHistory({ ...story, disturbed: true })).toEqual([]);
  });

  it('explains a repeated acknowledgment', () => {
    const { story, receipt } = tellOneInFlight();
    story.acknowledge(11, 'c1', receipt);
    unanswer(lastSettle(story));
    story.answer('acknowledge', 'c1', receipt, 'already_acknowledged');
    expect(checkHistory(story)).toEqual([]);
  });
});
