// npm run test:matrix: the whole test suite over each PostgreSQL that the service supports, one
// after the other, each in a container of its own. `--versions 15,17` chooses; what follows `--`
// goes to vitest. Ends with 1 when a version failed, and when there is no Docker.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { getContainerRuntimeClient } from 'testcontainers';

const SUPPORTED = ['15', '16', '17', '18'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VITEST = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
/**
 * Settings that cost a test nothing but time, or that the suite needs: see
 * test/support/global-setup.ts.
 */
const SETTINGS = ['fsync=off', 'full_page_writes=off', 'max_connections=300', 'search_path=public'];

process.exitCode = await runMatrix(process.argv.slice(2));

async function runMatrix(args: string[]): Promise<number> {
  const { versions, vitestArgs, mistake } = readArguments(args);
  if (mistake !== undefined) return complain(mistake);
  try {
    await getContainerRuntimeClient();
  } catch {
    return complain('There is no Docker here to run PostgreSQL in, so nothing was tested; npm test needs none.');
  }
  const failed: string[] = [];
  for (const version of versions) {
    process.stdout.write(`\nPostgreSQL ${version}\n`);
    if (!(await testOver(version, vitestArgs))) failed.push(version);
  }
  if (failed.length > 0) return complain(`The suite failed over PostgreSQL ${failed.join(', ')}.`);
  process.stdout.write(`The suite passed over PostgreSQL ${versions.join(', ')}.\n`);
  return 0;
}

interface Arguments {
  versions: string[];
  vitestArgs: string[];
  /** A sentence about what cannot be done. */
  mistake?: string;
}

function readArguments(args: string[]): Arguments {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const vitestArgs = args.slice(end + 1);
  try {
    const { values } = parseArgs({ args: args.slice(0, end), options: { versions: { type: 'string' } } });
    const versions = values.versions?.split(',') ?? SUPPORTED;
    const unknown = versions.filter((version) => !SUPPORTED.includes(version));
    if (unknown.length === 0) return { versions, vitestArgs };
    const mistake = `--versions takes some of ${SUPPORTED.join(',')}; ${unknown.join(',')} is not among them.`;
    return { versions: [], vitestArgs, mistake };
  } catch (error) {
    return { versions: [], vitestArgs, mistake: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Whether the suite passed over that version; a container that does not start is told of and counts
 * as failed.
 */
async function testOver(version: string, vitestArgs: string[]): Promise<boolean> {
  try {
    const container = await new PostgreSqlContainer(`postgres:${version}`)
      .withCommand(['postgres', ...SETTINGS.flatMap((setting) => ['-c', setting])])
      .start();
    try {
      return await runSuite(container.getConnectionUri(), vitestArgs);
    } finally {
      await container.stop();
    }
  } catch (error) {
    complain(`PostgreSQL ${version} did not start: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function runSuite(url: string, vitestArgs: string[]): Promise<boolean> {
  const suite = spawn(process.execPath, [VITEST, 'run', ...vitestArgs], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, TEST_DATABASE_URL: url },
  });
  const [code] = (await once(suite, 'exit')) as [number | null];
  return code === 0;
}

function complain(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 1;
}
