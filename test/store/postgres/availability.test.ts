// What is slow is not away: a database that answers a trivial question has not gone, whatever else
// it takes its time for.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createQueue, newMessage, type Queue } from '../../support/calls.ts';
import { openStoreBench, type Session, type StoreBench } from '../../support/store.ts';

let bench: StoreBench;
let holder: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  holder = await bench.openSession();
  queue = await createQueue(bench.openEngine());
});
afterAll(() => bench.stop());
beforeEach(() => holder.rows('rollback'));

/** The probe has been answered after longer than silence may last. */
const probed = `
  select count(*) from pg_stat_activity
  where datname = current_database() and application_name = 'willcall probe' and state = 'idle'
    and state_change > $1::timestamptz + interval '1.6 seconds'`;

describe('the database counts as there', () => {
  it.each([
    [
      'an advisory lock, as a hot verb does',
      'select willcall.take_lock(willcall.lock_topic(), topic_id) from willcall.topic',
      () => bench.store.messages.publish([{ topicId: queue.topicId, calls: [callOf('a')] }], true),
    ],
    [
      'a lock of a table',
      'lock table willcall.topic in access exclusive mode',
      () => bench.store.topics.find(queue.name),
    ],
  ])('while the only statement waits for %s', async (_, lock, call) => {
    await holder.rows('begin');
    await holder.rows(lock);
    const since = await bench.value<Date>('select clock_timestamp()');
    const slow = call();
    await expect.poll(() => bench.value(probed, [since])).toBe(1);
    await holder.rows('rollback');
    expect(await slow).toBeTruthy();
    expect(bench.complaints).toEqual([]);
  });

  it('while every connection of the pool is taken, and to those who wait for one', async () => {
    await holder.rows('begin');
    await holder.rows('lock table willcall.topic in access exclusive mode');
    const slow = Array.from({ length: bench.store.connectionsMax }, () => bench.store.topics.find(queue.name));
    const tooMany = bench.store.ping().then(
      () => 'answered',
      (error: Error) => error.cause,
    );
    expect(String(await tooMany)).toContain('timeout exceeded when trying to connect');
    expect(bench.store.health.isAvailable()).toBe(true);
    await holder.rows('rollback');
    expect((await Promise.all(slow)).map((topic) => topic?.name)).toEqual(slow.map(() => queue.name));
    expect(bench.complaints).toEqual([]);
  });

  it('when each of its sessions was ended, as by an operator', async () => {
    const ended = `
      select count(pg_terminate_backend(pid)) from pg_stat_activity
      where datname = current_database() and application_name = 'willcall'`;
    await bench.store.ping();
    expect(await bench.value<number>(ended)).toBeGreaterThan(0);
    await expect.poll(() => isAnswered()).toBe(true);
    expect(bench.complaints.filter((complaint) => complaint.includes('unavailable'))).toEqual([]);
  });
});

const callOf = (body: string) => ({ messages: [newMessage(body)], publisher: 'test' });

const isAnswered = () =>
  bench.store.ping().then(
    () => true,
    () => false,
  );
