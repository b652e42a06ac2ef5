// From what the database throws to the product's faults, and what is tried again before anybody
// hears of it.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { createStore } from '../../../src/store/index.ts';
import { isRetryable, toWillcallError, violates } from '../../../src/store/postgres/errors.ts';
import { codeOf, createQueue, type Queue } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

function thrown(code: string, fields: object = {}): Error {
  return Object.assign(new Error('from the database'), { code, ...fields });
}

describe('a SQLSTATE', () => {
  it.each([
    ['40P01', 'database_timeout', true],
    ['40001', 'database_timeout', true],
    ['55P03', 'database_timeout', true],
    ['57014', 'database_timeout', false],
    ['08006', 'database_unavailable', false],
    ['53100', 'database_unavailable', false],
    ['53300', 'database_unavailable', false],
    ['57P01', 'database_unavailable', false],
    ['57P02', 'database_unavailable', false],
    ['57P03', 'database_unavailable', false],
    ['25006', 'database_unavailable', false],
    ['ECONNREFUSED', 'database_unavailable', false],
    ['ECONNRESET', 'database_unavailable', false],
    ['EPIPE', 'database_unavailable', false],
    ['ENOTFOUND', 'database_unavailable', false],
    ['23505', 'internal', false],
    ['23502', 'internal', false],
    ['42501', 'internal', false],
    ['22P05', 'internal', false],
    ['XX000', 'internal', false],
  ])('%s is %s, tried again: %s', (state, code, retried) => {
    const error = thrown(state);
    expect(toWillcallError(error)).toMatchObject({ code, cause: error });
    expect(isRetryable(error)).toBe(retried);
  });

  it('of a unique key says which one was violated', () => {
    const error = thrown('23505', { constraint: 'topic_living_name' });
    expect(violates(error, 'topic_living_name')).toBe(true);
    expect(violates(error, 'topic_key')).toBe(false);
    expect(violates(thrown('23503', { constraint: 'topic_living_name' }), 'topic_living_name')).toBe(false);
  });
});

describe('a message without a SQLSTATE', () => {
  it.each([
    ['Query read timeout', 'database_timeout'],
    ['Connection terminated unexpectedly', 'database_unavailable'],
    ['Connection terminated due to connection timeout', 'database_unavailable'],
    ['timeout exceeded when trying to connect', 'database_unavailable'],
    ['Client has encountered a connection error and is not queryable', 'database_unavailable'],
    ['something else', 'internal'],
  ])('"%s" is %s', (message, code) => {
    expect(toWillcallError(new Error(message)).code).toBe(code);
  });

  it('that is a fault already stays that fault', () => {
    const fault = new WillcallError('topic_not_found', { topic: 'none' });
    expect(toWillcallError(fault)).toBe(fault);
    expect(toWillcallError('not even an error').code).toBe('internal');
  });
});

describe('a statement', () => {
  let bench: StoreBench;
  let engine: TestEngine;
  let queue: Queue;

  beforeAll(async () => {
    bench = await openStoreBench();
    engine = bench.openEngine();
    await bench.rows('create sequence public.tries');
    await bench.rows('grant usage on sequence public.tries to willcall_runtime');
  });
  afterAll(() => bench.stop());
  beforeEach(async () => {
    await bench.rows('alter sequence public.tries restart');
    queue = await createQueue(engine);
  });
  afterEach(() => bench.rows('drop function if exists public.disturb cascade'));

  /**
   * Runs the text whenever a message enters a log; how often that was, is counted outside of
   * transactions.
   */
  async function disturb(text: string): Promise<void> {
    await bench.rows(
      `create function public.disturb() returns trigger language plpgsql security definer as $$
       declare try bigint := nextval('public.tries');
       begin ${text} return new; end $$`,
    );
    await bench.rows(
      'create trigger disturb before insert on willcall.message for each statement execute function public.disturb()',
    );
  }
  const raise = (state: string) => `raise exception 'disturbed' using errcode = '${state}';`;
  const tries = () => bench.value<number>('select last_value from public.tries');

  it.each(['40P01', '40001', '55P03'])(
    'that fails with %s is tried again, and its caller never knows',
    async (state) => {
      await disturb(`if try <= 3 then ${raise(state)} end if;`);
      expect(await queue.publish('a')).toHaveLength(1);
      expect(await tries()).toBe(4);
      expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([1]);
    },
  );

  it('that goes on failing so is given up', async () => {
    await disturb(raise('40001'));
    expect(await codeOf(queue.publish('a'))).toBe('database_timeout');
    // PostgreSQL tells of a fault before it lets the locks go: a try that meets them leaves the
    // shared flush and goes alone, which begins to count anew, once.
    expect(await tries()).toBeGreaterThanOrEqual(5);
    expect(await tries()).toBeLessThan(10);
  });

  it('that runs into its time is not tried again', async () => {
    await disturb(raise('57014'));
    expect(await codeOf(queue.publish('a'))).toBe('database_timeout');
    expect(await tries()).toBe(1);
  });

  it('whose connection is lost is not tried again, because nobody knows what it did', async () => {
    await disturb('perform pg_terminate_backend(pg_backend_pid());');
    expect(await codeOf(queue.publish('a'))).toBe('database_unavailable');
    expect(await tries()).toBe(1);
    await bench.rows('drop function public.disturb cascade');
    expect(await queue.publish('b')).toHaveLength(1);
  });

  it('after idle connections were lost goes by a new one', async () => {
    const pids = `select count(pg_terminate_backend(pid)) from pg_stat_activity
      where datname = current_database() and application_name = 'willcall'`;
    // One that is not idle at that moment is not complained of: its statement fails.
    const lose = async () => {
      await queue.publish('a').catch(() => {});
      await bench.value(pids);
      return bench.complaints.length;
    };
    await expect.poll(lose).toBeGreaterThan(0);
    await expect
      .poll(() =>
        queue.receive().then(
          (messages) => messages.length,
          () => 0,
        ),
      )
      .toBeGreaterThan(0);
  });

  it('on a server that is not there says so', async () => {
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const options = { schema: 'willcall', runtimeRole: null, connectionsMax: 1, logger };
    const store = createStore({ url: 'postgres://nobody@127.0.0.1:1/none', ...options });
    expect(await codeOf(store.ping())).toBe('database_unavailable');
    expect(await codeOf(store.topics.find('t'))).toBe('database_unavailable');
    await store.stop();
  });
});
