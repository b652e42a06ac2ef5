// Timed upkeep, on a clock that the test sets: when a run begins, that none begins beside itself,
// and what a stop leaves.

import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { EngineLifecycle } from '../../src/engine/index.ts';
import { createJobs } from '../../src/jobs/index.ts';

let sweeps: PromiseWithResolvers<{ ended: number; dead: number; appended: number }>[];
let retains: PromiseWithResolvers<{ expired: number; dead: number; pruned: number }>[];
let keysTended: number;
let logged: [level: string, message: string, fields: object][];
let spies: MockInstance[];
let jobs: ReturnType<typeof createJobs>;

const nothing = { ended: 0, dead: 0, appended: 0 };

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2030-01-01T12:00:00.500Z') });
  spies = [
    vi.spyOn(globalThis.console, 'info'),
    vi.spyOn(globalThis.console, 'warn'),
    vi.spyOn(globalThis.console, 'error'),
  ];
  sweeps = [];
  retains = [];
  keysTended = 0;
  logged = [];
  const begin = <T>(list: PromiseWithResolvers<T>[]) => {
    const run = Promise.withResolvers<T>();
    list.push(run);
    return run.promise;
  };
  const tendKeys = async () => {
    keysTended += 1;
  };
  const engine = { sweep: () => begin(sweeps), retain: () => begin(retains), tendKeys } as unknown as EngineLifecycle;
  const log = (level: string) => (fields: object, message: string) => void logged.push([level, message, fields]);
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  jobs = createJobs({ engine, logger });
});
afterEach(() => {
  vi.useRealTimers();
  // Everything is said through the logger, in its form.
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Ends the sweeps that are under way. */
async function endSweeps(report: typeof nothing = nothing): Promise<void> {
  for (const sweep of sweeps) sweep.resolve(report);
  await pass(0);
}

describe('the sweep', () => {
  it('begins every second', async () => {
    jobs.start();
    for (let second = 1; second <= 5; second += 1) {
      await pass(1000);
      await endSweeps();
    }
    expect(sweeps.length).toBeGreaterThanOrEqual(4);
    expect(sweeps.length).toBeLessThanOrEqual(5);
    await jobs.stop();
  });

  it('does not begin while the last one is going on, and begins again after it', async () => {
    jobs.start();
    await pass(4000);
    expect(sweeps).toHaveLength(1);
    expect(logged).toContainEqual([
      'debug',
      expect.stringContaining('left out'),
      expect.objectContaining({ job: 'sweep' }),
    ]);
    await endSweeps();
    await pass(1500);
    expect(sweeps).toHaveLength(2);
    await endSweeps();
    await jobs.stop();
  });

  it('that fails is told of and tried again', async () => {
    jobs.start();
    await pass(1500);
    sweeps[0]?.reject(new Error('no database'));
    await pass(1500);
    expect(sweeps.length).toBeGreaterThanOrEqual(2);
    const failed = logged.filter(([level]) => level === 'warn');
    expect(failed[0]?.[1]).toContain('upkeep failed');
    expect(failed[0]?.[2]).toMatchObject({ job: 'sweep', err: { message: 'no database' } });
    await endSweeps();
    await jobs.stop();
  });

  it('tells how many messages became dead letters', async () => {
    jobs.start();
    await pass(1500);
    await endSweeps({ ended: 3, dead: 2, appended: 0 });
    expect(logged).toContainEqual(['info', expect.stringContaining('dead letters'), { dead: 2 }]);
    await jobs.stop();
  });
});

describe('retention', () => {
  it('begins every minute', async () => {
    jobs.start();
    for (let minute = 1; minute <= 3; minute += 1) {
      await pass(60_000);
      for (const retain of retains) retain.resolve({ expired: 0, dead: 0, pruned: 0 });
      await endSweeps();
    }
    expect(retains.length).toBeGreaterThanOrEqual(2);
    expect(retains.length).toBeLessThanOrEqual(3);
    await endSweeps();
    await jobs.stop();
  });

  it('warns of messages that outlived their retention', async () => {
    jobs.start();
    await pass(60_000);
    retains[0]?.resolve({ expired: 5, dead: 1, pruned: 7 });
    await pass(0);
    expect(logged).toContainEqual(['warn', expect.stringContaining('outlived'), { expired: 5, dead: 1 }]);
    expect(logged).toContainEqual(['info', expect.stringContaining('pruned'), { pruned: 7 }]);
    await endSweeps();
    await jobs.stop();
  });
});

describe('a stop', () => {
  it('waits for what is going on', async () => {
    jobs.start();
    await pass(1500);
    let stopped = false;
    void jobs.stop().then(() => {
      stopped = true;
    });
    await pass(10);
    expect(stopped).toBe(false);
    await endSweeps();
    expect(stopped).toBe(true);
  });

  it('lets nothing begin afterwards, not even what was only put off', async () => {
    for (const at of [1, 20, 60, 99, 450, 520, 560, 29_505, 29_999, 35_000]) {
      vi.setSystemTime(new Date('2030-01-01T12:00:00.000Z'));
      jobs.start();
      await pass(at);
      const ending = jobs.stop();
      await endSweeps();
      for (const retain of retains) retain.resolve({ expired: 0, dead: 0, pruned: 0 });
      await pass(0);
      await ending;
      const begun = [sweeps.length, retains.length];
      await pass(60_000);
      expect([sweeps.length, retains.length]).toEqual(begun);
    }
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('keys', () => {
  it('are tended every second, whatever the sweep does', async () => {
    jobs.start();
    await pass(5000);
    expect(sweeps).toHaveLength(1);
    expect(keysTended).toBeGreaterThanOrEqual(4);
    expect(keysTended).toBeLessThanOrEqual(5);
    await endSweeps();
    await jobs.stop();
  });
});
