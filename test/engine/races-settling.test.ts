// Races between verbs that settle, each in both orders: two calls wait for the subscription's
// settle lock, which the owner holds until both are seen waiting, and get it in the order of
// asking. What either order may leave behind is written out.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SettleAnswer } from '../../src/domain/settling.ts';
import type { SubscriptionChanges } from '../../src/engine/subscriptions.ts';
import { outcomesOf, type Queue } from '../support/calls.ts';
import type { TestEngine } from '../support/engine.ts';
import { recordsOf as allRecordsOf, createRaceBench, type RaceBench } from '../support/race.ts';

let bench: RaceBench;
let here: TestEngine;
let there: TestEngine;

beforeAll(async () => {
  bench = await createRaceBench();
  ({ here, there } = bench);
});
afterAll(() => bench.stop());
// A test that failed half-way leaves nothing in the way of the next.
beforeEach(() => bench.owner.letGo());

/** A queue with so many messages in flight, seen from both instances, and their receipts. */
async function inFlight(count: number, settings: SubscriptionChanges = {}) {
  const { local, remote } = await bench.openQueue({ minBackoffSeconds: 60, ...settings });
  await local.publish(...Array.from({ length: count }, (_, i) => `message ${i + 1}`));
  const receipts = (await local.receive({ maxMessages: count })).map(({ receipt }) => receipt);
  return { local, remote, receipts, receipt: receipts[0] ?? '' };
}

/** Lets both calls wait for the settle lock, in this order, and then go. */
function race<First, Second>(queue: Queue, first: () => Promise<First>, second: () => Promise<Second>) {
  return bench.race('settle', queue.subscriptionId, first, second);
}

/** Settling touches neither log nor deliveries. */
async function recordsOf(queue: Queue) {
  const { log: _, deliveries: __, ...records } = await allRecordsOf(bench.database, queue);
  return records;
}

const nothing = { ledger: [], leases: [], deferred: [], failures: [], deadLetters: [] };
const signed = { seq: 1, ackNo: 1, attempt: 1, late: false };
const expired = { seq: 1, attempt: 1, ended: 'expired', errorCode: null };
const waiting = { seq: 1, attempt: 1, failures: 1 };

describe('ack against expiry', () => {
  it('is late when it comes first, and leaves nothing to expire', async () => {
    const { local, receipt } = await inFlight(1);
    await bench.lapse(local);
    const [answer, swept] = await race(
      local,
      () => local.acknowledge(receipt),
      () => there.sweep(),
    );
    expect(outcomesOf(answer)).toEqual(['acknowledged_late']);
    expect(swept).toMatchObject({ ended: 0, dead: 0 });
    expect(await recordsOf(local)).toEqual({ ...nothing, ledger: [{ ...signed, late: true }] });
  });

  it('is late when it comes second, and takes the message from those that wait', async () => {
    const { local, receipt } = await inFlight(1);
    await bench.lapse(local);
    const [swept, answer] = await race(
      local,
      () => there.sweep(),
      () => local.acknowledge(receipt),
    );
    expect(swept).toMatchObject({ ended: 1, dead: 0 });
    expect(outcomesOf(answer)).toEqual(['acknowledged_late']);
    expect(await recordsOf(local)).toEqual({ ...nothing, ledger: [{ ...signed, late: true }], failures: [expired] });
  });

  it('is late when the expiry was the last one, and closes the dead letter', async () => {
    const { local, receipt } = await inFlight(1, { maxAttempts: 1 });
    await bench.lapse(local);
    const [swept, answer] = await race(
      local,
      () => there.sweep(),
      () => local.acknowledge(receipt),
    );
    expect(swept).toMatchObject({ ended: 1, dead: 1 });
    expect(outcomesOf(answer)).toEqual(['acknowledged_late']);
    expect(await recordsOf(local)).toEqual({
      ...nothing,
      ledger: [{ ...signed, late: true }],
      failures: [expired],
      deadLetters: [{ seq: 1, reason: 'max_attempts', closed: true }],
    });
  });

  it('expires each lease once when two instances sweep', async () => {
    const { local, receipt } = await inFlight(1);
    await bench.lapse(local);
    const [first, second] = await race(
      local,
      () => here.sweep(),
      () => there.sweep(),
    );
    expect([first.ended, second.ended]).toEqual([1, 0]);
    expect(outcomesOf(await local.acknowledge(receipt))).toEqual(['acknowledged_late']);
  });
});

describe('ack against ack of the same receipt', () => {
  it.each(['here', 'there'])(
    'signs once when the first comes from %s; the other is told of the same record',
    async (from) => {
      const { local, remote, receipt } = await inFlight(1);
      const [one, two] = from === 'here' ? [local, remote] : [remote, local];
      const [first, second] = await race(
        local,
        () => one.acknowledge({ receipt, reference: 'first' }),
        () => two.acknowledge({ receipt, reference: 'second' }),
      );
      expect(outcomesOf(first)).toEqual(['acknowledged']);
      expect(outcomesOf(second)).toEqual(['already_acknowledged']);
      expect(record(second)).toEqual(record(first));
      expect(await recordsOf(local)).toEqual({ ...nothing, ledger: [signed] });
      const [{ reference }] = (await bench.owner.rows<{ reference: string }>(
        'select reference from willcall.acknowledgment where subscription_id = $1',
        [local.subscriptionId],
      )) as [{ reference: string }];
      expect(reference).toBe('first');
    },
  );

  it('signs each once when two calls share some of their receipts', async () => {
    const { local, remote, receipts } = await inFlight(4);
    const [first, second] = await race(
      local,
      () => local.acknowledge(...receipts.slice(0, 3)),
      () => remote.acknowledge(...receipts.slice(1)),
    );
    expect(outcomesOf(first)).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
    expect(outcomesOf(second)).toEqual(['already_acknowledged', 'already_acknowledged', 'acknowledged']);
    const { ledger, leases } = await recordsOf(local);
    expect(ledger.map(({ seq, ackNo }) => [seq, ackNo])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    expect(leases).toEqual([]);
  });

  it('does nothing of an atomic call when another one was quicker with a message that was given back', async () => {
    const { local, remote, receipts } = await inFlight(2);
    const [released, refused] = await race(
      local,
      () => remote.release(receipts[1] ?? ''),
      () => local.acknowledgeAtomically(...receipts),
    );
    expect(outcomesOf(released)).toEqual(['released']);
    expect(outcomesOf(refused)).toEqual(['not_done', 'already_released']);
    expect(refused).toMatchObject({ failed: 2, refused: true });
    expect(await recordsOf(local)).toMatchObject({ ledger: [], leases: [{ outstanding: [1] }] });
  });
});

describe('extend against expiry', () => {
  const ended = { ...nothing, deferred: [waiting], failures: [expired] };

  it('comes too late when the time is over, whether or not the expiry is done', async () => {
    const before = await inFlight(1);
    await bench.lapse(before.local);
    const [gone, swept] = await race(
      before.local,
      () => before.local.extend([before.receipt], 60),
      () => there.sweep(),
    );
    expect([outcomesOf(gone), swept.ended]).toEqual([['gone'], 1]);
    expect(await recordsOf(before.local)).toEqual(ended);

    const after = await inFlight(1);
    await bench.lapse(after.local);
    const [sweptFirst, goneToo] = await race(
      after.local,
      () => there.sweep(),
      () => after.local.extend([after.receipt], 60),
    );
    expect([sweptFirst.ended, outcomesOf(goneToo)]).toEqual([1, ['gone']]);
    expect(await recordsOf(after.local)).toEqual(ended);
  });

  it('holds when it began in time, although the sweep has seen the lease end meanwhile', async () => {
    const { local, receipt } = await inFlight(1);
    const lease = 'select from willcall.lease where subscription_id = $1 for update';
    await bench.owner.rows(
      `update willcall.lease set expires_at = clock_timestamp() + interval '1 second' where subscription_id = $1`,
      [local.subscriptionId],
    );
    // It has the settle lock and found the lease live; its update waits for the row.
    await bench.owner.obstruct(lease, [local.subscriptionId]);
    const extending = local.extend([receipt], 60);
    await bench.owner.seeWaiting(1);
    await bench.owner.see(
      'select bool_and(expires_at <= clock_timestamp()) from willcall.lease where subscription_id = $1',
      [local.subscriptionId],
    );
    const sweeping = there.sweep();
    await bench.owner.seeWaiting(2);
    await bench.owner.letGo();
    expect(outcomesOf(await extending)).toEqual(['extended']);
    expect(await sweeping).toMatchObject({ ended: 0 });
    expect(await recordsOf(local)).toEqual({ ...nothing, leases: [{ outstanding: [1], attempt: 1, failures: 0 }] });
    expect(outcomesOf(await local.acknowledge(receipt))).toEqual(['acknowledged']);
  });
});

describe('extend of a part against ack', () => {
  it('splits the lease first: what is acknowledged leaves either part', async () => {
    const { local, remote, receipts } = await inFlight(4);
    const [extended, acknowledged] = await race(
      local,
      () => local.extend(receipts.slice(0, 2), 600),
      () => remote.acknowledge(...receipts.slice(1, 3)),
    );
    expect(outcomesOf(extended)).toEqual(['extended', 'extended']);
    expect(outcomesOf(acknowledged)).toEqual(['acknowledged', 'acknowledged']);
    expect(await recordsOf(local)).toMatchObject({
      ledger: [
        { seq: 2, ackNo: 1 },
        { seq: 3, ackNo: 2 },
      ],
      leases: [{ outstanding: [4] }, { outstanding: [1] }],
    });
    await lapseAllBut(local, 1);
    await here.sweep();
    expect(await recordsOf(local)).toMatchObject({ leases: [{ outstanding: [1] }], deferred: [{ seq: 4 }] });
  });

  it('comes second: only what is still out is extended', async () => {
    const { local, remote, receipts } = await inFlight(4);
    const [acknowledged, extended] = await race(
      local,
      () => remote.acknowledge(...receipts.slice(1, 3)),
      () => local.extend(receipts.slice(0, 2), 600),
    );
    expect(outcomesOf(acknowledged)).toEqual(['acknowledged', 'acknowledged']);
    expect(outcomesOf(extended)).toEqual(['extended', 'already_acknowledged']);
    expect(await recordsOf(local)).toMatchObject({
      ledger: [
        { seq: 2, ackNo: 1 },
        { seq: 3, ackNo: 2 },
      ],
      leases: [{ outstanding: [4] }, { outstanding: [1] }],
      failures: [],
    });
  });

  /** The time is over of all but this message, which was extended. */
  async function lapseAllBut({ subscriptionId }: Queue, seq: number): Promise<void> {
    await bench.owner.rows(
      `update willcall.lease
       set expires_at = clock_timestamp()
       where subscription_id = $1 and not outstanding @> $2::bigint`,
      [subscriptionId, seq],
    );
  }
});

describe('release against ack', () => {
  const error = { code: 'broken', message: null };

  it.each([
    { kind: 'without an error', fields: {}, failures: 0, errorCode: null },
    { kind: 'with an error', fields: { error }, failures: 1, errorCode: 'broken' },
  ])('$kind: who comes first decides', async ({ fields, failures, errorCode }) => {
    const given = await inFlight(1);
    const [released, refused] = await race(
      given.local,
      () => given.local.release(given.receipt, fields),
      () => given.remote.acknowledge(given.receipt),
    );
    expect([outcomesOf(released), outcomesOf(refused)]).toEqual([['released'], ['already_released']]);
    expect(await recordsOf(given.local)).toEqual({
      ...nothing,
      deferred: [{ ...waiting, failures }],
      failures: [{ ...expired, ended: 'released', errorCode }],
    });

    const kept = await inFlight(1);
    const [acknowledged, tooLate] = await race(
      kept.local,
      () => kept.remote.acknowledge(kept.receipt),
      () => kept.local.release(kept.receipt, fields),
    );
    expect([outcomesOf(acknowledged), outcomesOf(tooLate)]).toEqual([['acknowledged'], ['already_acknowledged']]);
    expect(await recordsOf(kept.local)).toEqual({ ...nothing, ledger: [signed] });
  });

  it('stays released, however often it is asked, also after somebody else acknowledged the message', async () => {
    const { local, remote, receipt } = await inFlight(1);
    await local.release(receipt);
    expect(outcomesOf(await local.release(receipt))).toEqual(['already_released']);
    const again = await remote.receiveOne();
    expect(outcomesOf(await local.release(receipt))).toEqual(['already_released']);
    await remote.acknowledge(again.receipt);
    expect(outcomesOf(await local.release(receipt))).toEqual(['already_released']);
    expect(outcomesOf(await local.acknowledge(receipt))).toEqual(['already_released']);
  });
});

describe('reject against ack', () => {
  it('quarantines or signs, never both', async () => {
    const given = await inFlight(1);
    const [rejected, refused] = await race(
      given.local,
      () => given.local.reject(given.receipt),
      () => given.remote.acknowledge(given.receipt),
    );
    expect([outcomesOf(rejected), outcomesOf(refused)]).toEqual([['rejected'], ['already_rejected']]);
    expect(await recordsOf(given.local)).toEqual({
      ...nothing,
      failures: [{ ...expired, ended: 'rejected' }],
      deadLetters: [{ seq: 1, reason: 'rejected', closed: false }],
    });

    const kept = await inFlight(1);
    const [acknowledged, tooLate] = await race(
      kept.local,
      () => kept.remote.acknowledge(kept.receipt),
      () => kept.local.reject(kept.receipt),
    );
    expect([outcomesOf(acknowledged), outcomesOf(tooLate)]).toEqual([['acknowledged'], ['already_acknowledged']]);
    expect(await recordsOf(kept.local)).toEqual({ ...nothing, ledger: [signed] });
  });
});

function record({ results: [result] }: SettleAnswer) {
  return { ackNo: result?.ackNo, acknowledgedAt: result?.acknowledgedAt, messageId: result?.messageId };
}
