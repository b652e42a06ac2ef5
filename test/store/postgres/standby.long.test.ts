// A database that has become a standby, as a primary that was demoted: it answers, and takes no
// writes, so the service is not ready.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/embedded/index.ts';
import { createStore } from '../../../src/store/index.ts';
import { migrate } from '../../../src/store/schema/migrate.ts';

const SCHEMA = { schema: 'willcall', runtimeRole: 'willcall_runtime' };
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let dataDir: string;
let server: EmbeddedPostgres;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-standby-'));
  await chmod(dataDir, 0o755);
  const primary = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' } });
  await migrate({ ownerUrl: primary.url, ...SCHEMA });
  await primary.stop();
  await writeFile(join(primary.dataDir, 'standby.signal'), '');
  server = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' } });
});
afterAll(async () => {
  await server?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

it('is not ready', async () => {
  const store = createStore({ url: server.url, ...SCHEMA, connectionsMax: 2, logger });
  await expect(store.ping()).rejects.toMatchObject({ code: 'database_unavailable' });
  await store.stop();
});
