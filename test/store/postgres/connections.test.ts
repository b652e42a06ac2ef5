// Connections that break under a statement: the statement fails and says so, and nothing else does;
// above all the process lives. The network between is the test's own, so that it can cut what it
// likes.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { subscriptionDefaults } from '../../../src/domain/subscription.ts';
import { createStore, type Store } from '../../../src/store/index.ts';
import { createConnect } from '../../../src/store/postgres/connections.ts';
import { createDb } from '../../../src/store/postgres/db.ts';
import { createHotRunner } from '../../../src/store/postgres/hot-call.ts';
import { createTypeParser } from '../../../src/store/postgres/types.ts';
import { CALLER, codeOf, createQueue, newMessage, type Queue } from '../../support/calls.ts';
import { openStoreBench, type Session, type StoreBench } from '../../support/store.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let bench: StoreBench;
let holder: Session;
let queue: Queue;
let network: Server;
let sockets: Socket[];
let store: Store;

beforeAll(async () => {
  bench = await openStoreBench();
  holder = await bench.openSession();
  queue = await createQueue(bench.openEngine());
  sockets = [];
  const { hostname, port } = new URL(bench.database.url);
  network = createServer((near) => {
    const far = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far).pipe(near);
    sockets.push(near);
  });
  network.listen(0, '127.0.0.1');
  await once(network, 'listening');
  const url = new URL(bench.database.url);
  url.host = `127.0.0.1:${(network.address() as AddressInfo).port}`;
  const options = { schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 4, logger };
  store = createStore({ url: url.href, ...options });
});
afterAll(async () => {
  await store.stop();
  network.close();
  await bench.stop();
});
beforeEach(() => holder.rows('rollback'));

/**
 * As a switch that was power-cycled: the other side is told nothing but that the connection is
 * none.
 */
function cut(): void {
  for (const socket of sockets.splice(0)) socket.resetAndDestroy();
}

/** Starts the call, which cannot go on because of a lock, and cuts its connection. */
async function cutUnder(call: () => Promise<unknown>, lock: string): Promise<string> {
  await holder.rows('begin');
  await holder.rows(lock);
  const code = codeOf(call());
  const blocked = 'select count(*) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))';
  await expect.poll(() => bench.value(blocked, [holder.pid])).toBe(1);
  cut();
  const told = await code;
  await holder.rows('rollback');
  return told;
}

describe('a connection that is cut', () => {
  it.each([
    [
      'a hot verb',
      () =>
        store.messages.publish(
          [{ topicId: queue.topicId, calls: [{ messages: [newMessage('a')], publisher: CALLER }] }],
          true,
        ),
      'lock table willcall.message in access exclusive mode',
    ],
    ['a look-up', () => store.topics.find(queue.name), 'lock table willcall.topic in access exclusive mode'],
    [
      'a transaction',
      () =>
        store.subscriptions.create(
          {
            ...subscriptionDefaults,
            name: 'cut',
            topicId: queue.topicId,
            topic: queue.name,
            topicPublicId: 'top',
            start: 'latest',
          },
          { principal: CALLER, keyId: null },
        ),
      'lock table willcall.delivery in access exclusive mode',
    ],
  ])('under %s fails that alone', async (_, call, lock) => {
    expect(await cutUnder(call, lock)).toBe('database_unavailable');
    await expect
      .poll(() =>
        store.topics.find(queue.name).then(
          (topic) => topic?.name,
          () => 'away',
        ),
      )
      .toBe(queue.name);
  });

  it('while it is idle is replaced', async () => {
    await Promise.all(Array.from({ length: 4 }, () => store.ping()));
    cut();
    await expect
      .poll(() =>
        store.ping().then(
          () => 'there',
          () => 'away',
        ),
      )
      .toBe('there');
  });
});

describe('a session of the service', () => {
  it('is bounded in all it may hold others up with, and works as the runtime role', async () => {
    const db = createDb({
      url: bench.database.url,
      schema: 'willcall',
      runtimeRole: 'willcall_runtime',
      connectionsMax: 1,
      logger,
    });
    const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'jit'];
    const text = `select name, setting || coalesce(unit, '') as setting from pg_settings where name = any ($1) order by name`;
    const rows = await db.call<{ name: string; setting: string }>(db.prepare('settings', text), [names]);
    const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
    expect(settings).toEqual({
      ...{ statement_timeout: '10000ms', lock_timeout: '3000ms' },
      ...{ idle_in_transaction_session_timeout: '10000ms', jit: 'off' },
    });
    const role = await db.call<{ role: string }>(db.prepare('role', 'select current_user::text as role'), []);
    expect(role).toEqual([{ role: 'willcall_runtime' }]);
    await db.stop();
  });
});

describe('a connection that is given back', () => {
  const unwatched = { wait: <T>(begin: () => Promise<T>) => begin(), suspect: async () => {} };
  const runHot = createHotRunner(createTypeParser());
  /** One connection at most, whose owner waits for answers no longer than told. */
  const openPool = () => new pg.Pool({ connectionString: bench.database.url, max: 1, query_timeout: 1_000 });

  it('while it is busy is closed, and the next caller gets another one', async () => {
    const pool = openPool();
    const connect = createConnect(pool, unwatched, runHot);
    await holder.rows('begin');
    await holder.rows('lock table willcall.topic in access exclusive mode');
    const busy = await connect();
    await expect(busy.query('select from willcall.topic')).rejects.toThrow('Query read timeout');
    busy.release();
    expect(pool.totalCount).toBe(0);
    const next = await connect();
    expect((await next.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    next.release();
    await pool.end();
  });

  it('after a statement that was refused is kept', async () => {
    const pool = openPool();
    const connection = await createConnect(pool, unwatched, runHot)();
    await expect(connection.query('select 1 / 0')).rejects.toThrow('division by zero');
    connection.release();
    expect(pool.totalCount).toBe(1);
    await pool.end();
  });
});
