// What settling costs when a delivery has come to lie in many leases. A consumer that extends each
// of its messages alone makes a lease of each; whoever settles them all then must not pay for every
// receipt with a search through every lease. Counted in PostgreSQL's pages and index entries, which
// no load changes.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDeliveryStore } from '../../src/store/deliveries.ts';
import { createFallingDueStore } from '../../src/store/due.ts';
import { createMessageStore } from '../../src/store/messages.ts';
import { createDb, type Db } from '../../src/store/postgres/db.ts';
import { createSettlingStore } from '../../src/store/settling.ts';
import { createQueue, outcomesOf, type Queue, receiveRequest } from '../support/calls.ts';
import { growth, readCounters } from '../support/counters.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

const RECEIPTS = 1000;

let bench: StoreBench;
let db: Db;
let engine: TestEngine;
beforeAll(async () => {
  bench = await openStoreBench();
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  db = createDb({
    ...{ url: bench.database.url, schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 1, logger },
  });
  for (const { name } of await bench.rows<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = 'willcall'::regnamespace and relkind = 'r'`,
  )) {
    await bench.rows(`alter table ${name} set (autovacuum_enabled = false)`);
  }
  // One session does what is counted: another one may publish its counts much later, which would
  // then stand in somebody else's. So the log of dead letters reads nothing here.
  engine = bench.openEngine({
    ...bench.store,
    ledger: { ...bench.store.ledger, listNewestDeadLetters: async () => [] },
    messages: createMessageStore(db),
    deliveries: createDeliveryStore(db),
    settling: createSettlingStore(db),
    fallingDue: createFallingDueStore(db),
  });
});
afterAll(async () => {
  await db.stop();
  await bench.stop();
});

const KEY = 'again';

/** A delivery in so many leases, which share its messages out in turn; its receipts. */
async function openDelivery(leases: number): Promise<{ queue: Queue; receipts: string[] }> {
  const queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
  await queue.publish(...Array.from({ length: RECEIPTS }, () => 'a'));
  const messages = await queue.receive({ maxMessages: RECEIPTS, idempotencyKey: KEY });
  await bench.rows(
    `with whole as (delete from willcall.lease where subscription_id = $1 returning *)
     insert into willcall.lease (
       topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
     )
     select
       topic_id, subscription_id, delivery_no, no, attempt, failures, expires_at + no * interval '1 millisecond',
       (select range_agg(int8range(seq, seq, '[]')) from generate_series(1, $2) seq where seq % $3 = no)
     from whole cross join generate_series(0, $3 - 1) no`,
    [queue.subscriptionId, RECEIPTS, leases],
  );
  await bench.rows('vacuum willcall.lease');
  return { queue, receipts: messages.map(({ receipt }) => receipt) };
}

interface Cost {
  pages: number;
  leasesRead: number;
}

async function costOf(leases: number, settle: (queue: Queue, receipts: string[]) => Promise<unknown>): Promise<Cost> {
  const { queue, receipts } = await openDelivery(leases);
  const before = await readCounters(db, bench);
  await settle(queue, receipts);
  const after = await readCounters(db, bench);
  const pages = Object.values(growth(before.pages, after.pages)).reduce((sum, count) => sum + count, 0);
  return { pages, leasesRead: growth(before.entriesRead, after.entriesRead).lease_key ?? 0 };
}

const each = (receipts: string[]) => receipts.map((receipt) => ({ receipt, delaySeconds: null, error: null }));
const all = (outcome: string) => Array.from({ length: RECEIPTS }, () => outcome);

const verbs: [string, (queue: Queue, receipts: string[]) => Promise<unknown>][] = [
  [
    'acknowledge',
    async (queue, receipts) => expect(outcomesOf(await queue.acknowledge(...receipts))).toEqual(all('acknowledged')),
  ],
  [
    'acknowledge, with a receipt named twice',
    (queue, receipts) => queue.acknowledge(...receipts.slice(1), receipts[1] ?? ''),
  ],
  [
    'acknowledge, atomic',
    async (queue, receipts) =>
      expect(outcomesOf(await queue.acknowledgeAtomically(...receipts))).toEqual(all('acknowledged')),
  ],
  [
    'release',
    async ({ name }, receipts) => {
      const answer = await engine.release({ subscription: name, receipts: each(receipts), caller: 'test' });
      expect(outcomesOf(answer)).toEqual(all('released'));
    },
  ],
  ['extend', async (queue, receipts) => expect(outcomesOf(await queue.extend(receipts, 600))).toEqual(all('extended'))],
  [
    'reject',
    async ({ name }, receipts) => {
      const answer = await engine.reject({ subscription: name, receipts: each(receipts), caller: 'test' });
      expect(outcomesOf(answer)).toEqual(all('rejected'));
    },
  ],
  [
    'a receive that is repeated',
    async ({ name }) => {
      const request = { ...receiveRequest(name), maxMessages: RECEIPTS, idempotencyKey: KEY };
      expect((await engine.receive(request)).messages).toHaveLength(RECEIPTS);
    },
  ],
];

describe('a thousand receipts over a thousand leases', () => {
  it.each(verbs)(
    'cost at most twice the pages of those over one, and no lease is read often: %s',
    async (_, settle) => {
      // The first call of a session reads its plans' pages, too.
      await costOf(1, settle);
      const one = await costOf(1, settle);
      const many = await costOf(RECEIPTS, settle);
      expect(many.pages).toBeLessThanOrEqual(2 * one.pages);
      expect(many.leasesRead).toBeLessThanOrEqual(4 * RECEIPTS);
    },
  );

  it('are read a few times, and not once for each other, by a sweep that finds them over', async () => {
    const { queue } = await openDelivery(RECEIPTS);
    await bench.rows(
      `update willcall.lease set expires_at = clock_timestamp() - interval '1 second' where subscription_id = $1`,
      [queue.subscriptionId],
    );
    const before = await readCounters(db, bench);
    expect(await engine.sweep()).toMatchObject({ ended: RECEIPTS });
    const after = await readCounters(db, bench);
    expect(growth(before.entriesRead, after.entriesRead).lease_key).toBeLessThanOrEqual(10 * RECEIPTS);
  });
});

describe('leases that get the same expiry', () => {
  const leasesOf = ({ subscriptionId }: Queue) =>
    bench.rows<{ outstanding: string; attempt: number; failures: number }>(
      `select outstanding::text, attempt, failures from willcall.lease where subscription_id = $1 order by outstanding`,
      [subscriptionId],
    );

  it('become one: a call that extends all messages that were extended one by one', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c', 'd');
    const receipts = (await queue.receive()).map(({ receipt }) => receipt);
    for (const receipt of receipts) await queue.extend([receipt], 60);
    expect((await leasesOf(queue)).map(({ outstanding }) => outstanding)).toEqual([
      '{[1,2)}',
      '{[2,3)}',
      '{[3,4)}',
      '{[4,5)}',
    ]);
    await queue.extend(receipts.slice(1), 60);
    expect((await leasesOf(queue)).map(({ outstanding }) => outstanding)).toEqual(['{[1,2)}', '{[2,5)}']);
    await queue.extend(receipts, 60);
    expect(await leasesOf(queue)).toEqual([{ outstanding: '{[1,5)}', attempt: 1, failures: 0 }]);
  });

  it('become one: the calls that a flush carries together', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c', 'd');
    const receipts = (await queue.receive()).map(({ receipt }) => receipt);
    await Promise.all(receipts.map((receipt) => queue.extend([receipt], 60)));
    expect(await leasesOf(queue)).toEqual([{ outstanding: '{[1,5)}', attempt: 1, failures: 0 }]);
  });

  it('become one: a receive that is asked for again', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [a] = await queue.receive({ idempotencyKey: KEY });
    await queue.extend([a?.receipt ?? ''], 60);
    await queue.receive({ idempotencyKey: KEY });
    expect(await leasesOf(queue)).toEqual([{ outstanding: '{[1,3)}', attempt: 1, failures: 0 }]);
  });

  it('stay apart where their counts differ', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
    await queue.publish('a', 'b', 'c');
    const [a, b] = await queue.receive({ maxMessages: 2 });
    await queue.release(a?.receipt ?? '');
    await queue.release(b?.receipt ?? '', { error: { code: 'E', message: null }, delaySeconds: 0 });
    const receipts = (await queue.receive()).map(({ receipt }) => receipt);
    for (const receipt of receipts) await queue.extend([receipt], 60);
    await queue.extend(receipts, 60);
    expect(await leasesOf(queue)).toEqual([
      { outstanding: '{[1,2)}', attempt: 2, failures: 0 },
      { outstanding: '{[2,3)}', attempt: 2, failures: 1 },
      { outstanding: '{[3,4)}', attempt: 1, failures: 0 },
    ]);
  });
});
