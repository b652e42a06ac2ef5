// The client as a package: what npm would pack compiles in a strict project of somebody else's and
// stands alone.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inRepository, installClient } from '../docs/toolchains.ts';

const run = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'willcall-package-'));
  await installClient(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is found by its exported name, and nothing else of the package is', async () => {
  const program = "console.log(Object.keys(await import('willcall/client')).sort().join()); await import('willcall')";
  const failed = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: folder }).catch(
    (error) => error,
  );
  expect(failed.stdout.trim()).toBe('Rejection,WillcallClientError,bytesOf,createClient');
  expect(failed.stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('imports nothing but itself', async () => {
  const home = path.join(folder, 'node_modules/willcall/dist/client');
  const modules = (await readdir(home)).filter((name) => name.endsWith('.js'));
  expect(modules.length).toBeGreaterThan(5);
  for (const name of modules) {
    const text = await readFile(path.join(home, name), 'utf8');
    for (const [, from] of text.matchAll(/from '([^']+)'/g)) expect(from).toMatch(/^\.\/[\w-]+\.js$/);
  }
});

it('has types that a strict project can use without those of Node', async () => {
  await writeFile(
    path.join(folder, 'program.ts'),
    `import { createClient, type ReceivedMessage } from 'willcall/client';
const client = createClient({ url: 'http://127.0.0.1', key: 'k' });
const handler = async (message: ReceivedMessage): Promise<{ reference: string }> => ({ reference: message.id });
export const done: Promise<void> = client.consume({ subscription: 's', handler });
// @ts-expect-error: a receipt is text
export const wrong = client.extend('s', [1]);
`,
  );
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: false, types: [] },
    ...{ module: 'nodenext', target: 'es2024', lib: ['es2024', 'dom', 'dom.iterable'] },
  };
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const tsc = inRepository('node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', '.'], { cwd: folder }).catch((error) => error);
  expect(stdout).toBe('');
});
