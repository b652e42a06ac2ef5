// The checker itself, on histories made by hand. Each rule sees a history that keeps it and one
// that breaks it and nothing else, so that a rule which cannot fail would be noticed.

import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/domain/settling.ts';
import type { ReceiveCall, SettleCall } from './history.ts';
import { checkHistory, type Rule, rules } from './history-check.ts';
import { type Case, logCases, set } from './history-log-cases.ts';
import type { DeliveryRow } from './history-rows.ts';
import { finish, micros, Story, tellOneInFlight } from './history-story.ts';

/** Everything that can happen to messages, in good order. */
function tellEverything(): Story {
  const story = new Story();
  story.publish(1, 'p1', 'one', 'two', 'three');
  story.publish(2, 'p2', 'four', 'five', 'six');
  const [one = '', two = '', three = ''] = story.receive(10, 'c1', [1, 2, 3]);
  story.acknowledge(11, 'c1', one, { reference: 'booking 1' });
  story.answer('acknowledge', 'c2', one, 'already_acknowledged');
  story.release(12, 'c1', two, { error: { code: 'broken', message: null } });
  story.answer('release', 'c1', two, 'already_released');
  story.extend(20, 'c1', three);
  story.expire(51, three);
  story.answer('extend', 'c1', three, 'gone');
  const [twoAgain = '', threeAgain = ''] = story.receive(60, 'c2', [2, 3]);
  story.answer('acknowledge', 'c1', three, 'superseded');
  story.reject(61, 'c2', twoAgain);
  story.answer('reject', 'c2', twoAgain, 'already_rejected');
  story.expire(91, threeAgain);
  const [threeThird = ''] = story.receive(100, 'c1', [3]);
  story.expire(131, threeThird);
  story.answer('release', 'c1', threeThird, 'dead_lettered');
  story.acknowledge(132, 'c1', threeThird, { late: true });
  story.receive(140, 'c3', [4, 5], { left: true }).map((receipt) => story.handBack(141, 'c3', receipt));
  const [four = '', five = ''] = story.receive(150, 'c1', [4, 5]);
  const refused = story.answer('acknowledge', 'c1', four, 'not_done');
  const other = story.answer('acknowledge', 'c1', threeThird, 'already_acknowledged').inputs;
  story.calls.pop();
  const forged = story.answer('acknowledge', 'c1', 'forged', 'invalid_receipt');
  story.calls.pop();
  Object.assign(refused, {
    atomic: true,
    inputs: [...refused.inputs, ...other, ...forged.inputs],
    answer: [
      ...(refused.answer ?? []),
      { ...story.answer('acknowledge', 'c1', threeThird, 'already_acknowledged').answer?.[0] },
      ...(forged.answer ?? []),
    ],
  });
  story.acknowledge(151, 'c1', four);
  story.release(152, 'c1', five, { delaySeconds: 60 });
  return story;
}

/** One message, waiting for its second attempt after its first one was released at 12. */
function tellOneReleased(delaySeconds: number | null = null) {
  const { story, receipt } = tellOneInFlight();
  const release = story.release(12, 'c1', receipt, { delaySeconds });
  return { story, receipt, release };
}

function tellTwoAcknowledged(): Story {
  const story = new Story();
  story.publish(1, 'p1', 'one', 'two');
  const [one = '', two = ''] = story.receive(10, 'c1', [1, 2]);
  story.acknowledge(11, 'c1', one);
  story.acknowledge(12, 'c1', two);
  return story;
}

/** By one atomic call, which was not answered. */
function tellTwoAcknowledgedAtOnce(): Story {
  const story = tellTwoAcknowledged();
  const [first, second] = story.calls.splice(2) as [SettleCall, SettleCall];
  story.calls.push({
    ...first,
    atomic: true,
    inputs: [...first.inputs, ...second.inputs],
    answer: null,
    error: 'lost',
  });
  return story;
}

const resultOf = (call: SettleCall | undefined) => call?.answer?.[0];
const lastSettle = (story: Story) => story.calls.at(-1) as SettleCall;

const cases: Record<Rule, Case[]> = {
  ...logCases,
  deliveriesAreDense: [
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deliveries[0], { at: micros(11) }) },
    { tell: tellOneInFlightStory, spoil: ({ rows }) => rows.deliveries.push(skipRow(4, 20)) },
    { tell: tellOneInFlightStory, spoil: ({ rows }) => rows.deliveries.push(skipRow(3, 9)) },
  ],
  nothingIsSkipped: [
    {
      tell: () => {
        const story = new Story();
        story.publish(1, 'p1', 'one', 'two');
        story.receive(10, 'c1', [1]);
        return story;
      },
      spoil: ({ rows }) => {
        set(rows.deliveries[1], { head: 2 });
        rows.deferred.push({ subscriptionId: 1, seq: 2, availableAt: micros(1), attempt: 1, failures: 0 });
      },
    },
  ],
  answersAreRecorded: [
    { tell: tellEverything, spoil: (story) => set(answered(story, 1), { body: 'other bytes' }) },
    { tell: tellEverything, spoil: (story) => set(answered(story, 1), { id: 'id-2' }) },
    { tell: tellEverything, spoil: (story) => set(answered(story, 1), { visibleUntil: micros(39) / 1000 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deliveries[1], { nonce: '7' }) },
    { tell: tellOneInFlightStory, spoil: ({ calls }) => set(calls[1] as ReceiveCall, { maxMessages: 0 }) },
    {
      tell: () => {
        const story = tellOneReceivedTwice();
        story.acknowledge(21, 'c1', answered(story, 2)?.receipt ?? '');
        return story;
      },
      spoil: (story) => set(answered(story, 2), { visibleUntil: micros(39) / 1000 }),
    },
  ],
  deliveriesWereAsked: [
    { tell: tellOneInFlightStory, spoil: ({ calls }) => calls.pop() },
    {
      tell: tellOneInFlightStory,
      spoil: ({ calls }) => calls.push({ ...calls[1], startedAt: 5, endedAt: 6 } as ReceiveCall),
    },
    { tell: tellOneReceivedTwice, spoil: ({ calls }) => set(calls[2] as ReceiveCall, { idempotencyKey: 'another' }) },
  ],
  repetitionsAreAnsweredAlike: [
    {
      tell: () => {
        const story = new Story();
        story.publish(1, 'p1', 'one', 'two');
        const [one = ''] = story.receive(10, 'c1', [1]);
        const [two = ''] = story.receive(11, 'c1', [2]);
        story.acknowledge(12, 'c1', one);
        story.acknowledge(13, 'c1', two);
        return story;
      },
      spoil: ({ calls }) => {
        for (const call of calls) if (call.verb === 'receive') set(call, { idempotencyKey: 'key' });
      },
    },
  ],
  leasesAreExclusive: [
    {
      tell: () => {
        const { story, receipt } = tellOneInFlight();
        story.release(12, 'c1', receipt);
        story.receive(20, 'c2', [1]);
        return story;
      },
      spoil: ({ rows, calls }) => {
        rows.failures.pop();
        calls.splice(2, 1);
      },
    },
  ],
  leasesLastTheirTime: [
    { tell: tellEverything, spoil: ({ rows }) => set(failureOf(rows, 3), { endedAt: micros(45) }) },
    { tell: tellOneInFlightStory, spoil: ({ rows }) => set(rows.leases[0], { expiresAt: micros(41) }) },
    { tell: tellOneReceivedTwice, spoil: ({ rows }) => set(rows.leases[0], { expiresAt: micros(40) }) },
  ],
  receiptsFence: [
    {
      tell: () => {
        const { story, receipt } = tellOneInFlight();
        story.acknowledge(12, 'c1', receipt);
        return story;
      },
      spoil: (story) => {
        const acknowledge = lastSettle(story);
        story.receive(11, 'c2', [1]);
        story.rows.leases.pop();
        story.overlap(acknowledge, story.calls.at(-1) as ReceiveCall);
      },
    },
  ],
  attemptsAreCounted: [
    { tell: tellEverything, spoil: (story) => set(answered(story, 1), { attempt: 2 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.acknowledgments[0], { attempt: 2 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(failureOf(rows, 3), { attempt: 2 }) },
    { tell: tellOneInFlightStory, spoil: ({ rows }) => set(rows.leases[0], { attempt: 2 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deadLetters[0], { attempts: 3 }) },
  ],
  failuresAreCounted: [
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deferred[0], { failures: 1 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.subscriptions[0], { maxAttempts: 2 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.subscriptions[0], { maxAttempts: 4 }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deadLetters[0], { reason: 'max_attempts' }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deadLetters[0], { failedAttempts: 1 }) },
  ],
  redeliveryWaits: [
    {
      tell: () => tellOneReleased(60).story,
      spoil: ({ rows }) => set(rows.deferred[0], { availableAt: micros(71) }),
    },
    { tell: () => tellOneReleased().story, spoil: ({ rows }) => set(rows.deferred[0], { availableAt: micros(13) }) },
    {
      tell: () => {
        const { story } = tellOneReleased(60);
        story.receive(72, 'c2', [1]);
        return story;
      },
      spoil: (story) => {
        set(story.rows.deliveries.at(-1), { at: micros(71) });
        set(answered(story, 2), { visibleUntil: micros(101) / 1000 });
        set(story.rows.leases[0], { expiresAt: micros(101) });
      },
    },
  ],
  everyMessageIsInOnePlace: [
    { tell: tellOneInFlightStory, spoil: ({ rows }) => rows.leases.pop() },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.deadLetters[1], { closed: false }) },
    {
      tell: () => tellOneReleased().story,
      spoil: ({ rows }) => {
        const lease = { deliveryNo: 2, attempt: 1, failures: 0, expiresAt: micros(40), outstanding: [1] };
        rows.leases.push({ subscriptionId: 1, ...lease });
      },
    },
  ],
  nothingIsLeft: [
    { tell: () => finish(tellOneInFlight()), spoil: (story) => story.publish(60, 'p1', 'left in the log') },
    { tell: () => finish(tellOneInFlight()), spoil: leaveOneInFlight },
    { tell: () => finish(tellOneInFlight()), spoil: leaveOneWaiting },
  ],
  ackNumbersAreDense: [
    {
      tell: tellTwoAcknowledged,
      spoil: (story) => {
        set(story.rows.acknowledgments[1], { ackNo: 3 });
        set(resultOf(lastSettle(story)), { ackNo: 3 });
      },
    },
  ],
  ledgerIsInTimeOrder: [
    {
      tell: tellTwoAcknowledged,
      spoil: (story) => {
        set(story.rows.acknowledgments[0], { ackNo: 2 });
        set(story.rows.acknowledgments[1], { ackNo: 1 });
        set(resultOf(story.calls.at(-2) as SettleCall), { ackNo: 2 });
        set(resultOf(lastSettle(story)), { ackNo: 1 });
      },
    },
  ],
  messagesAreAcknowledgedOnce: [
    {
      tell: () => finish(tellOneInFlight()),
      spoil: (story) => {
        const first = lastSettle(story);
        story.acknowledge(12, 'c1', first.inputs[0]?.receipt ?? '');
        set(resultOf(lastSettle(story)), { ackNo: 2, acknowledgedAt: micros(12) / 1000 });
        set(story.rows.acknowledgments[1], { acknowledgedAt: micros(12) });
        story.overlap(first, lastSettle(story));
      },
    },
  ],
  lateIsMarked: [
    {
      tell: () => finish(tellOneInFlight()),
      spoil: (story) => {
        set(story.rows.acknowledgments[0], { late: true });
        set(resultOf(lastSettle(story)), { outcome: 'acknowledged_late' });
      },
    },
    {
      tell: () => finish(tellOneInFlight()),
      spoil: (story) => {
        set(story.rows.acknowledgments[0], { acknowledgedAt: micros(41) });
        set(resultOf(lastSettle(story)), { acknowledgedAt: micros(41) / 1000 });
      },
    },
  ],
  answersHaveRecords: [
    { tell: tellEverything, spoil: ({ rows }) => set(rows.acknowledgments[0], { reference: null }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.acknowledgments[0], { acknowledgedBy: 'c2' }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.acknowledgments[0], { messageId: 'id-9' }) },
    { tell: tellEverything, spoil: ({ rows }) => set(rows.failures[0], { endedBy: 'c2' }) },
    {
      tell: () => finish(tellOneInFlight()),
      spoil: (story) => {
        const twice = story.answer('acknowledge', 'c1', lastSettle(story).inputs[0]?.receipt ?? '', 'acknowledged');
        story.overlap(story.calls.at(-2) as SettleCall, twice);
      },
    },
  ],
  recordsWereAsked: [
    { tell: () => finish(tellOneInFlight()), spoil: ({ calls }) => calls.pop() },
    { tell: () => tellOneReleased().story, spoil: ({ calls }) => calls.pop() },
  ],
  atomicCallsAreWhole: [
    {
      tell: () => tellTwoAcknowledgedAtOnce(),
      spoil: ({ rows }) => {
        rows.acknowledgments.pop();
        const lease = { deliveryNo: 2, attempt: 1, failures: 0, expiresAt: micros(40), outstanding: [2] };
        rows.leases.push({ subscriptionId: 1, ...lease });
      },
    },
  ],
  endsAreInTime: [
    {
      tell: () => tellOneReleased(60).story,
      spoil: ({ rows }) => {
        set(rows.failures[0], { endedAt: micros(41) });
        set(rows.deferred[0], { availableAt: micros(101) });
      },
    },
  ],
  outcomesAreAllowed: [
    { tell: tellEverything, spoil: (story) => set(resultOf(answersOf(story, 'superseded')[0]), { outcome: 'gone' }) },
    { tell: tellEverything, spoil: (story) => set(resultOf(answersOf(story, 'gone')[0]), { outcome: 'superseded' }) },
  ],
};

function tellOneReceivedTwice(): Story {
  const { story } = tellOneInFlight();
  story.receiveAgain(20, story.calls[1] as ReceiveCall, 'key');
  return story;
}

function tellOneInFlightStory(): Story {
  return tellOneInFlight().story;
}

function leaveOneInFlight(story: Story): void {
  story.publish(60, 'p1', 'left in flight');
  story.receive(61, 'c1', [2]);
}

function leaveOneWaiting(story: Story): void {
  story.publish(60, 'p1', 'left waiting');
  const [receipt = ''] = story.receive(61, 'c1', [2]);
  story.release(62, 'c1', receipt);
}

function skipRow(deliveryNo: number, at: number): DeliveryRow {
  const row = { deliveryNo, head: 1, at: micros(at), generation: 1, principal: 'willcall', nonce: null, handed: [] };
  return { subscriptionId: 1, kind: 'skip', ...row };
}

function answered(story: Story, receiveNo: number) {
  const receives = story.calls.filter((call) => call.verb === 'receive');
  return receives[receiveNo - 1]?.answer?.[0];
}

function answersOf(story: Story, outcome: Outcome): SettleCall[] {
  const settles = story.calls.filter((call) => call.verb !== 'receive' && call.verb !== 'publish');
  return settles.filter((call) => call.answer?.[0]?.outcome === outcome);
}

const failureOf = (rows: Story['rows'], seq: number) => rows.failures.find((row) => row.seq === seq);

describe('a history that keeps every promise', () => {
  it.each(rules)('passes the rule %s', (rule) => {
    for (const { tell } of cases[rule]) expect(checkHistory(tell(), { drained: rule === 'nothingIsLeft' })).toEqual([]);
  });
});

describe('a history that breaks one promise', () => {
  const spoiled = rules.flatMap((rule) => cases[rule].map(({ tell, spoil }, i) => ({ rule, no: i + 1, tell, spoil })));

  it.each(spoiled)('is caught by the rule $rule alone ($no)', ({ rule, tell, spoil }) => {
    const story = tell();
    spoil(story);
    const violations = checkHistory(story, { drained: rule === 'nothingIsLeft' });
    expect(new Set(violations.map((violation) => violation.rule))).toEqual(new Set([rule]));
  });
});
