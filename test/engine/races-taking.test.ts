// Races for a message between a receive and what would take it elsewhere: a late acknowledgment,
// and retention. Where a statement has to be caught half-way, an unfinished row of the owner's
// stands in its way.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomesOf, type Queue } from '../support/calls.ts';
import { createRaceBench, type RaceBench, recordsOf } from '../support/race.ts';

let bench: RaceBench;
beforeAll(async () => {
  bench = await createRaceBench();
});
afterAll(() => bench.stop());
beforeEach(() => bench.owner.letGo());

const sequencesOf = (messages: readonly { sequence: number }[]) => messages.map(({ sequence }) => sequence);
const bodies = (count: number) => Array.from({ length: count }, (_, i) => `message ${i + 1}`);

describe('late ack against a receive that takes the deferred message', () => {
  /** A message whose only lease is over, deferred and due, and its receipt. */
  async function deferredAndDue(count = 1) {
    const { local, remote } = await bench.openQueue({ minBackoffSeconds: 0 });
    await local.publish(...bodies(count));
    const receipts = (await local.receive()).map(({ receipt }) => receipt);
    await bench.lapse(local);
    await bench.there.sweep();
    return { local, remote, receipts, receipt: receipts[0] ?? '' };
  }

  /** The key that the receive needs next is taken, once it has locked its messages. */
  const obstructDeliveries = ({ topicId, subscriptionId }: Queue, deliveryNo: number) =>
    bench.owner.obstruct(
      `insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, generation, kind, principal)
       values ($1, $2, $3, 0, clock_timestamp(), 1, 'skip', 'nobody')`,
      [topicId, subscriptionId, deliveryNo],
    );

  /**
   * The key that the signature needs is taken, once it has taken the message from the deferred
   * ones.
   */
  const obstructLedger = ({ topicId, subscriptionId }: Queue) =>
    bench.owner.obstruct(
      `insert into willcall.acknowledgment (
         topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
         attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, published_by
       )
       values ($1, $2, 99, 1, 1, now(), now(), now(), 1, 1, 0, false, '', sha256(''), 'nobody', 'p')`,
      [topicId, subscriptionId],
    );

  const expired = { seq: 1, attempt: 1, ended: 'expired', errorCode: null };

  it('is superseded when the receive came first', async () => {
    const { local, remote, receipt } = await deferredAndDue();
    await obstructDeliveries(local, 3);
    const receiving = remote.receive();
    await bench.owner.seeWaiting(1);
    const acknowledging = local.acknowledge(receipt);
    await bench.owner.seeWaiting(2);
    await bench.owner.letGo();
    expect(sequencesOf(await receiving)).toEqual([1]);
    expect(outcomesOf(await acknowledging)).toEqual(['superseded']);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      ledger: [],
      leases: [{ outstanding: [1], attempt: 2, failures: 1 }],
      deferred: [],
      failures: [expired],
    });
  });

  it('signs when it came first, and the receive passes the message over', async () => {
    const { local, remote, receipt } = await deferredAndDue();
    await obstructLedger(local);
    const acknowledging = local.acknowledge(receipt);
    await bench.owner.seeWaiting(1);
    expect(await remote.receive()).toEqual([]);
    await bench.owner.letGo();
    expect(outcomesOf(await acknowledging)).toEqual(['acknowledged_late']);
    expect(await remote.receive()).toEqual([]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      ledger: [{ seq: 1, ackNo: 1, attempt: 1, late: true }],
      leases: [],
      deferred: [],
      failures: [expired],
    });
  });

  it('signs nothing of an atomic call when a receive takes one of its messages', async () => {
    const { local, remote, receipts } = await deferredAndDue(2);
    await obstructDeliveries(local, 3);
    const receiving = remote.receive({ maxMessages: 1 });
    await bench.owner.seeWaiting(1);
    const acknowledging = local.acknowledgeAtomically(...receipts);
    await bench.owner.seeWaiting(2);
    await bench.owner.letGo();
    const [taken] = sequencesOf(await receiving);
    expect(outcomesOf(await acknowledging)).toEqual(
      taken === 1 ? ['superseded', 'not_done'] : ['not_done', 'superseded'],
    );
    expect(await recordsOf(bench.database, local)).toMatchObject({
      ledger: [],
      leases: [{ outstanding: [taken] }],
      deferred: [{ seq: taken === 1 ? 2 : 1 }],
    });
  });
});

describe('retention against a receive', () => {
  /** Everything in the topic's log is older than it is kept. */
  async function age({ topicId }: Queue): Promise<void> {
    const older = `update willcall.message set published_at = published_at - interval '8 days' where topic_id = $1`;
    await bench.owner.rows(older, [topicId]);
  }

  it('takes nothing that the receive has just leased', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish(...bodies(2));
    await age(local);
    const [received] = await bench.race(
      'receive',
      local.subscriptionId,
      () => local.receive({ maxMessages: 1 }),
      () => bench.there.retain(),
    );
    expect(sequencesOf(received)).toEqual([1]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      log: [1, 2],
      deliveries: [{ kind: 'start' }, { kind: 'deliver', handed: [1] }, { kind: 'expire', handed: [2] }],
      leases: [{ outstanding: [1] }],
      deadLetters: [{ seq: 2, reason: 'expired', closed: false }],
    });
    expect(outcomesOf(await remote.acknowledge(received[0]?.receipt ?? ''))).toEqual(['acknowledged']);
  });

  it('records what it takes before the receive comes, which finds nothing', async () => {
    const { local } = await bench.openQueue();
    await local.publish(...bodies(2));
    await age(local);
    const [, received] = await bench.race(
      'receive',
      local.subscriptionId,
      () => bench.there.retain(),
      () => local.receive(),
    );
    expect(received).toEqual([]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      deliveries: [{ kind: 'start' }, { kind: 'expire', handed: [1, 2] }],
      leases: [],
      deadLetters: [{ seq: 1, reason: 'expired', closed: false }],
    });
  });

  it('either buries what waits for another attempt or leaves it to the receive', async () => {
    const released = { seq: 1, attempt: 1, ended: 'released', errorCode: null };
    const buried = await openReleased();
    const [, nothing] = await bench.race(
      'receive',
      buried.subscriptionId,
      () => bench.there.retain(),
      () => buried.receive(),
    );
    expect(nothing).toEqual([]);
    expect(await recordsOf(bench.database, buried)).toMatchObject({
      leases: [],
      deferred: [],
      failures: [released],
      deadLetters: [{ seq: 1, reason: 'retention', closed: false }],
    });

    const taken = await openReleased();
    const [again] = await bench.race(
      'receive',
      taken.subscriptionId,
      () => taken.receive(),
      () => bench.there.retain(),
    );
    expect(again).toMatchObject([{ sequence: 1, attempt: 2 }]);
    expect(await recordsOf(bench.database, taken)).toMatchObject({
      leases: [{ outstanding: [1], attempt: 2, failures: 0 }],
      deferred: [],
      failures: [released],
      deadLetters: [],
    });
  });

  async function openReleased(): Promise<Queue> {
    const { local } = await bench.openQueue();
    await local.publish('one');
    await local.release((await local.receiveOne()).receipt);
    await age(local);
    return local;
  }
});
