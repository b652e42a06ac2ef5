// What the bench uses of pg-boss 12.

import { importInstalled } from '../installed.ts';

export interface Job {
  readonly id: string;
  readonly data: { readonly body: string };
  readonly retryCount?: number;
}

export interface Boss {
  on(event: 'error', listener: (error: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean }): Promise<void>;
  createQueue(name: string): Promise<void>;
  insert(
    name: string,
    jobs: readonly { data: object }[],
    options: { returnId: true },
  ): Promise<readonly string[] | null>;
  fetch(name: string, options: { batchSize: number }): Promise<readonly Job[]>;
  complete(name: string, ids: readonly string[]): Promise<{ readonly affected: number }>;
}

interface PgBossModule {
  PgBoss: new (options: Record<string, unknown>) => Boss;
}

/** As many database connections as Willcall has. */
const POOL_SIZE = 10;

/**
 * A boss that is not started yet. One process supervises: it expires, deletes what is old, and
 * keeps statistics.
 */
export async function makeBoss(connectionString: string, supervise: boolean): Promise<Boss> {
  const { PgBoss } = await importInstalled<PgBossModule>('pg-boss');
  const max = supervise ? 2 : POOL_SIZE;
  return new PgBoss({ connectionString, max, supervise, migrate: supervise, schedule: false });
}
