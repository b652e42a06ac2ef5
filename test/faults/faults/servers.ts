// What happens to PostgreSQL as a whole: one of its processes dies, all of them do, and operators
// restart it.

import { pause, until } from '../lab/waiting.ts';
import type { Fault } from './fault.ts';
import { signal } from './signal.ts';

/** The service's sessions, working ones first. */
const SESSIONS = `
  select pid from pg_stat_activity
  where application_name = 'willcall' and backend_type = 'client backend'
  order by state = 'active' desc, pid`;

export const killBackend: Fault = {
  name: 'a backend of PostgreSQL is killed (SIGKILL)',
  side: 'database',
  inflict: async ({ cluster }) => {
    const [session] = await cluster.query<{ pid: number }>(SESSIONS);
    if (session === undefined) return;
    // PostgreSQL then ends every other session, recovers from its log, and goes on by itself.
    const witness = await cluster.connect();
    const ended = new Promise<void>((resolve) => witness.once('end', () => resolve()));
    if (!signal(session.pid, 'SIGKILL')) {
      await witness.end();
      return;
    }
    await ended;
    await until(async () => (await cluster.query('select')).length === 1, 'PostgreSQL has recovered');
  },
};

export const killPostmaster: Fault = {
  name: 'PostgreSQL is killed (SIGKILL) and started again',
  side: 'database',
  inflict: async ({ cluster, instances }, random) => {
    await cluster.killPostmaster();
    await pause(random.whole(0, 1_000));
    await cluster.start();
    for (const instance of instances) instance.follow();
  },
};

export const freezeServer: Fault = {
  name: 'PostgreSQL is frozen as a whole and goes on (SIGSTOP, SIGCONT)',
  side: 'database',
  inflict: async ({ cluster }, random) => {
    const goOn = await cluster.freeze();
    await pause(random.whole(500, 5_000));
    goOn();
  },
};

const restart = (mode: 'fast' | 'immediate'): Fault => ({
  name: `PostgreSQL is restarted (${mode})`,
  side: 'database',
  inflict: async ({ cluster, instances }, random) => {
    await cluster.stop(mode);
    await pause(random.whole(0, 500));
    await cluster.start();
    for (const instance of instances) instance.follow();
  },
});

export const restartFast = restart('fast');
export const restartImmediately = restart('immediate');
