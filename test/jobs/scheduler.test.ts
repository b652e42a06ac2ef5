// The scheduler on a clock that the test sets: when a run begins, that none begins beside itself,
// and what a stop leaves.

import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { WillcallError } from '../../src/domain/errors.ts';
import type { UpkeepReport } from '../../src/engine/upkeep/index.ts';
import { createScheduler, type Scheduler, toCronExpression } from '../../src/jobs/scheduler.ts';
import { createRecordingObserver, type RecordingObserver } from '../support/observer.ts';

let seconds: PromiseWithResolvers<UpkeepReport>[];
let minutes: PromiseWithResolvers<UpkeepReport>[];
let others: number;
let logged: [level: string, message: string, fields: object][];
let spies: MockInstance[];
let observer: RecordingObserver;
let scheduler: Scheduler;

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2030-01-01T12:00:00.500Z') });
  spies = [
    vi.spyOn(globalThis.console, 'info'),
    vi.spyOn(globalThis.console, 'warn'),
    vi.spyOn(globalThis.console, 'error'),
  ];
  seconds = [];
  minutes = [];
  others = 0;
  logged = [];
  const begin = (list: PromiseWithResolvers<UpkeepReport>[]) => {
    const run = Promise.withResolvers<UpkeepReport>();
    list.push(run);
    return run.promise;
  };
  const countOther = async () => {
    others += 1;
    return {};
  };
  const log = (level: string) => (fields: object, message: string) => void logged.push([level, message, fields]);
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  observer = createRecordingObserver();
  scheduler = createScheduler({
    logger,
    observer,
    upkeep: [
      { name: 'often', everyMs: 1_000, run: () => begin(seconds) },
      { name: 'seldom', everyMs: 60_000, run: () => begin(minutes) },
      { name: 'other', everyMs: 1_000, run: countOther },
    ],
  });
});
afterEach(() => {
  vi.useRealTimers();
  // Everything is logged by the logger, in its form.
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Ends the runs that are under way. */
async function endRuns(report: UpkeepReport = {}): Promise<void> {
  for (const run of [...seconds, ...minutes]) run.resolve(report);
  await pass(0);
}

describe('a task', () => {
  it('of every second begins every second', async () => {
    scheduler.start();
    for (let second = 1; second <= 5; second += 1) {
      await pass(1000);
      await endRuns();
    }
    expect(seconds.length).toBeGreaterThanOrEqual(4);
    expect(seconds.length).toBeLessThanOrEqual(5);
    await scheduler.stop();
  });

  it('of every minute begins every minute', async () => {
    scheduler.start();
    for (let half = 1; half <= 6; half += 1) {
      await pass(30_000);
      await endRuns();
    }
    expect(minutes.length).toBeGreaterThanOrEqual(2);
    expect(minutes.length).toBeLessThanOrEqual(3);
    await scheduler.stop();
  });

  it('does not begin while its last run is going on, and begins again after it', async () => {
    scheduler.start();
    await pass(4000);
    expect(seconds).toHaveLength(1);
    const leftOut = ['debug', expect.stringContaining('left out'), expect.objectContaining({ task: 'often' })];
    expect(logged).toContainEqual(leftOut);
    await endRuns();
    await pass(1500);
    expect(seconds).toHaveLength(2);
    await endRuns();
    await scheduler.stop();
  });

  it('begins whatever another one does', async () => {
    scheduler.start();
    await pass(5000);
    expect(seconds).toHaveLength(1);
    expect(others).toBeGreaterThanOrEqual(4);
    expect(others).toBeLessThanOrEqual(5);
    await endRuns();
    await scheduler.stop();
  });

  it('that fails is logged and tried again', async () => {
    scheduler.start();
    await pass(1500);
    seconds[0]?.reject(new Error('no disk'));
    await pass(1500);
    expect(seconds.length).toBeGreaterThanOrEqual(2);
    const failed = logged.filter(([level]) => level === 'warn');
    expect(failed[0]?.[1]).toContain('upkeep failed');
    expect(failed[0]?.[2]).toMatchObject({ task: 'often', err: { message: 'no disk' } });
    await endRuns();
    await scheduler.stop();
  });

  it('that the database was too unavailable to begin with is not worth a warning', async () => {
    scheduler.start();
    await pass(1500);
    seconds[0]?.reject(new WillcallError('database_unavailable', 'Away.', { retryAfterSeconds: 1 }));
    await pass(0);
    expect(logged).toContainEqual(['debug', expect.stringContaining('upkeep failed'), expect.anything()]);
    await endRuns();
    await scheduler.stop();
  });

  it('is logged at debug with what it did, when it did something', async () => {
    scheduler.start();
    await pass(1500);
    await endRuns({ ended: 3, appended: 0 });
    await pass(1000);
    await endRuns({ ended: 0, appended: 0 });
    const done = logged.filter(([, message]) => message === 'upkeep was done');
    expect(done).toEqual([['debug', 'upkeep was done', { task: 'often', ended: 3, appended: 0 }]]);
    await scheduler.stop();
  });
});

describe('an observer', () => {
  it('is told of each run, of what it did and how it ended', async () => {
    scheduler.start();
    await pass(1500);
    await endRuns({ ended: 3 });
    await pass(1500);
    seconds.at(-1)?.reject(new WillcallError('database_timeout', 'Slow.'));
    await endRuns();
    const often = observer.tasks.filter(({ task }) => task === 'often');
    expect(often).toMatchObject([
      { outcome: 'ok', done: { ended: 3 } },
      { outcome: 'database_timeout', done: {} },
    ]);
    expect(often[1]?.seconds).toBeGreaterThanOrEqual(0);
    await scheduler.stop();
  });
});

describe('a stop', () => {
  it('waits for what is going on', async () => {
    scheduler.start();
    await pass(1500);
    let stopped = false;
    void scheduler.stop().then(() => {
      stopped = true;
    });
    await pass(10);
    expect(stopped).toBe(false);
    await endRuns();
    expect(stopped).toBe(true);
  });

  it('lets nothing begin afterwards, not even what was only put off', async () => {
    for (const at of [1, 20, 60, 99, 450, 520, 560, 29_505, 29_999, 35_000]) {
      vi.setSystemTime(new Date('2030-01-01T12:00:00.000Z'));
      scheduler.start();
      await pass(at);
      const ending = scheduler.stop();
      await endRuns();
      await ending;
      const begun = [seconds.length, minutes.length];
      await pass(60_000);
      expect([seconds.length, minutes.length]).toEqual(begun);
    }
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an interval', () => {
  it.each([
    [1_000, '*/1 * * * * *'],
    [15_000, '*/15 * * * * *'],
    [60_000, '0 * * * * *'],
    [600_000, '0 */10 * * * *'],
    [3_600_000, '0 0 * * * *'],
  ])('of %d ms is one that cron can keep', (everyMs, expression) => {
    expect(toCronExpression(everyMs)).toBe(expression);
  });

  it.each([0, 500, 1_500, 7_000, 90_000, 420_000, 7_200_000])('of %d ms is refused', (everyMs) => {
    expect(() => toCronExpression(everyMs)).toThrow('cannot run every');
  });
});
