// What the bench uses of graphile-worker 0.18: its public utilities to migrate and to add jobs, and
// the two statements with which its worker takes and completes jobs in batches. Those are not
// exported; they are called as the worker calls them, so that a batch can be received and signed
// for by the same caller.

import pg from 'pg';
import { importInstalled, importInstalledFile } from '../installed.ts';

export interface Job {
  readonly id: string;
  readonly payload: { readonly body: string };
  readonly attempts: number;
}

export interface WorkerUtils {
  addJobs(specs: readonly { identifier: string; payload: object }[]): Promise<readonly unknown[]>;
  migrate(): Promise<void>;
  release(): Promise<void>;
}

type Run = <T>(callback: (client: pg.PoolClient) => Promise<T>) => Promise<T>;
type RunWithRetries = Run & { withRetries: Run };

interface Main {
  makeWorkerUtils(options: { pgPool: pg.Pool; logger: unknown }): Promise<WorkerUtils>;
  Logger: new (factory: () => () => void) => unknown;
}

interface GetJobs {
  batchGetJobs(
    options: object,
    run: RunWithRetries,
    tasks: Readonly<Record<string, true>>,
    poolId: string,
    flagsToSkip: null,
    batchSize: number,
  ): Promise<readonly Job[]>;
}

interface CompleteJobs {
  batchCompleteJobs(
    options: object,
    run: Run,
    poolId: string,
    jobs: readonly { id: string; job_queue_id: null }[],
  ): Promise<void>;
}

interface Lib {
  processSharedOptions(options: object): object;
}

/** As many database connections as Willcall has. */
const POOL_SIZE = 10;

export interface Library {
  readonly utils: WorkerUtils;
  take(task: string, poolId: string, batchSize: number): Promise<readonly Job[]>;
  /** How many were there to be completed. */
  complete(ids: readonly string[], poolId: string): Promise<number>;
  close(): Promise<void>;
}

export async function openLibrary(connectionString: string): Promise<Library> {
  const [main, getJobs, completeJobs, lib] = await Promise.all([
    importInstalled<Main>('graphile-worker'),
    importInstalledFile<GetJobs>('graphile-worker/dist/sql/getJobs.js'),
    importInstalledFile<CompleteJobs>('graphile-worker/dist/sql/completeJobs.js'),
    importInstalledFile<Lib>('graphile-worker/dist/lib.js'),
  ]);
  const pool = new pg.Pool({ connectionString, max: POOL_SIZE });
  const report = (error: Error) => process.stderr.write(`${error.message}\n`);
  // It asks for both: an idle connection's errors reach the pool, a busy one's the client.
  pool.on('error', report).on('connect', (client) => client.on('error', report));
  const logger = new main.Logger(() => () => {});
  const run: Run = async (callback) => {
    const client = await pool.connect();
    try {
      return await callback(client);
    } finally {
      client.release();
    }
  };
  const withRetries: RunWithRetries = Object.assign(
    <T>(callback: (client: pg.PoolClient) => Promise<T>) => run(callback),
    {
      withRetries: run,
    },
  );
  // The ids of tasks are remembered for each object of options: one for each task, as each worker
  // has its own.
  const optionsByTask = new Map<string, object>();
  const optionsOf = (task: string) => {
    const known = optionsByTask.get(task) ?? lib.processSharedOptions({ pgPool: pool, logger });
    optionsByTask.set(task, known);
    return known;
  };
  return {
    utils: await main.makeWorkerUtils({ pgPool: pool, logger }),
    take: (task, poolId, batchSize) =>
      getJobs.batchGetJobs(optionsOf(task), withRetries, { [task]: true }, poolId, null, batchSize),
    complete: async (ids, poolId) => {
      let completed = 0;
      const counting: Run = (callback) =>
        run(async (client) => callback(countRows(client, (rows) => (completed += rows))));
      const jobs = ids.map((id) => ({ id, job_queue_id: null }));
      await completeJobs.batchCompleteJobs(optionsOf(''), counting, poolId, jobs);
      return completed;
    },
    close: () => pool.end(),
  };
}

// The statement is a deletion by id, whose count its worker does not look at.
function countRows(client: pg.PoolClient, count: (rows: number) => void): pg.PoolClient {
  const query = async (config: pg.QueryConfig) => {
    const result = await client.query(config);
    count(result.rowCount ?? 0);
    return result;
  };
  return { query } as unknown as pg.PoolClient;
}
