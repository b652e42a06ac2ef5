// Scans for what is due carry a floor. Another session holds a snapshot, so that dead rows stay
// where they were; thousands of them lie at the low end of each index. With the floor a scan
// touches a handful of pages, without it all of them: the second half of each test shows that the
// first half measures what it says.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueue, type Queue } from '../support/calls.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

const DEAD = 3000;
/**
 * Ten more, that go on living where a test wants it; in no order, so that each row is a page of its
 * own to visit.
 */
const SHUFFLED = `from generate_series(1, ${DEAD + 10}) n order by random()`;
/** Pages that one look may touch, whatever lies dead below its floor. */
const PAGES_MAX = 100;

let bench: StoreBench;
let engine: TestEngine;
let holder: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  queue = await createQueue(engine);
  await queue.publish('a', 'b');
  for (const table of [
    'lease',
    'deferred',
    'scheduled',
    'message',
    'delivery',
    'settled_mark',
    'failure',
    'acknowledgment',
  ]) {
    await bench.rows(`alter table willcall.${table} set (autovacuum_enabled = false)`);
  }
  holder = await bench.openSession();
  await holder.rows('begin isolation level repeatable read');
  await holder.rows('select pg_current_xact_id()');
});
afterAll(() => bench.stop());

/**
 * Inserts what the text says for n from 1 to DEAD, and deletes it again, seen by the holder's
 * snapshot.
 */
async function bury(insert: string, where: string): Promise<void> {
  const table = /into (\S+)/.exec(insert)?.[1];
  await bench.rows(insert, [queue.topicId, queue.subscriptionId]);
  await bench.rows(`delete from ${table} where topic_id = $1 and ${where}`, [queue.topicId]);
}

/** How many pages the statement touches, its plan made; what it does is undone. */
async function pagesOf(text: string, values: unknown[]): Promise<number> {
  const explain = `explain (analyze, buffers, timing off, summary off, format json) ${text}`;
  let pages = 0;
  for (let run = 1; run <= 2; run += 1) {
    await bench.rows('begin');
    const [{ Plan: plan }] = await bench.value<[{ Plan: Record<string, number> }]>(explain, values);
    await bench.rows('rollback');
    pages = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
  }
  return pages;
}

async function expectFloorToMatter(withFloor: [string, unknown[]], without: [string, unknown[]]): Promise<void> {
  expect(await pagesOf(...withFloor)).toBeLessThan(PAGES_MAX);
  expect(await pagesOf(...without)).toBeGreaterThan(DEAD * 0.9);
}

/**
 * Retention's look at one subscription; its floors are of delivery numbers, of marks and of the
 * ledger.
 */
const LOOK = `select * from willcall.due_retention(
  array[$1::integer], array[$2::integer], array[$3::bigint], array[$4::timestamptz], array[$5::bigint])`;
const lookOf = (
  { topicId, subscriptionId }: Queue,
  floors: { deliveries?: number; marks?: string; ledger?: number },
) => {
  const values = [topicId, subscriptionId, floors.deliveries ?? 0, floors.marks ?? '-infinity', floors.ledger ?? 0];
  return [LOOK, values] satisfies [string, unknown[]];
};

const MINUTE_AGO = () => new Date(Date.now() - 60_000);

describe('with thousands of dead leases under a held snapshot', () => {
  beforeAll(() =>
    bury(
      `insert into willcall.lease select $1, $2, 1000 + n, 0, 1, 0, now() - interval '1 hour' + n * interval '1 millisecond', '{[1,2)}'
       ${SHUFFLED}`,
      'delivery_no > 1000',
    ),
  );

  it('the look for leases that end walks over none of them', async () => {
    const look = 'select * from willcall.due_leases($1, now(), 1000)';
    await expectFloorToMatter([look, [MINUTE_AGO()]], [look, ['-infinity']]);
  });

  it('counting what is in flight walks over none of them', async () => {
    await bench.rows('update willcall.subscription set max_in_flight = 10 where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    const receive = await receiveText('-infinity', '$3');
    const values = [queue.topicId, queue.subscriptionId];
    await expectFloorToMatter([receive, [...values, 10_000]], [receive, [...values, 0]]);
    await bench.rows('update willcall.subscription set max_in_flight = null where subscription_id = $1', [
      queue.subscriptionId,
    ]);
  });

  it('the look whether a mark is due walks over none of them', async () => {
    const markFrom = (leaseFloor: number) =>
      bench.rows(
        `update willcall.settled_mark set lease_floor = $2, marked_at = now() - interval '1 hour' where subscription_id = $1`,
        [queue.subscriptionId, leaseFloor],
      );
    await markFrom(10_000);
    expect(await pagesOf(...lookOf(queue, {}))).toBeLessThan(PAGES_MAX);
    await markFrom(0);
    expect(await pagesOf(...lookOf(queue, {}))).toBeGreaterThan(DEAD * 0.9);
    await markFrom(10_000);
  });
});

describe('with thousands of dead deferred messages under a held snapshot', () => {
  beforeAll(() =>
    bury(
      `insert into willcall.deferred select $1, $2, 1000 + n, now() - interval '1 hour' + n * interval '1 millisecond', 1, 1 ${SHUFFLED}`,
      'seq > 1000',
    ),
  );

  it('the look for those that are due walks over none of them', async () => {
    const look = 'select * from willcall.due_deferred($1, now(), 1000)';
    await expectFloorToMatter([look, [MINUTE_AGO()]], [look, ['-infinity']]);
  });

  it('a receive walks over none of them', async () => {
    const receive = await receiveText('$3::timestamptz', '0');
    const values = [queue.topicId, queue.subscriptionId];
    await expectFloorToMatter([receive, [...values, MINUTE_AGO()]], [receive, [...values, '-infinity']]);
  });

  it('the safety poll walks over none of them', async () => {
    const poll = 'select * from willcall.receivable(array[$1::integer], array[$2::integer], $3)';
    // All that is fresh has been handed out, so that the poll has to look among the deferred ones.
    await bench.rows('update willcall.delivery set head = 2 where subscription_id = $1', [queue.subscriptionId]);
    const values = [queue.topicId, queue.subscriptionId];
    await expectFloorToMatter([poll, [...values, MINUTE_AGO()]], [poll, [...values, '-infinity']]);
    await bench.rows('update willcall.delivery set head = 0 where subscription_id = $1', [queue.subscriptionId]);
  });

  it('the look for what to bury begins above what is settled', async () => {
    const retain = 'select * from willcall.retain_subscription($1, $2, null, 100)';
    const settleUpTo = (seq: number) =>
      bench.rows('update willcall.settled_mark set settled_seq = $2 where subscription_id = $1', [
        queue.subscriptionId,
        seq,
      ]);
    const key = [queue.topicId, queue.subscriptionId];
    await settleUpTo(100_000);
    expect(await pagesOf(retain, key)).toBeLessThan(PAGES_MAX);
    expect(await pagesOf(...lookOf(queue, {}))).toBeLessThan(PAGES_MAX);
    await settleUpTo(0);
    expect(await pagesOf(retain, key)).toBeGreaterThan(DEAD * 0.9);
    expect(await pagesOf(...lookOf(queue, {}))).toBeGreaterThan(DEAD * 0.9);
  });
});

describe('with thousands of dead delayed messages under a held snapshot', () => {
  beforeAll(() =>
    bury(
      `insert into willcall.scheduled (topic_id, scheduled_no, deliver_at, requested_at, message_id, published_by, body)
       select $1, $2 * 0 + 1000 + n, now() - interval '1 hour' + n * interval '1 millisecond', now(), '\\x02', 'p', 'x' ${SHUFFLED}`,
      'scheduled_no > 1000',
    ),
  );

  it('the look for those that are due walks over none of them', async () => {
    const look = 'select * from willcall.due_scheduled($1, now(), 1000)';
    await expectFloorToMatter([look, [MINUTE_AGO()]], [look, ['-infinity']]);
  });
});

describe('with thousands of pruned rows under a held snapshot', () => {
  let pruned: Queue;

  beforeAll(async () => {
    pruned = await createQueue(engine);
    await bench.rows(
      `insert into willcall.message (topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, body)
       select $1, n, now(), 1, '\\x01', sha256('x'), 'p', 'x' ${SHUFFLED}`,
      [pruned.topicId],
    );
    await bench.rows(
      `insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, handed)
       select $1, $2, 1 + n, n, now(), 1, 1, 'deliver', 'p', '{}' ${SHUFFLED}`,
      [pruned.topicId, pruned.subscriptionId],
    );
    // All of it is settled, and has been for long, so that a step looks for what to drop at all.
    await bench.rows(
      `update willcall.settled_mark set marked_at = now() - interval '1 year', settled_seq = $2, lease_floor = $2
       where subscription_id = $1`,
      [pruned.subscriptionId, DEAD + 5],
    );
    await bench.rows(`delete from willcall.message where topic_id = $1 and seq <= ${DEAD}`, [pruned.topicId]);
    await bench.rows(`delete from willcall.delivery where subscription_id = $1 and delivery_no <= ${DEAD}`, [
      pruned.subscriptionId,
    ]);
  });

  it('the next step of pruning a log begins where the last one ended', async () => {
    const prune = 'select * from willcall.prune_topic($1, $2, 10)';
    await expectFloorToMatter([prune, [pruned.topicId, DEAD]], [prune, [pruned.topicId, null]]);
  });

  it('the next step of pruning a delivery log begins where the last one ended', async () => {
    const retain = 'select * from willcall.retain_subscription($1, $2, $3, 10)';
    const values = [pruned.topicId, pruned.subscriptionId];
    await expectFloorToMatter([retain, [...values, DEAD]], [retain, [...values, null]]);
  });

  it('the look for logs to prune begins where the last step ended', async () => {
    const look = 'select * from willcall.due_pruning(array[$1::integer], array[$2::bigint])';
    await expectFloorToMatter([look, [pruned.topicId, DEAD]], [look, [pruned.topicId, 0]]);
  });

  it('the look for delivery records to drop begins where the last step ended', async () => {
    await expectFloorToMatter(lookOf(pruned, { deliveries: DEAD }), lookOf(pruned, {}));
  });

  it('the look tells the next one where to begin', async () => {
    const [due] = await bench.rows<{ delivery_floor: number }>(...lookOf(pruned, {}));
    expect(due?.delivery_floor).toBe(DEAD);
    const look = 'select floor from willcall.due_pruning(array[$1::integer], array[0::bigint])';
    expect(await bench.value(look, [pruned.topicId])).toBe(DEAD);
  });
});

describe('with thousands of dead marks and ledger rows under a held snapshot', () => {
  let signed: Queue;

  beforeAll(async () => {
    signed = await createQueue(engine);
    await bench.rows(
      `insert into willcall.settled_mark
       select $1, $2, now() - interval '1 year' + n * interval '1 minute', 0, 2 ${SHUFFLED}`,
      [signed.topicId, signed.subscriptionId],
    );
    await bench.rows(
      `insert into willcall.acknowledgment (topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at,
         acknowledged_at, generation, attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, published_by)
       select $1, $2, n, n, 2, now(), now(), now(), 1, 1, 1, false, '\\x01', sha256('x'), 'p', 'p' ${SHUFFLED}`,
      [signed.topicId, signed.subscriptionId],
    );
    await bench.rows(
      `delete from willcall.settled_mark where subscription_id = $1 and marked_at < now() - interval '1 day'`,
      [signed.subscriptionId],
    );
    await bench.rows(`delete from willcall.acknowledgment where subscription_id = $1 and ack_no <= ${DEAD}`, [
      signed.subscriptionId,
    ]);
  });

  it('the look for marks to drop begins where the last one found the eldest', async () => {
    await expectFloorToMatter(lookOf(signed, { marks: 'yesterday' }), lookOf(signed, {}));
  });

  it('the look for ledger rows that are past the policy begins where the last one found the first', async () => {
    await bench.rows('update willcall.ledger_policy set retention_seconds = 60');
    const known = { marks: 'yesterday' };
    await expectFloorToMatter(lookOf(signed, { ...known, ledger: DEAD }), lookOf(signed, known));
    await bench.rows('update willcall.ledger_policy set retention_seconds = null');
  });
});

/**
 * One waiter's receive of the queue, with the arguments by their names: topic $1, subscription $2.
 */
async function receiveText(deferredFloor: string, leaseFloor: string): Promise<string> {
  return `select * from willcall.receive(
    _topic_id => $1, _subscription_id => $2, _wait => true, _deferred_floor => ${deferredFloor.startsWith('$') ? deferredFloor : `'${deferredFloor}'`},
    _lease_floor => ${leaseFloor}, _first => 1, _last => 1, _max_messages => '{10}', _max_bytes => '{1000}',
    _visibility_timeout_seconds => '{30}', _nonces => '{7}', _principals => '{p}', _bytes_max => 1000, _receive_keys => null)`;
}
