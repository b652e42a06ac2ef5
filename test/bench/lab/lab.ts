// The workbench that workloads are given: starts systems under test on fresh databases, drives load
// at them, reads processor time at the borders of each window, and puts everything away again.

import { fork } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadEvent, LoadJob } from '../load/protocol.ts';
import type { Target } from '../load/queue-client.ts';
import type { Peer } from '../peers/peer.ts';
import { type Cluster, holdSnapshot, openCluster } from './cluster.ts';
import { type CpuSeconds, readCpu, subtractCpu } from './cpu.ts';
import { readRssMib } from './memory.ts';
import { Processes, type ServerProcess, stopChild } from './processes.ts';

/** A system that was started, as one or more instances on one database. */
export interface RunningPeer {
  readonly peer: Peer;
  readonly targets: readonly Target[];
  readonly pids: readonly number[];
  readonly databaseUrl: string | null;
  /** The end of what its instances have written so far: where they say why a call failed. */
  lastLines(): string;
  stop(): Promise<void>;
}

/** One window as the driver saw it, and what it cost each party. */
export interface MeasuredWindow<Figures> {
  readonly figures: Figures;
  readonly cpu: CpuSeconds;
}

export interface Usage {
  /** Resident memory of the service's processes; null where it cannot be read. */
  readonly rssMib: number | null;
  /** Database connections; null without a database. */
  readonly connections: number | null;
  /** Transactions in its database since it was made. */
  readonly transactions: number | null;
}

/** What every driver's figures say: how many calls failed. */
interface Troubled {
  readonly errors: number;
}

export interface LoadOrder<Settings, Figures> {
  /** File URL of a driver in `load/`. */
  readonly driver: string;
  readonly settings: Settings;
  readonly under: RunningPeer;
  /** Called after each window with how many are done and the window; the load goes on meanwhile. */
  readonly onWindow?: (done: number, window: MeasuredWindow<Figures>) => Promise<void>;
}

export class Lab {
  readonly cluster: Cluster;
  readonly #directory: string;
  readonly #processes: Processes;
  readonly #running = new Set<RunningPeer>();
  #started = 0;
  #closed = false;

  private constructor(directory: string, cluster: Cluster, processes: Processes) {
    this.#directory = directory;
    this.cluster = cluster;
    this.#processes = processes;
    process.once('exit', () => {
      if (!this.#closed) {
        cluster.kill();
      }
    });
  }

  /** `onFailure` is told when a process ends that should not have. */
  static async open(databaseUrl: string | null, onFailure: (error: Error) => void): Promise<Lab> {
    const directory = await mkdtemp(join(tmpdir(), 'willcall-bench-'));
    try {
      return new Lab(directory, await openCluster(directory, databaseUrl), new Processes(onFailure));
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts a peer on a new, empty database. */
  async startPeer(peer: Peer, instances = 1): Promise<RunningPeer> {
    this.#started += 1;
    const name = `willcall_bench_${peer.name.replaceAll('-', '_')}_${this.#started}`;
    const databaseUrl = peer.needsDatabase ? await this.cluster.createDatabase(name) : null;
    const servers: ServerProcess[] = [];
    const targets: Target[] = [];
    const running: RunningPeer = {
      peer,
      targets,
      get pids() {
        return servers.map((server) => server.pid);
      },
      databaseUrl,
      lastLines: () => servers.map((server) => server.lastLines()).join('\n'),
      stop: async () => {
        if (!this.#running.delete(running)) {
          return;
        }
        await Promise.all(servers.map((server) => server.stop()));
        if (databaseUrl !== null) {
          await this.cluster.dropDatabase(name);
        }
      },
    };
    this.#running.add(running);
    for (let instance = 1; instance <= instances; instance += 1) {
      const directory = join(this.#directory, `${name}-${instance}`);
      await mkdir(directory);
      const command = { workingDirectory: directory, name: `${peer.name} #${instance}`, ...peer.command(databaseUrl) };
      const server = await this.#processes.startServer(command);
      servers.push(server);
      targets.push(await peer.target(server.ready, databaseUrl));
    }
    return running;
  }

  /** Runs one load to its end, in a process of its own; throws when the driver does. */
  async runLoad<Settings, Figures extends Troubled>(
    order: LoadOrder<Settings, Figures>,
  ): Promise<MeasuredWindow<Figures>[]> {
    const child = fork(fileURLToPath(new URL('../load/generator.ts', import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
      detached: true,
    });
    let over = false;
    this.#processes.watch(
      child,
      'the load generator',
      () => over,
      () => '',
    );
    const postgres = order.under.databaseUrl === null ? ('none' as const) : this.cluster.postmasterPid;
    const generator = child.pid ?? null;
    // A library has no service: the generator's time is the system's own.
    const parties =
      order.under.peer.worksInGenerator && generator !== null
        ? { service: [...order.under.pids, generator], postgres, load: null }
        : { service: order.under.pids, postgres, load: generator };
    const read = () => readCpu(parties);
    const windows: MeasuredWindow<Figures>[] = [];
    const asides: Promise<void>[] = [];
    const finished = new Promise<void>((resolve, reject) => {
      let before = read();
      child.on('message', (message) => {
        const event = message as LoadEvent;
        switch (event.type) {
          case 'measuring':
            before = read();
            break;
          case 'window': {
            const now = read();
            const window = { figures: event.figures as Figures, cpu: subtractCpu(now, before) };
            windows.push(window);
            if (window.figures.errors > 0) {
              process.stderr.write(`${order.under.peer.name} wrote last:\n${order.under.lastLines()}\n`);
            }
            before = now;
            if (order.onWindow !== undefined) {
              const aside = order.onWindow(windows.length, window);
              // What fails beside the load ends it.
              aside.catch(reject);
              asides.push(aside);
            }
            break;
          }
          case 'done':
            resolve();
            break;
          case 'failed':
            reject(
              new Error(
                `the load failed: ${event.text}\n${order.under.peer.name} wrote last:\n${order.under.lastLines()}`,
              ),
            );
            break;
        }
      });
      child.once('exit', () => reject(new Error('the load generator ended')));
      const job: LoadJob = { driver: order.driver, settings: order.settings };
      child.send(job);
    });
    try {
      await finished;
      await Promise.all(asides);
    } finally {
      over = true;
      await stopChild(child);
    }
    return windows;
  }

  /** What a system uses at this moment beside processor time. */
  async readUsage(running: RunningPeer): Promise<Usage> {
    const database = running.databaseUrl === null ? null : new URL(running.databaseUrl).pathname.slice(1);
    const activity = database === null ? null : await this.cluster.readActivity(database);
    return {
      rssMib: readRssMib(running.pids),
      connections: activity?.connections ?? null,
      transactions: activity?.transactions ?? null,
    };
  }

  /** Bytes that are left where the bench keeps its own PostgreSQL. */
  async readFreeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory);
    return bavail * bsize;
  }

  /** See `holdSnapshot` in cluster.ts. */
  async holdSnapshot(running: RunningPeer): Promise<() => Promise<void>> {
    if (running.databaseUrl === null) {
      throw new Error(`${running.peer.name} has no database to hold a snapshot of`);
    }
    return holdSnapshot(running.databaseUrl);
  }

  /** Ends every process that this run started, and removes its directory. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#running].map((running) => running.stop()));
    await this.#processes.stopAll();
    await this.cluster.stop();
    this.#closed = true;
    await rm(this.#directory, { recursive: true, force: true });
  }
}
