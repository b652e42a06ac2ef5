// The lock first, then a fresh look. In each test another session holds the lock, changes what the
// verb has to know, and commits while the verb waits: a verb that looked before it waited would go
// by what was.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, codeOf, createQueue, freshName, newMessage, outcomesOf, type Queue } from '../support/calls.ts';
import { type LockClass, takeLockText } from '../support/lock.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let holder: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  holder = await bench.openSession();
});
afterAll(() => bench.stop());
afterEach(() => holder.rows('rollback'));
beforeEach(async () => {
  queue = await createQueue(engine);
});

/**
 * Takes the lock, starts the call, and when that waits does the change and commits; the call's
 * answer.
 */
async function meanwhile<T>(lock: LockClass, call: () => Promise<T>, change: () => Promise<unknown>): Promise<T> {
  await holder.rows('begin');
  const id = lock === 'topic' ? queue.topicId : queue.subscriptionId;
  await holder.rows(takeLockText(lock), [id]);
  const answer = call();
  // A refusal is looked at by the test, not by the process.
  answer.catch(() => {});
  await untilWaiting();
  await change();
  await holder.rows('commit');
  return answer;
}

/**
 * Until somebody waits for the holder: alone, for as long as it takes, or in a shared flush, which
 * waits for a moment.
 */
async function untilWaiting(how: 'alone' | 'shared' = 'alone'): Promise<void> {
  const blocked = `select count(*) from pg_stat_activity where $1 = any (pg_blocking_pids(pid)) and (query like '%\\_plain(%') = $2`;
  await expect.poll(() => bench.value(blocked, [holder.pid, how === 'shared'])).toBe(1);
}

const deleteTopic = () => holder.rows('select willcall.delete_topic($1, $2)', [queue.topicId, 'other']);
const deleteSubscription = () =>
  holder.rows('select willcall.delete_subscription($1, $2, $3)', [queue.topicId, queue.subscriptionId, 'other']);
const set = (table: 'topic' | 'subscription', assignment: string) =>
  holder.rows(`update willcall.${table} set ${assignment} where name = $1`, [queue.name]);

/** Appends the first message of the queue's topic, as a publish does. */
const append = () =>
  holder.rows(
    `insert into willcall.message (topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, body)
     values ($1, 1, clock_timestamp(), 1, '\\x01', sha256('x'), 'other', 'x')`,
    [queue.topicId],
  );

/** Hands out the first message of the queue, as a receive does. */
const handOut = () =>
  holder.rows(
    `with delivered as (
       insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, handed)
       values ($1, $2, 2, 1, clock_timestamp(), 7, 1, 'deliver', 'other', '{[1,2)}')
     )
     insert into willcall.lease (topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding)
     values ($1, $2, 2, 0, 1, 0, now() + interval '1 minute', '{[1,2)}')`,
    [queue.topicId, queue.subscriptionId],
  );

/** Signs for the one message in flight, as an acknowledge does. */
const signFor = () =>
  holder.rows(
    `with ended as (delete from willcall.lease where subscription_id = $2 returning delivery_no)
     insert into willcall.acknowledgment (topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at,
       acknowledged_at, generation, attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, published_by)
     select $1, $2, 1, 1, delivery_no, now(), now(), now(), 1, 1, 1, false, '\\x01', sha256('a'), 'other', 'p' from ended`,
    [queue.topicId, queue.subscriptionId],
  );

describe('a publish that waits for its topic', () => {
  it('is refused when the topic was deleted meanwhile, and leaves nothing', async () => {
    expect(await codeOf(meanwhile('topic', () => queue.publish('a'), deleteTopic))).toBe('topic_not_found');
    expect(await bench.value('select count(*) from willcall.message where topic_id = $1', [queue.topicId])).toBe(0);
  });

  it('is refused so when its message is delayed, too', async () => {
    const publish = () => queue.publish(newMessage('a', { delaySeconds: 60 }));
    expect(await codeOf(meanwhile('topic', publish, deleteTopic))).toBe('topic_not_found');
    expect(await bench.value('select count(*) from willcall.scheduled where topic_id = $1', [queue.topicId])).toBe(0);
  });

  it('goes by the bound on bodies that was set meanwhile', async () => {
    const narrow = () => set('topic', 'max_message_bytes = 3');
    expect(await codeOf(meanwhile('topic', () => queue.publish('abcd'), narrow))).toBe('message_too_large');
    const widen = () => set('topic', 'max_message_bytes = 4');
    expect(await meanwhile('topic', () => queue.publish('abcd'), widen)).toHaveLength(1);
  });

  it('goes on from what was published meanwhile', async () => {
    await meanwhile('topic', () => queue.publish('a'), append);
    expect((await queue.receive()).map(({ sequence, body }) => [sequence, body.toString()])).toEqual([
      [1, 'x'],
      [2, 'a'],
    ]);
  });
});

describe('a receive that waits for its subscription', () => {
  it('is refused when the subscription was deleted meanwhile, and leases nothing', async () => {
    await queue.publish('a');
    expect(await codeOf(meanwhile('receive', () => queue.receive(), deleteSubscription))).toBe(
      'subscription_not_found',
    );
    const leases = 'select count(*) from willcall.lease where subscription_id = $1';
    expect(await bench.value(leases, [queue.subscriptionId])).toBe(0);
  });

  it('hands out what was published meanwhile, whole', async () => {
    const messages = await meanwhile(
      'receive',
      () => queue.receive(),
      () => queue.publish('a', 'b'),
    );
    expect(messages.map(({ body }) => body.toString())).toEqual(['a', 'b']);
  });

  it('goes by the visibility timeout that was set meanwhile', async () => {
    await queue.publish('a');
    const shorten = () => set('subscription', 'visibility_timeout_seconds = 7');
    await meanwhile('receive', () => queue.receive(), shorten);
    const seconds = `select extract(epoch from l.expires_at - d.at)::float8 from willcall.lease l
      join willcall.delivery d using (topic_id, subscription_id, delivery_no) where l.subscription_id = $1`;
    expect(await bench.value(seconds, [queue.subscriptionId])).toBeLessThanOrEqual(7);
  });

  it('goes by the bound on what is in flight that was set meanwhile', async () => {
    await queue.publish('a', 'b', 'c');
    const bound = () => set('subscription', 'max_in_flight = 2');
    expect(await meanwhile('receive', () => queue.receive(), bound)).toHaveLength(2);
  });

  it('does not hand out again what was handed out meanwhile', async () => {
    await queue.publish('a', 'b');
    const messages = await meanwhile('receive', () => queue.receive(), handOut);
    expect(messages.map(({ sequence }) => sequence)).toEqual([2]);
  });
});

describe('a verb that waits to settle', () => {
  const verbs: [string, (receipt: string) => Promise<unknown>][] = [
    ['acknowledge', (receipt) => queue.acknowledge(receipt)],
    ['an atomic acknowledge', (receipt) => queue.acknowledgeAtomically(receipt)],
    ['release', (receipt) => queue.release(receipt)],
    ['extend', (receipt) => queue.extend([receipt])],
    ['reject', (receipt) => queue.reject(receipt)],
  ];

  it.each(verbs)('(%s) is refused when the subscription was deleted meanwhile', async (_, verb) => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    expect(await codeOf(meanwhile('settle', () => verb(receipt), deleteSubscription))).toBe('subscription_not_found');
  });

  it.each(verbs)('(%s) finds what was settled meanwhile', async (_, verb) => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    const answer = await meanwhile('settle', () => verb(receipt), signFor);
    expect(outcomesOf(answer as Awaited<ReturnType<Queue['acknowledge']>>)).toEqual(['already_acknowledged']);
  });

  it('(extend) goes by the visibility timeout that was set meanwhile', async () => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    const lengthen = () => set('subscription', 'visibility_timeout_seconds = 3000');
    const { results } = await meanwhile('settle', () => queue.extend([receipt]), lengthen);
    expect(results[0]?.visibleUntil?.getTime()).toBeGreaterThan(Date.now() + 1_000_000);
  });

  it('(release) goes by the bound on attempts that was set meanwhile', async () => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    const bound = () => set('subscription', 'max_attempts = 1');
    const fail = () => queue.release(receipt, { error: { code: 'E', message: null } });
    await meanwhile('settle', fail, bound);
    expect((await engine.getSubscription(queue.name)).stats.deadLetters).toBe(1);
  });
});

describe('the time of what waited', () => {
  /** The database's clock when the holder lets go. */
  let freedAt: string;
  const pass = async () => {
    const [row] = await holder.rows<{ at: string }>('select pg_sleep(0.05), clock_timestamp()::text as at');
    freedAt = row?.at ?? '';
  };
  const inFlight = async () => {
    await queue.publish('a');
    return (await queue.receiveOne()).receipt;
  };
  const isAfter = (text: string) => bench.value(`select (${text}) > $2`, [queue.subscriptionId, freedAt]);

  it('is that after the wait: a release', async () => {
    const receipt = await inFlight();
    await meanwhile('settle', () => queue.release(receipt), pass);
    expect(await isAfter('select available_at from willcall.deferred where subscription_id = $1')).toBe(true);
  });

  it('is that after the wait: an extend', async () => {
    const receipt = await inFlight();
    await meanwhile('settle', () => queue.extend([receipt], 60), pass);
    const extendedAt = `select expires_at - interval '60 seconds' from willcall.lease where subscription_id = $1`;
    expect(await isAfter(extendedAt)).toBe(true);
  });

  it('is that after the wait: an acknowledgment, which is late then', async () => {
    const receipt = await inFlight();
    const end = async () => {
      await holder.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
        queue.subscriptionId,
      ]);
      await pass();
    };
    const answer = await meanwhile('settle', () => queue.acknowledge(receipt), end);
    expect(outcomesOf(answer)).toEqual(['acknowledged_late']);
  });

  it('is that after the wait: an expiry', async () => {
    await inFlight();
    await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    await meanwhile('settle', () => bench.openEngine().sweep(), pass);
    expect(await isAfter('select ended_at from willcall.failure where subscription_id = $1')).toBe(true);
  });
});

describe('upkeep that waits', () => {
  it('does not end a lease that was extended meanwhile', async () => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    const sweeping = bench.openEngine();
    const extendElsewhere = () =>
      holder.rows(`update willcall.lease set expires_at = now() + interval '1 hour' where subscription_id = $1`, [
        queue.subscriptionId,
      ]);
    expect(await meanwhile('settle', () => sweeping.sweep(), extendElsewhere)).toMatchObject({ ended: 0 });
    expect(outcomesOf(await queue.acknowledge(receipt))).toEqual(['acknowledged']);
  });

  it('does not put delayed messages into a topic that was deleted meanwhile', async () => {
    await queue.publish(newMessage('a', { delaySeconds: 60 }));
    await bench.rows('update willcall.scheduled set deliver_at = clock_timestamp() where topic_id = $1', [
      queue.topicId,
    ]);
    const sweeping = bench.openEngine();
    expect(await meanwhile('topic', () => sweeping.sweep(), deleteTopic)).toMatchObject({ appended: 0 });
    expect(await bench.value('select count(*) from willcall.message where topic_id = $1', [queue.topicId])).toBe(0);
  });

  it('does not expire what was received meanwhile', async () => {
    await queue.publish('a');
    await bench.rows(`update willcall.message set published_at = now() - interval '1 month' where topic_id = $1`, [
      queue.topicId,
    ]);
    await meanwhile('receive', () => engine.retain(), handOut);
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ inFlight: 1, deadLetters: 0 });
  });

  it('does not prune what a subscription that was made meanwhile begins with', async () => {
    await queue.publish('a', 'b');
    await queue.acknowledge(...(await queue.receive()).map(({ receipt }) => receipt));
    await engine.updateTopic({ name: queue.name, settings: { retainAcknowledgedSeconds: 0 }, caller: CALLER });
    await bench.rows(
      `insert into willcall.settled_mark select topic_id, subscription_id, now(), 2, 3 from willcall.subscription where subscription_id = $1`,
      [queue.subscriptionId],
    );
    const name = freshName();
    // The subscription's own start waits behind the holder, so it is written as that function
    // writes it.
    const subscribe = () =>
      holder.rows(
        `with made as (
           insert into willcall.subscription (topic_id, name, start_at, visibility_timeout_seconds, delay_seconds, max_attempts,
             max_deliveries, min_backoff_seconds, max_backoff_seconds, created_by)
           values ($1, $2, 'earliest', 30, 0, 10, 100, 1, 600, 'other') returning topic_id, subscription_id
         )
         select willcall.start_subscription(topic_id, subscription_id, 'earliest', null, 'other') from made`,
        [queue.topicId, name],
      );
    await meanwhile('topic', () => bench.store.retention.pruneTopic(queue.topicId, null, 100), subscribe);
    expect(await bench.value('select count(*) from willcall.message where topic_id = $1', [queue.topicId])).toBe(2);
  });
});

describe('a new subscription that waits for its topic', () => {
  it('is refused when the topic was deleted meanwhile, and leaves nothing', async () => {
    const name = freshName();
    const create = () => engine.createSubscription({ name, topic: queue.name, settings: {}, caller: CALLER });
    expect(await codeOf(meanwhile('topic', create, deleteTopic))).toBe('topic_not_found');
    expect(await bench.value('select count(*) from willcall.subscription where name = $1', [name])).toBe(0);
  });

  it('begins behind what was published meanwhile', async () => {
    const name = freshName();
    const create = () =>
      engine.createSubscription({ name, topic: queue.name, start: 'latest', settings: {}, caller: CALLER });
    await meanwhile('topic', create, append);
    expect((await engine.getSubscription(name)).stats.backlog).toBe(0);
  });
});

describe('a busy lock', () => {
  let other: Queue;
  beforeEach(async () => {
    other = await createQueue(engine);
    await holder.rows('begin');
  });
  const hold = (lock: LockClass, id: number) => holder.rows(takeLockText(lock), [id]);
  const publishToBoth = async () => {
    const groups = [queue, other].map(({ topicId }) => {
      return { topicId, calls: [{ publisher: CALLER, messages: [newMessage('a')] }] };
    });
    const outcomes = await bench.store.messages.publish(groups, false);
    return outcomes.map(({ outcome }) => outcome);
  };
  /** How long a flush waits for a lock, for whom 20 ms may be over before a test has let go. */
  const setMoment = (moment: string) =>
    bench.value(`alter function willcall.lock_soon(integer, integer) set lock_timeout = '${moment}'`, []);

  it('of one topic does not hold up the others of a flush', async () => {
    await hold('topic', queue.topicId);
    expect(await publishToBoth()).toEqual(['busy', 'published']);
    await holder.rows('commit');
    expect(await other.receive()).toHaveLength(1);
    expect(await queue.receive()).toHaveLength(0);
  });

  it('of the last topic leaves those before it done', async () => {
    await hold('topic', other.topicId);
    expect(await publishToBoth()).toEqual(['published', 'busy']);
    await hold('topic', queue.topicId);
    await holder.rows('commit');
    expect(await queue.receive()).toHaveLength(1);
  });

  it('that comes free within a moment is waited for, and what happened meanwhile is seen', async () => {
    await hold('topic', queue.topicId);
    await append();
    await setMoment('10s');
    try {
      const outcomes = publishToBoth();
      await untilWaiting('shared');
      await holder.rows('commit');
      expect(await outcomes).toEqual(['published', 'published']);
    } finally {
      await setMoment('20ms');
    }
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });
});
