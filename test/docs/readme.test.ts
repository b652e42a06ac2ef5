// The README's tour, pasted into bash as a newcomer would, against a service that was started as `npm start` starts it:
// with nothing but a directory. Only the port differs, because 8080 may be taken.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const START_MS = 90_000;

let folder: string;
let service: ChildProcess;
let output: string;

/** The fenced bash blocks between the tour's markers, as one script. */
async function readTour(): Promise<string> {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const tour = /<!-- tour:start -->(.*)<!-- tour:end -->/s.exec(readme)?.[1] ?? '';
  return [...tour.matchAll(/^```bash\n(.*?)^```$/gms)].map((block) => block[1]).join('\n');
}

async function startService(): Promise<string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(WILLCALL|DATABASE)_/.test(name));
  service = spawn(process.execPath, [path.join(root, 'src/main.ts')], {
    cwd: folder,
    env: { ...Object.fromEntries(kept), WILLCALL_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const words: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [service.stdout, service.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        words.push(line);
        const address = /^willcall listening on (http:\/\/\S+)$/.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      });
    }
    service.once('exit', () => reject(new Error(`The service ended at its start:\n${words.join('\n')}`)));
  });
}

/** The JSON documents that the tour printed, in order. */
function printed(): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'willcall-tour-'));
  // When root runs the tests, PostgreSQL runs as another account, which has to get to its data.
  await chmod(folder, 0o755);
  await mkdir(path.join(folder, 'docs'));
  await symlink(path.join(root, 'docs/samples'), path.join(folder, 'docs/samples'));
  const address = await startService();
  const script = (await readTour()).replaceAll('http://127.0.0.1:8080', address);
  const pasted = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder });
  output = pasted.stdout;
}, START_MS);

afterAll(async () => {
  if (service?.exitCode === null && service.signalCode === null) {
    const ended = new Promise((resolve) => service.once('exit', resolve));
    service.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}, START_MS);

describe('the tour of the README', () => {
  it('publishes and receives byte for byte', () => {
    expect(output).toMatch(/^willcall-attempt: 1\r?$/im);
    expect(output).toMatch(/^willcall-attribute-document: camt\.054\r?$/im);
    expect(output).toContain('byte for byte the same');
  });

  it('signs once, however often it asks', () => {
    const settled = printed().filter((answer) => JSON.stringify(answer).includes('acknowledged_at":"'));
    const outcomes = settled.flatMap((answer) => (answer.results ?? []) as { outcome: string; ack_no: number }[]);
    expect(outcomes.map(({ outcome, ack_no }) => [outcome, ack_no])).toEqual([
      ['acknowledged', 1],
      ['already_acknowledged', 1],
    ]);
  });

  it('shows the signature in the ledger, after the topic is gone too', () => {
    const ledgers = printed().filter((answer) => 'acknowledgments' in answer);
    expect(ledgers).toHaveLength(2);
    expect(ledgers[0]).toMatchObject({ acknowledgments: [{ ack_no: 1, reference: 'BOOKING-4711', late: false }] });
    expect(ledgers[1]).toEqual(ledgers[0]);
  });

  it('answers the waiting call with what is published meanwhile', () => {
    expect(printed()).toContainEqual(
      expect.objectContaining({ messages: [expect.objectContaining({ body: '<Ping/>', attempt: 1 })] }),
    );
  });

  it('finds the rejected message among the dead letters, with the reason', () => {
    expect(printed()).toContainEqual(
      expect.objectContaining({
        dead_letters: [expect.objectContaining({ reason: 'rejected', body: '<Ping/>', attempts: 1 })],
      }),
    );
    const subscription = printed().find((answer) => 'stats' in answer);
    expect(subscription?.stats).toMatchObject({ backlog: 0, in_flight: 0, deferred: 0, dead_letters: 1 });
  });

  it('leaves nothing but the data directory behind', async () => {
    expect((await readdir(folder)).sort()).toEqual(['.willcall', 'docs']);
  });
});
