// A whole service in this process, on a free port and a fresh database, for tests that see only
// HTTP.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, parseConfig } from '../../src/config.ts';
import type { Logger } from '../../src/domain/logger.ts';
import { startWillcall } from '../../src/willcall.ts';
import { type Client, createClient } from './client.ts';
import { createTestDatabase } from './database.ts';
import { callWitness, type Witness } from './witness.ts';

export interface TestService {
  url: string;
  adminKey: string;
  /** Fails where an answer is not as the service describes it. */
  client: Client;
  witness: Witness;
  /**
   * Stops the service and drops its database. Throws when the service logged an error: no request
   * may cause one.
   */
  stop(): Promise<void>;
}

/** Starts a service; to be stopped in afterAll. */
export async function startTestService(overrides: Partial<Config> = {}): Promise<TestService> {
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'willcall-contract-'));
  const { logger, errors } = createRecorder();
  const config = { ...parseConfig({ DATABASE_URL: database.url, WILLCALL_PORT: '0' }), dataDir, ...overrides };
  const willcall = await startWillcall(config, logger);
  const witness = await callWitness(willcall.url);
  const client = createClient(willcall.url, willcall.adminKey.key, witness);
  return {
    url: willcall.url,
    adminKey: willcall.adminKey.key,
    client,
    witness,
    async stop() {
      client.close();
      try {
        await willcall.stop();
      } finally {
        await database.drop();
        await rm(dataDir, { recursive: true, force: true });
      }
      if (errors.length > 0) throw new Error(`the service logged ${errors.length} errors`, { cause: errors[0] });
    },
  };
}

function createRecorder(): { logger: Logger; errors: unknown[] } {
  const errors: unknown[] = [];
  const ignore = () => {};
  const error = (fields: object, message: string) => errors.push('err' in fields ? fields.err : message);
  return { logger: { debug: ignore, info: ignore, warn: ignore, error }, errors };
}
