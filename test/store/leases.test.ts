// A lease holds only what was read, and what leaves it is exactly what got a row in the ledger or
// among the failures.

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReceivedMessage } from '../../src/domain/message.ts';
import { createQueue, outcomesOf, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.clear();
  queue = await createQueue(engine);
});

/**
 * Of the queue's deliveries in order: what was handed out, what is outstanding, what left as what.
 */
function books(): Promise<Record<'handed' | 'outstanding' | 'signed' | 'failed', string>[]> {
  return bench.rows(
    `select d.handed::text,
       coalesce((select range_agg(r) from willcall.lease l, unnest(l.outstanding) r
         where (l.subscription_id, l.delivery_no) = (d.subscription_id, d.delivery_no)), '{}')::text as outstanding,
       coalesce((select range_agg(int8range(a.seq, a.seq, '[]')) from willcall.acknowledgment a
         where (a.subscription_id, a.delivery_no) = (d.subscription_id, d.delivery_no)), '{}')::text as signed,
       coalesce((select range_agg(int8range(f.seq, f.seq, '[]')) from willcall.failure f
         where (f.subscription_id, f.delivery_no) = (d.subscription_id, d.delivery_no)), '{}')::text as failed
     from willcall.delivery d where d.subscription_id = $1 and d.kind = 'deliver' order by d.delivery_no`,
    [queue.subscriptionId],
  );
}

async function expectEqualBooks(): Promise<void> {
  const unequal = `select count(*) from (
    select d.delivery_no, d.handed,
      coalesce((select range_agg(r) from willcall.lease l, unnest(l.outstanding) r
        where (l.subscription_id, l.delivery_no) = (d.subscription_id, d.delivery_no)), '{}') as outstanding,
      coalesce((select range_agg(int8range(s.seq, s.seq, '[]')) from (
        select seq, subscription_id, delivery_no from willcall.acknowledgment
        union all select seq, subscription_id, delivery_no from willcall.failure
      ) s where (s.subscription_id, s.delivery_no) = (d.subscription_id, d.delivery_no)), '{}') as gone
    from willcall.delivery d where d.kind = 'deliver'
  ) b where handed <> outstanding + gone or outstanding && gone`;
  expect(await bench.value(unequal)).toBe(0);
  const twice = `select count(*) from (select l.subscription_id, s.seq from willcall.lease l, unnest(l.outstanding) r,
    generate_series(lower(r), upper(r) - 1) s (seq) group by 1, 2 having count(*) > 1) t`;
  expect(await bench.value(twice)).toBe(0);
}

describe('a lease', () => {
  it('leaves out what is missing in the log, so that all of it can be settled', async () => {
    await queue.publish('a', 'b', 'c', 'd', 'e', 'f');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq in (2, 5)', [queue.topicId]);
    const messages = await queue.receive();
    expect(messages.map(({ sequence }) => sequence)).toEqual([1, 3, 4, 6]);
    expect(await books()).toMatchObject([{ handed: '{[1,2),[3,5),[6,7)}', outstanding: '{[1,2),[3,5),[6,7)}' }]);
    await queue.acknowledge(...messages.map(({ receipt }) => receipt));
    expect(await books()).toMatchObject([{ outstanding: '{}', signed: '{[1,2),[3,5),[6,7)}' }]);
    expect(await bench.value('select count(*) from willcall.lease')).toBe(0);
  });

  it('of a batch that begins with a gap moves the cursor to what was handed out', async () => {
    await queue.publish('a', 'b', 'c', 'd');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq <= 2', [queue.topicId]);
    expect((await queue.receive({ maxMessages: 1 })).map(({ sequence }) => sequence)).toEqual([3]);
    expect((await queue.receive({ maxMessages: 1 })).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('does not lose a message that cannot be signed for, because the log lost it after it was handed out', async () => {
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await bench.rows('delete from willcall.message where topic_id = $1 and seq = 1', [queue.topicId]);
    await queue.acknowledge(a?.receipt ?? '', b?.receipt ?? '');
    expect(await books()).toMatchObject([{ outstanding: '{[1,2)}', signed: '{[2,3)}' }]);
  });

  it('is not touched by receipts of another delivery', async () => {
    await queue.publish('a', 'b');
    const [a] = await queue.receive({ maxMessages: 1 });
    const [b] = await queue.receive({ maxMessages: 1 });
    await queue.acknowledge(b?.receipt ?? '');
    expect(await books()).toMatchObject([{ outstanding: '{[1,2)}' }, { outstanding: '{}' }]);
    expect(outcomesOf(await queue.release(a?.receipt ?? ''))).toEqual(['released']);
  });

  it('is one row for all that is fresh, and one for each pair of counts among what comes again', async () => {
    await queue.publish('a', 'b', 'c', 'd');
    const [a, b, c] = await queue.receive({ maxMessages: 3 });
    const error = { code: 'E', message: null };
    await queue.release(a?.receipt ?? '');
    await queue.release(b?.receipt ?? '', { error, delaySeconds: 0 });
    await queue.release(c?.receipt ?? '', { error, delaySeconds: 0 });
    await queue.receive();
    const rows = `select attempt, failures, outstanding::text from willcall.lease order by attempt, failures`;
    expect(await bench.rows(rows)).toEqual([
      { attempt: 1, failures: 0, outstanding: '{[4,5)}' },
      { attempt: 2, failures: 0, outstanding: '{[1,2)}' },
      { attempt: 2, failures: 1, outstanding: '{[2,4)}' },
    ]);
  });
});

describe('a lease of which a part is extended', () => {
  const leases = () =>
    bench.rows<{ attempt: number; failures: number; outstanding: string; seconds: number }>(
      `select attempt, failures, outstanding::text,
         round(extract(epoch from expires_at - clock_timestamp()) / 100)::int * 100 as seconds
       from willcall.lease where subscription_id = $1 order by outstanding`,
      [queue.subscriptionId],
    );
  const fail = (receipt: string) => queue.release(receipt, { error: { code: 'E', message: null }, delaySeconds: 0 });
  beforeEach(async () => {
    queue = await createQueue(engine, { maxAttempts: 3, visibilityTimeoutSeconds: 600 });
    await queue.publish('a', 'b', 'c');
    for (const { receipt } of await queue.receive()) await fail(receipt);
  });

  it('keeps its counts in both parts, and only the part that is meant lasts longer', async () => {
    const [a] = await queue.receive();
    await queue.extend([a?.receipt ?? ''], 3000);
    expect(await leases()).toEqual([
      { attempt: 2, failures: 1, outstanding: '{[1,2)}', seconds: 3000 },
      { attempt: 2, failures: 1, outstanding: '{[2,4)}', seconds: 600 },
    ]);
  });

  it('brings its messages to their last attempt all the same', async () => {
    const second = await queue.receive();
    await queue.extend([second[0]?.receipt ?? ''], 3000);
    for (const { receipt } of second) await fail(receipt);
    const third = await queue.receive();
    expect(third.map(({ attempt }) => attempt)).toEqual([3, 3, 3]);
    await queue.extend([third[1]?.receipt ?? ''], 3000);
    for (const { receipt } of third) await fail(receipt);
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ deadLetters: 3, deferred: 0 });
  });

  it('counts no failure for messages that are released without an error', async () => {
    const [a, b] = await queue.receive();
    await queue.extend([a?.receipt ?? '', b?.receipt ?? ''], 3000);
    await queue.release(a?.receipt ?? '');
    await queue.receive();
    expect(await leases()).toMatchObject([
      { attempt: 3, failures: 1, outstanding: '{[1,2)}' },
      { attempt: 2, failures: 1, outstanding: '{[2,3)}' },
      { attempt: 2, failures: 1, outstanding: '{[3,4)}' },
    ]);
  });
});

type Step = { verb: 'acknowledge' | 'release' | 'extend' | 'reject' | 'receive' | 'expire'; picks: number[] };

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom('acknowledge', 'release', 'extend', 'reject', 'receive', 'expire'),
  picks: fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }),
});

describe('the books', () => {
  /** Does one step with some of the receipts that were ever handed out, good or stale. */
  async function take({ verb, picks }: Step, received: ReceivedMessage[]): Promise<void> {
    const receipts = received.length === 0 ? [] : picks.map((pick) => received[pick % received.length]?.receipt ?? '');
    switch (verb) {
      case 'receive':
        received.push(...(await queue.receive({ maxMessages: (picks[0] ?? 0) % 5 || 1 })));
        return;
      case 'expire':
        await bench.rows(
          `update willcall.lease set expires_at = clock_timestamp() where delivery_no % 3 = $1 and subscription_id = $2`,
          [(picks[0] ?? 0) % 3, queue.subscriptionId],
        );
        await engine.sweep();
        return;
      case 'acknowledge':
        await queue.acknowledge(...receipts);
        return;
      case 'extend':
        await queue.extend(receipts, 600);
        return;
      case 'release':
        await Promise.all(receipts.map((receipt) => queue.release(receipt)));
        return;
      case 'reject':
        await Promise.all(receipts.map((receipt) => queue.reject(receipt)));
    }
  }

  it('balance after any steps: handed out is outstanding, signed for or failed, and never two of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
        await queue.publish(...Array.from({ length: 12 }, (_, i) => `${i}`));
        const received: ReceivedMessage[] = [];
        for (const each of steps) {
          await take(each, received);
          await expectEqualBooks();
        }
        const lost = `select count(*) from generate_series(1, (select head from willcall.delivery
            where subscription_id = $1 order by delivery_no desc limit 1)) s (seq)
          where not exists (select from willcall.acknowledgment a where a.subscription_id = $1 and a.seq = s.seq)
            and not exists (select from willcall.deferred d where d.subscription_id = $1 and d.seq = s.seq)
            and not exists (select from willcall.dead_letter d where d.subscription_id = $1 and d.seq = s.seq)
            and not exists (select from willcall.lease l where l.subscription_id = $1 and l.outstanding @> s.seq)`;
        expect(await bench.value(lost, [queue.subscriptionId])).toBe(0);
      }),
      { numRuns: 25 },
    );
  });
});
