// The ledger against the service itself: what the runtime role may do to it, and how the owner
// alone lets rows go.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, createQueue, type Queue } from '../support/calls.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

const DAY = 86_400;

let bench: StoreBench;
let engine: TestEngine;
let runtime: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  runtime = await bench.openSession();
  await runtime.rows('set role willcall_runtime');
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.rows('update willcall.ledger_policy set retention_seconds = null');
  queue = await createQueue(engine);
});

/** Signs for so many, a day apart; the newest now. */
async function signDaily(count: number): Promise<void> {
  await queue.publish(...Array.from({ length: count }, (_, i) => `${i}`));
  await queue.acknowledge(...(await queue.receive({ maxMessages: count })).map(({ receipt }) => receipt));
  await bench.rows(
    `update willcall.acknowledgment set acknowledged_at = now() - ($2 - ack_no) * interval '1 day' where subscription_id = $1`,
    [queue.subscriptionId, count],
  );
}

async function numbers(): Promise<number[]> {
  const { acknowledgments } = await engine.listAcknowledgments({ subscription: queue.name, limit: 1000 });
  return acknowledgments.map(({ ackNo }) => ackNo);
}

const keep = (seconds: number) => bench.rows('update willcall.ledger_policy set retention_seconds = $1', [seconds]);

describe('the runtime role', () => {
  it.each([
    ['change a row of the ledger', `update willcall.acknowledgment set acknowledged_by = 'x'`],
    [
      'change it by insert',
      `insert into willcall.acknowledgment select * from willcall.acknowledgment
       on conflict on constraint acknowledgment_key do update set acknowledged_by = 'x'`,
    ],
    ['delete a row of the ledger', 'delete from willcall.acknowledgment'],
    ['empty the ledger', 'truncate willcall.acknowledgment'],
    ['put a trigger on the ledger', 'create trigger t before insert on willcall.acknowledgment execute function now()'],
    ['alter the ledger', 'alter table willcall.acknowledgment drop constraint acknowledgment_once'],
    ['drop the ledger', 'drop table willcall.acknowledgment'],
    ['say how long the ledger is kept', 'update willcall.ledger_policy set retention_seconds = 1'],
    [
      'replace what prunes the ledger',
      `create or replace function willcall.prune_ledger(_topic_id integer, _subscription_id integer,
       _limit integer) returns bigint language sql as 'select 0::bigint'`,
    ],
    ['alter what prunes the ledger', 'alter function willcall.prune_ledger security invoker'],
    [
      'hide what it calls behind its own schema',
      'create function willcall.now() returns timestamptz language sql as $$ select null $$',
    ],
  ])('may not %s', async (_, text) => {
    await signDaily(1);
    await expect(runtime.rows(text)).rejects.toMatchObject({ code: '42501' });
    expect(await numbers()).toEqual([1]);
  });

  it('may read it and append to it', async () => {
    await signDaily(1);
    const count = 'select count(*) from willcall.acknowledgment where subscription_id = $1';
    expect(await runtime.value(count, [queue.subscriptionId])).toBe(1);
    await runtime.rows(
      `insert into willcall.acknowledgment
       select topic_id, subscription_id, 2, seq + 1, delivery_no, published_at, delivered_at, acknowledged_at, generation,
         attempt, body_bytes, revision, late, message_id, body_sha256, acknowledged_by, reference, published_by,
          key_id, reference_salt
       from willcall.acknowledgment where subscription_id = $1`,
      [queue.subscriptionId],
    );
    expect(await numbers()).toEqual([1, 2]);
  });

  it('cannot sign for a message twice in one generation', async () => {
    await signDaily(1);
    const again = `insert into willcall.acknowledgment
      select topic_id, subscription_id, 2, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
        attempt, body_bytes, revision, late, message_id, body_sha256, acknowledged_by, reference, published_by,
          key_id, reference_salt
      from willcall.acknowledgment where subscription_id = $1`;
    const refused = { code: '23505', constraint: 'acknowledgment_once' };
    await expect(runtime.rows(again, [queue.subscriptionId])).rejects.toMatchObject(refused);
  });

  it.each([
    ['a number beyond what JSON carries', '9007199254740992', 'acknowledged_at', 'acknowledgment_no_in_range'],
    ['a time without end', '2', `'infinity'::timestamptz`, 'acknowledgment_times_in_range'],
    ['a time before 1970', '2', `'1969-12-31Z'::timestamptz`, 'acknowledgment_times_in_range'],
  ])('cannot write %s', async (_what, number, time, constraint) => {
    await signDaily(1);
    const forged = `insert into willcall.acknowledgment
      select topic_id, subscription_id, ${number}, seq + 1, delivery_no, published_at, delivered_at, ${time}, generation,
        attempt, body_bytes, revision, late, message_id, body_sha256, acknowledged_by, reference, published_by
      from willcall.acknowledgment where subscription_id = $1`;
    await expect(runtime.rows(forged, [queue.subscriptionId])).rejects.toMatchObject({ code: '23514', constraint });
  });

  it('is what the service works as', async () => {
    await queue.receive();
    const role = `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'willcall'`;
    expect(await bench.value(role)).toBeGreaterThan(0);
    const [ledger] = await bench.store.subscriptions.findLedgers(queue.name);
    if (ledger === undefined) throw new Error('no ledger');
    await expect(bench.store.ledger.listAcknowledgments(ledger, { limit: 10, after: 0 })).resolves.toEqual([]);
    await bench.rows('revoke select on willcall.acknowledgment from willcall_runtime');
    try {
      const refused = bench.store.ledger.listAcknowledgments(ledger, { limit: 10, after: 0 });
      await expect(refused).rejects.toMatchObject({ cause: { code: '42501' } });
    } finally {
      await bench.rows('grant select on willcall.acknowledgment to willcall_runtime');
    }
  });
});

describe('pruning the ledger', () => {
  it('does nothing while the owner has set no policy', async () => {
    await signDaily(5);
    expect(await bench.store.retention.pruneLedger(queue, 100)).toBe(0);
    expect(await numbers()).toEqual([1, 2, 3, 4, 5]);
  });

  it("goes by the owner's policy, oldest first, in steps", async () => {
    await signDaily(5);
    await keep(2.5 * DAY);
    expect(await bench.store.retention.pruneLedger(queue, 1)).toBe(1);
    expect(await numbers()).toEqual([2, 3, 4, 5]);
    expect(await bench.store.retention.pruneLedger(queue, 100)).toBe(1);
    expect(await numbers()).toEqual([3, 4, 5]);
    expect(await bench.store.retention.pruneLedger(queue, 100)).toBe(0);
  });

  it('never takes the last row, from which the next number is read', async () => {
    await signDaily(3);
    await bench.letTimePass(30 * DAY);
    await keep(DAY);
    expect(await bench.store.retention.pruneLedger(queue, 100)).toBe(2);
    expect(await numbers()).toEqual([3]);
    await queue.publish('next');
    expect((await queue.acknowledge(await queue.receiveOne())).results).toMatchObject([{ ackNo: 4 }]);
  });

  it("is a part of upkeep, and takes only what is the subscription's", async () => {
    const other = await createQueue(engine);
    await signDaily(5);
    await keep(2.5 * DAY);
    await other.publish('a');
    await other.acknowledge(await other.receiveOne());
    await engine.retain();
    expect(await numbers()).toEqual([3, 4, 5]);
    const { acknowledgments } = await engine.listAcknowledgments({ subscription: other.name, limit: 10 });
    expect(acknowledgments).toHaveLength(1);
  });

  it('goes on after the subscription was deleted, however long ago that was', async () => {
    await signDaily(3);
    await engine.deleteSubscription(queue.name, CALLER);
    await bench.letTimePass(400 * DAY);
    await keep(401.5 * DAY);
    await bench.openEngine().retain();
    expect(await numbers()).toEqual([2, 3]);
  });

  it('lets a receipt whose record went be called gone, never acknowledged anew', async () => {
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '', b?.receipt ?? '');
    await bench.letTimePass(2 * DAY);
    await keep(DAY);
    await engine.retain();
    expect(await numbers()).toEqual([2]);
    const { results } = await queue.acknowledge(a?.receipt ?? '');
    expect(results).toMatchObject([{ outcome: 'gone' }]);
    expect(await numbers()).toEqual([2]);
  });
});
