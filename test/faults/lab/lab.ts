// Everything that a run of faults needs: a PostgreSQL, instances of the service between proxies,
// and an operator's client that no proxy comes between. The directory is removed at the end, or
// kept for whoever wants to know what happened.

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, createDatabase, openCluster } from './cluster.ts';
import { createInstance, type Instance } from './instance.ts';
import { until } from './waiting.ts';

export interface Lab {
  readonly directory: string;
  readonly instances: readonly [Instance, Instance];
  readonly adminKey: string;
  /** The one that serves; another one after a failover. */
  cluster: Cluster;
  /**
   * Lets everything through, starts what does not run, and waits until every instance serves; how
   * long that took.
   */
  heal(): Promise<number>;
  /** Keeps the directory, whatever happens next. */
  keep(): void;
  end(): Promise<void>;
}

export interface LabOptions {
  /** By how much the clocks of the two are wrong. */
  readonly clockShiftsMs?: readonly [number, number];
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the cluster shall lie instead of in the lab's directory. */
  readonly clusterDirectory?: string;
}

const DIRECTORY_PREFIX = 'willcall-chaos-';

/** Starts everything. */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const directory = await makeDirectory();
  const adminKey = randomBytes(24).toString('hex');
  const clusterDirectory = options.clusterDirectory ?? join(directory, 'cluster');
  await mkdir(clusterDirectory, { recursive: true });
  const cluster = await openCluster(clusterDirectory, { ...options.settings });
  await cluster.start();
  await createDatabase(cluster);
  const state = { cluster, kept: false };
  const [first = 0, second = 0] = options.clockShiftsMs ?? [];
  const make = (name: string, clockShiftMs: number) =>
    createInstance({ name, directory, adminKey, databaseUrl: () => state.cluster.url, clockShiftMs });
  const instances = [await make('instance-0', first), await make('instance-1', second)] as const;
  await Promise.all(instances.map((instance) => instance.start()));

  return {
    ...{ directory, adminKey },
    instances: [...instances],
    get cluster() {
      return state.cluster;
    },
    set cluster(next) {
      state.cluster = next;
    },
    heal: async () => {
      for (const instance of instances) {
        instance.follow();
        instance.database.behave({ how: 'pass' });
        instance.clients.behave({ how: 'pass' });
        instance.signal('SIGCONT');
      }
      await Promise.all(instances.map((instance) => instance.start()));
      const ready = async () => (await Promise.all(instances.map((one) => one.isReady()))).every((one) => one);
      return until(ready, 'every instance serves again');
    },
    keep: () => {
      state.kept = true;
    },
    end: async () => {
      await Promise.all(instances.map((instance) => instance.end()));
      await cluster.end();
      await state.cluster.end();
      if (!state.kept) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Open to the account that runs PostgreSQL. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), DIRECTORY_PREFIX));
  await chmod(directory, 0o755);
  return directory;
}
