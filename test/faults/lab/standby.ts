// A streaming standby of a cluster, made by a base backup of the low-level kind: the embedded
// programs bring no pg_basebackup, and none is needed
// (https://www.postgresql.org/docs/current/continuous-archiving.html).

import { chown, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../src/embedded/command.ts';
import { type Cluster, openCluster } from './cluster.ts';
import { until } from './waiting.ts';

/** Copies the cluster to `dataDir` while it runs, and starts the copy; resolves when it streams. */
export async function makeStandby(primary: Cluster, dataDir: string): Promise<Cluster> {
  const { place } = primary;
  await mkdir(dataDir);
  if (place.user !== undefined) await chown(dataDir, place.user.uid, place.user.gid);
  await cp(join(place.dataDir, 'postgres-password'), join(dataDir, 'postgres-password'));
  const copy = join(dataDir, 'postgres');
  await copyCluster(primary, copy);
  const { port, username, password } = new URL(primary.url);
  const primary_conninfo = `host=127.0.0.1 port=${port} user=${username} password=${password} application_name=standby`;
  const standby = await openCluster(dataDir, { primary_conninfo });
  await standby.start();
  await until(async () => (await primary.query('select from pg_stat_replication')).length === 1, 'the standby streams');
  return standby;
}

async function copyCluster(primary: Cluster, copy: string): Promise<void> {
  const { clusterDir, user } = primary.place;
  const session = await primary.connect();
  await session.query(`select pg_backup_start('standby', true)`);
  // As the account that owns it; what vanishes under the copying hands is what recovery will not
  // miss.
  await runCommand('cp', ['-a', clusterDir, copy], user);
  const { rows } = await session.query<{ labelfile: string }>('select labelfile from pg_backup_stop()');
  await session.end();
  await rm(join(copy, 'postmaster.pid'), { force: true });
  for (const [name, text] of [
    ['backup_label', rows[0]?.labelfile ?? ''],
    ['standby.signal', ''],
  ] as const) {
    await writeFile(join(copy, name), text, { mode: 0o600 });
    if (user !== undefined) await chown(join(copy, name), user.uid, user.gid);
  }
}

/** From now on commits wait until the standby has them on its disk. */
export async function makeSynchronous(primary: Cluster): Promise<void> {
  await primary.query(`alter system set synchronous_standby_names = '*'`);
  await primary.query('select pg_reload_conf()');
  await until(async () => {
    const found = await primary.query(`select from pg_stat_replication where sync_state = 'sync'`);
    return found.length === 1;
  }, 'the standby is synchronous');
}

/**
 * Holds back what the primary sends to its standby, as a network does that loses it, until the
 * returned function ends the sender without its having sent any of it.
 */
export async function holdReplication(primary: Cluster): Promise<() => void> {
  const [sender] = await primary.query<{ pid: number }>('select pid from pg_stat_replication');
  if (sender === undefined) throw new Error('there is no standby');
  process.kill(sender.pid, 'SIGSTOP');
  return () => void process.kill(sender.pid, 'SIGKILL');
}
