// The disk of the database runs full while clients work, stays so for some seconds, and has space
// again. Whether PostgreSQL refuses statements or goes down for want of a place for its log,
// nothing that was answered is lost. It mounts a small disk, and so needs root.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RefusedError } from '../support/history-http.ts';
import { describeFailure } from './failure.ts';
import type { Fault } from './faults/index.ts';
import { type Lab, makeDirectory, openLab } from './lab/lab.ts';
import { mountSmallDisk, type SmallDisk } from './lab/small-disk.ts';
import { pause } from './lab/waiting.ts';
import { playRound } from './round.ts';

const SEED = 20260101;
const FULL_MS = 5_000;
const TIMES = 2;

let directory: string;
let disk: SmallDisk | undefined;
let lab: Lab | undefined;

let kept = false;
const keep = () => {
  kept = true;
  lab?.keep();
};

beforeAll(async () => {
  directory = await makeDirectory();
  disk = await mountSmallDisk(join(directory, 'disk'));
});
afterAll(async () => {
  await lab?.end();
  if (kept) return;
  await disk?.unmount();
  await rm(directory, { recursive: true, force: true });
});

const fillDisk: Fault = {
  name: 'the disk is full',
  side: 'database',
  inflict: async ({ cluster, instances }) => {
    for (let no = 0; no < TIMES; no += 1) {
      await disk?.fill();
      await pause(FULL_MS);
      await disk?.empty();
      // It gives up where it has no place for its own log; then an operator starts it again.
      if (!(await cluster.isRunning())) await cluster.start();
      for (const instance of instances) instance.follow();
      await pause(1_000);
    }
  },
};

describe('a full disk', () => {
  it('loses nothing, and everything goes on once there is space', async () => {
    // A small log, so that it is soon in want of space.
    const settings = { max_wal_size: '48MB', min_wal_size: '32MB', wal_recycle: 'off', wal_init_zero: 'on' };
    lab = await openLab({ clusterDirectory: join(disk?.directory ?? '', 'cluster'), settings });
    const report = await playRound(lab, { seed: SEED, faults: [fillDisk] });
    const isGood = report.violations.length + report.complaints.length === 0;
    if (!isGood) keep();
    expect(isGood ? '' : describeFailure(report, { seed: SEED, directory: lab.directory })).toBe('');
    // Else the disk was not full for anybody.
    const refused = report.history.calls.filter(({ error }) => error instanceof RefusedError);
    expect(refused.map(({ error }) => (error as RefusedError).code)).toContain('database_unavailable');
    expect(await readFile(lab.cluster.place.logFile, 'utf8')).toContain('No space left on device');
  });
});
