// What happens to sessions of the service while the server goes on: ended, cancelled, frozen, kept
// waiting for locks that strangers hold, and left without a free place at the server.

import type { Client } from 'pg';
import type { Lab } from '../lab/lab.ts';
import type { Random } from '../lab/random.ts';
import { pause } from '../lab/waiting.ts';
import type { Fault } from './fault.ts';
import { signal } from './signal.ts';

export const loseWakeups: Fault = {
  name: 'the sessions that listen are ended',
  side: 'database',
  inflict: async ({ cluster }) => {
    const text = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'willcall wakeup'`;
    await cluster.query(text);
  },
};

export const endSessions: Fault = {
  name: 'every session of the service is ended by an operator',
  side: 'database',
  inflict: async ({ cluster }) => {
    const text = `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'willcall%'`;
    await cluster.query(text);
  },
};

/** As when statement_timeout passes: the server ends the statement by the same interrupt. */
export const cancelStatements: Fault = {
  name: 'statements are cancelled',
  side: 'database',
  inflict: async ({ cluster }, random) => {
    const client = await cluster.connect();
    const text = `
      select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'willcall' and state = 'active'`;
    for (let times = random.whole(20, 60); times > 0; times -= 1) {
      await client.query(text);
      await pause(random.whole(2, 30));
    }
    await client.end();
  },
};

const freezeBackends = (forHow: string, msMin: number, msMax: number): Fault => ({
  name: `a backend of PostgreSQL is frozen${forHow}, with the locks that it holds`,
  side: 'database',
  inflict: async ({ cluster }, random) => {
    const client = await cluster.connect();
    const pids = await client.query<{ pid: number }>(`
      select pid from pg_stat_activity where application_name = 'willcall' order by state = 'active' desc, pid limit 2`);
    await client.end();
    const frozen = pids.rows.map(({ pid }) => pid);
    for (const pid of frozen) signal(pid, 'SIGSTOP');
    await pause(random.whole(msMin, msMax));
    for (const pid of frozen) signal(pid, 'SIGCONT');
  },
});

export const freezeBackend = freezeBackends('', 500, 3_000);
/** statement_timeout passes meanwhile. */
export const freezeBackendForLong = freezeBackends(' for longer than a statement may take', 10_500, 13_000);

/** Two in three are longer than lock_timeout. */
const holdMs = (random: Random) => random.pick([1_000, 3_500, 5_000]);

/** Holds what the statement takes, then gives it back. */
async function hold(lab: Lab, random: Random, take: (stranger: Client) => Promise<unknown>): Promise<void> {
  const stranger = await lab.cluster.connect();
  await stranger.query('begin');
  await take(stranger);
  await pause(holdMs(random));
  await stranger.query('rollback');
  await stranger.end();
}

export const holdAdvisoryLock: Fault = {
  name: 'a stranger holds advisory locks of the service',
  side: 'database',
  inflict: (lab, random) => {
    const lock = random.pick(['topic', 'receive', 'settle']);
    const column = lock === 'topic' ? 'topic_id' : 'subscription_id';
    const table = lock === 'topic' ? 'topic' : 'subscription';
    const text = `
      select willcall.take_lock(willcall.lock_${lock}(), ${column})
      from willcall.${table} order by ${column} desc limit 4`;
    return hold(lab, random, (stranger) => stranger.query(text));
  },
};

export const holdTable: Fault = {
  name: 'a stranger locks a whole table, and the pool runs out',
  side: 'database',
  inflict: (lab, random) => {
    const table = random.pick([
      'message',
      'delivery',
      'lease',
      'deferred',
      'acknowledgment',
      'failure',
      'subscription',
    ]);
    return hold(lab, random, (stranger) => stranger.query(`lock table willcall.${table} in access exclusive mode`));
  },
};

export const useUpConnections: Fault = {
  name: 'strangers take every place at the server',
  side: 'database',
  inflict: async ({ cluster, instances }, random) => {
    const strangers: Client[] = [];
    for (const instance of instances) instance.database.cut();
    // The superuser's own places are left, so that an operator can look.
    while (strangers.length < 100) {
      const [{ left = 0 } = {}] = await cluster.query<{ left: number }>(`
        select current_setting('max_connections')::integer - 4 - count(*)::integer as left
        from pg_stat_activity where backend_type = 'client backend'`);
      if (left <= 0) break;
      strangers.push(await cluster.connect());
    }
    await pause(random.whole(500, 2_500));
    await Promise.all(strangers.map((stranger) => stranger.end()));
  },
};
