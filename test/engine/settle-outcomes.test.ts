// What can become of a receipt: every row of the outcome table of docs/message-life.md, for each
// verb. A state is reached with one receipt, `old`, in hand; then each verb is told that receipt.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatReceipt, parseReceipt } from '../../src/domain/receipt.ts';
import { outcomes, type SettleVerb, settleVerbs } from '../../src/domain/settling.ts';
import { createQueue, outcomesOf, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const error = { code: 'E1', message: 'why' };

function settle(queue: Queue, verb: SettleVerb, receipt: string) {
  switch (verb) {
    case 'acknowledge':
      return queue.acknowledge(receipt);
    case 'release':
      return queue.release(receipt);
    case 'extend':
      return queue.extend([receipt]);
    case 'reject':
      return queue.reject(receipt, error);
  }
}

async function endLease(queue: Queue): Promise<void> {
  const text = `update willcall.lease set expires_at = clock_timestamp() - interval '1 millisecond' where subscription_id = $1`;
  await bench.rows(text, [queue.subscriptionId]);
}

/** What was deferred is due at once. */
async function expire(queue: Queue): Promise<void> {
  await endLease(queue);
  await bench.openEngine().sweep();
  const text = 'update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1';
  await bench.rows(text, [queue.subscriptionId]);
}

interface State {
  name: string;
  settings?: Parameters<typeof createQueue>[1];
  /**
   * Does to the message whose receipt is `old` what the state's name says; another receipt may take
   * its place.
   */
  reach: (queue: Queue, old: string) => Promise<unknown>;
  /** For acknowledge, release, extend and reject. */
  expected: [string, string, string, string];
}

const states: State[] = [
  {
    name: 'live',
    reach: async () => {},
    expected: ['acknowledged', 'released', 'extended', 'rejected'],
  },
  {
    name: 'live after an extend',
    reach: (queue, old) => queue.extend([old], 600),
    expected: ['acknowledged', 'released', 'extended', 'rejected'],
  },
  {
    name: 'acknowledged with it',
    reach: (queue, old) => queue.acknowledge(old),
    expected: Array(4).fill('already_acknowledged') as State['expected'],
  },
  {
    name: 'released with it, not handed out again yet',
    reach: (queue, old) => queue.release(old, { delaySeconds: 600 }),
    expected: Array(4).fill('already_released') as State['expected'],
  },
  {
    name: 'released with it, and handed out again',
    reach: async (queue, old) => {
      await queue.release(old);
      await queue.receiveOne();
    },
    expected: Array(4).fill('already_released') as State['expected'],
  },
  {
    name: 'released with it at its last attempt',
    settings: { maxAttempts: 1 },
    reach: (queue, old) => queue.release(old, { error }),
    expected: Array(4).fill('already_released') as State['expected'],
  },
  {
    name: 'rejected with it',
    reach: (queue, old) => queue.reject(old, error),
    expected: Array(4).fill('already_rejected') as State['expected'],
  },
  {
    name: 'expired, not swept',
    reach: endLease,
    expected: ['acknowledged_late', 'gone', 'gone', 'gone'],
  },
  {
    name: 'expired and swept, not handed out again',
    reach: expire,
    expected: ['acknowledged_late', 'gone', 'gone', 'gone'],
  },
  {
    name: 'expired at its last attempt, its dead letter open',
    settings: { maxAttempts: 1 },
    reach: expire,
    expected: ['acknowledged_late', 'dead_lettered', 'dead_lettered', 'dead_lettered'],
  },
  {
    name: 'expired at its last attempt, its dead letter closed by an operator',
    settings: { maxAttempts: 1 },
    reach: async (queue) => {
      await expire(queue);
      await bench.rows(
        `update willcall.dead_letter set closed_at = now(), closed_by = 'op', closed_as = 'discarded' where subscription_id = $1`,
        [queue.subscriptionId],
      );
    },
    expected: Array(4).fill('dead_lettered') as State['expected'],
  },
  {
    name: 'expired, and set aside by retention from among the deferred ones',
    reach: async (queue) => {
      await expire(queue);
      await bench.letTimePass(8 * 86_400);
      await engine.retain();
    },
    expected: ['acknowledged_late', 'dead_lettered', 'dead_lettered', 'dead_lettered'],
  },
  {
    name: 'expired and handed out again',
    reach: async (queue) => {
      await expire(queue);
      await queue.receiveOne();
    },
    expected: Array(4).fill('superseded') as State['expected'],
  },
  {
    name: 'expired, handed out again and expired again',
    reach: async (queue) => {
      await expire(queue);
      await queue.receiveOne();
      await expire(queue);
    },
    expected: Array(4).fill('superseded') as State['expected'],
  },
  {
    name: 'expired, handed out again and acknowledged with that receipt',
    reach: async (queue) => {
      await expire(queue);
      await queue.acknowledge(await queue.receiveOne());
    },
    expected: Array(4).fill('superseded') as State['expected'],
  },
  {
    name: 'expired, handed out again and set aside with that receipt',
    reach: async (queue) => {
      await expire(queue);
      await queue.reject(await queue.receiveOne());
    },
    expected: Array(4).fill('superseded') as State['expected'],
  },
  {
    name: 'acknowledged late with it',
    reach: async (queue, old) => {
      await expire(queue);
      await queue.acknowledge(old);
    },
    expected: Array(4).fill('already_acknowledged') as State['expected'],
  },
  {
    name: 'sought past: another generation began',
    reach: async (queue) => {
      await expire(queue);
      await beginGeneration(queue);
    },
    expected: Array(4).fill('gone') as State['expected'],
  },
  {
    name: 'purged: nothing says what became of it',
    reach: (queue) => bench.rows('delete from willcall.lease where subscription_id = $1', [queue.subscriptionId]),
    expected: Array(4).fill('gone') as State['expected'],
  },
  {
    name: 'of a delivery whose record was pruned',
    reach: async (queue) => {
      await expire(queue);
      await queue.receiveOne();
      const oldest = 'delete from willcall.delivery where subscription_id = $1 and delivery_no <= 2';
      await bench.rows(oldest, [queue.subscriptionId]);
    },
    expected: Array(4).fill('gone') as State['expected'],
  },
];

/** As a seek back to the beginning leaves it. */
async function beginGeneration(queue: Queue): Promise<void> {
  await bench.rows(
    `insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, generation, kind, principal)
     select topic_id, subscription_id, max(delivery_no) + 1, 0, clock_timestamp(), 2, 'seek', 'op'
     from willcall.delivery where subscription_id = $1 group by topic_id, subscription_id`,
    [queue.subscriptionId],
  );
  await bench.rows('delete from willcall.deferred where subscription_id = $1', [queue.subscriptionId]);
}

describe.each(settleVerbs)('%s of a receipt', (verb) => {
  it.each(states)('whose message is $name', async ({ settings, reach, expected }) => {
    const queue = await createQueue(engine, settings);
    const [id] = await queue.publish('a');
    const { receipt } = await queue.receiveOne({ maxMessages: 1 });
    await reach(queue, receipt);
    const answer = await settle(queue, verb, receipt);
    expect(outcomesOf(answer)).toEqual([expected[settleVerbs.indexOf(verb)]]);
    // An answer that names nothing is of no use to whoever asks: the record of the delivery says
    // which message it was.
    if (outcomesOf(answer)[0] !== 'gone') expect(answer.results[0]?.messageId).toBe(id);
    expect(answer.failed).toBe(okFor[verb].includes(outcomesOf(answer)[0] ?? '') ? 0 : 1);
  });

  it("that is not one, is another subscription's, or was tampered with", async () => {
    const [queue, other] = [await createQueue(engine), await createQueue(engine)];
    await queue.publish('a', 'b');
    await other.publish('a');
    const [own] = await queue.receive({ maxMessages: 1 });
    const parts = parseReceipt(own?.receipt ?? '');
    if (parts === null) throw new Error('no receipt');
    const { receipt: foreign } = await other.receiveOne();
    const forged = [
      'no receipt',
      '',
      foreign,
      formatReceipt({ ...parts, nonce: parts.nonce ^ 1n }),
      formatReceipt({ ...parts, sequence: 2 }),
      formatReceipt({ ...parts, deliveryNo: parts.deliveryNo + 1 }),
      // The first row of a subscription's log is no delivery.
      formatReceipt({ ...parts, deliveryNo: 1, nonce: 0n }),
      formatReceipt({ ...parts, deliveryNo: Number.MAX_SAFE_INTEGER }),
      formatReceipt({ ...parts, topicId: parts.topicId + 1 }),
    ];
    for (const receipt of forged) {
      const { results, failed } = await settle(queue, verb, receipt);
      expect(results).toEqual([
        {
          receipt,
          topic: queue.name,
          subscription: queue.name,
          messageId: null,
          outcome: 'invalid_receipt',
          ackNo: null,
          acknowledgedAt: null,
          reference: null,
          referenceDiffers: false,
          visibleUntil: null,
        },
      ]);
      expect(failed).toBe(1);
    }
    // None of it touched what is in flight.
    expect(outcomesOf(await settle(queue, verb, own?.receipt ?? ''))).toEqual([
      states[0]?.expected[settleVerbs.indexOf(verb)],
    ]);
  });

  it('says the same when it is repeated', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    const first = await settle(queue, verb, receipt);
    const second = await settle(queue, verb, receipt);
    if (verb === 'extend') {
      expect(outcomesOf(second)).toEqual(['extended']);
      return;
    }
    expect(second.failed).toBe(0);
    expect(second.results).toEqual([{ ...first.results[0], outcome: `already_${first.results[0]?.outcome}` }]);
    expect(await settle(queue, verb, receipt)).toEqual(second);
  });
});

const okFor: Record<SettleVerb, string[]> = {
  acknowledge: ['acknowledged', 'acknowledged_late', 'already_acknowledged'],
  release: ['released', 'already_released'],
  extend: ['extended'],
  reject: ['rejected', 'already_rejected'],
};

it('knows no outcome that no state leads to', () => {
  const reached = new Set([...states.flatMap(({ expected }) => expected), 'invalid_receipt', 'not_done']);
  expect([...reached].sort()).toEqual([...outcomes].sort());
});
