// Runs what documents show: a service started as `npm start` starts it, with nothing but a
// directory, and bash to paste into. Only the port differs from the documents, because 8080 may be
// taken.

import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const documentedAddress = 'http://127.0.0.1:8080';

/** Starting a PostgreSQL from nothing takes seconds, many more on a busy machine. */
export const startMs = 600_000;

export interface Desk {
  /** Where bash runs: a folder that looks to the examples like the repository's. */
  readonly folder: string;
  /** What the script wrote to standard output; throws when a line of it fails. */
  paste(script: string): Promise<string>;
  stop(): Promise<void>;
}

/** A text of the repository. */
export function readDocument(name: string): Promise<string> {
  return readFile(path.join(root, name), 'utf8');
}

export async function openDesk(): Promise<Desk> {
  const folder = await mkdtemp(path.join(tmpdir(), 'willcall-docs-'));
  // When root runs the tests, PostgreSQL runs as another account, which has to get to its data.
  await chmod(folder, 0o755);
  await mkdir(path.join(folder, 'docs'));
  await symlink(path.join(root, 'docs/samples'), path.join(folder, 'docs/samples'));
  const kept = Object.entries(process.env).filter(([name]) => !/^(WILLCALL|DATABASE)_/.test(name));
  const service = spawn(process.execPath, [path.join(root, 'src/main.ts')], {
    cwd: folder,
    env: { ...Object.fromEntries(kept), WILLCALL_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => service.once('exit', resolve));
  const words: string[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [service.stdout, service.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        words.push(line);
        const announced = /^willcall listening on (http:\/\/\S+)$/.exec(line)?.[1];
        if (announced !== undefined) resolve(announced);
      });
    }
    service.once('exit', () => reject(new Error(`The service ended at its start:\n${words.join('\n')}`)));
  });
  return {
    folder,
    async paste(script) {
      const text = script.replaceAll(documentedAddress, address);
      const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', text], { cwd: folder });
      return stdout;
    },
    async stop() {
      service.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The fenced bash blocks of a text. */
export function readBashBlocks(text: string): string[] {
  return [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map((block) => block[1] ?? '');
}
