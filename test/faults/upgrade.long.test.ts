// An upgrade under load: a newer version migrates the database that two instances of this one are
// working on, changes its functions again and again, and then serves beside them. No call of any
// client may fail meanwhile.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/store/schema/migrate.ts';
import { describeFailure } from './failure.ts';
import type { Fault } from './faults/index.ts';
import { createInstance, type Instance } from './lab/instance.ts';
import { type Lab, openLab } from './lab/lab.ts';
import { changeFunctions, makeNewerVersion, type Version } from './lab/versions.ts';
import { pause } from './lab/waiting.ts';
import { playRound } from './round.ts';

const SEED = 20260101;
const CHANGES = 10;

let lab: Lab;
let newer: Version;
let instance: Instance;

beforeAll(async () => {
  lab = await openLab();
  newer = await makeNewerVersion(lab.directory);
  const { directory, adminKey } = lab;
  const databaseUrl = () => lab.cluster.url;
  instance = await createInstance({
    name: 'newer',
    directory,
    adminKey,
    databaseUrl,
    clockShiftMs: 0,
    main: newer.main,
  });
});
afterAll(async () => {
  await instance.end();
  await lab.end();
});

const changeAgainAndAgain: Fault = {
  name: 'functions change under their callers',
  side: 'database',
  inflict: async () => {
    for (let no = 0; no < CHANGES; no += 1) {
      await changeFunctions(newer, `${no}`);
      const names = { schema: 'willcall', runtimeRole: 'willcall_runtime' };
      await migrate({ ownerUrl: lab.cluster.url, ...names, directory: newer.migrations });
      await pause(100);
    }
  },
};

const serveBeside: Fault = {
  name: 'a newer version serves beside the older ones, and takes the place of one',
  side: 'service',
  inflict: async ({ instances: [older] }) => {
    await instance.start();
    await pause(1_000);
    // As a rolling upgrade does: whoever called the old one finds the new one.
    older.clients.target = instance.clients.target;
    await pause(1_000);
  },
};

describe('an upgrade', () => {
  it('to a newer version under load fails no call and breaks no promise', async () => {
    const report = await playRound(lab, { seed: SEED, faults: [changeAgainAndAgain, serveBeside] });
    const isGood = report.violations.length + report.complaints.length === 0;
    if (!isGood) lab.keep();
    expect(isGood ? '' : describeFailure(report, { seed: SEED, directory: lab.directory })).toBe('');
    // What went along with a receive that a client left, it left too.
    const { calls } = report.history;
    const left = new Set(calls.map((call) => (call.verb === 'receive' && call.left ? call.endedAt : null)));
    const failed = calls.filter((call) => call.error !== null && !left.has(call.endedAt));
    expect(failed.map(({ verb, error }) => `${verb}: ${error}`)).toEqual([]);
    const [column] = await lab.cluster.query<{ colour: string }>('select colour from willcall.subscription limit 1');
    expect(column).toEqual({ colour: 'green' });
  });
});
