// Database health: when it is unavailable and available again, with a probe answered by hand and a
// clock that the test sets.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { HealthMonitor } from '../../../src/store/postgres/health.ts';

let probes: ((answered: boolean) => void)[];
let drops: number;
let told: string[];
let health: HealthMonitor;

beforeEach(() => {
  vi.useFakeTimers();
  probes = [];
  drops = 0;
  told = [];
  health = new HealthMonitor({
    probe: {
      query: () => new Promise((resolve) => probes.push(resolve)),
      drop: () => {
        drops += 1;
      },
    },
    logger: { warn: () => told.push('warned'), info: () => told.push('informed') },
    onUnavailable: () => told.push('unavailable'),
    onAvailable: () => told.push('available'),
  });
});
afterEach(() => {
  health.stop();
  vi.useRealTimers();
});

/** A statement that takes as long as the test says, and what became of it. */
function begin() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const statement = { became: 'out', resolve: () => resolve('done'), fail: () => reject(new Error('lost')) };
  health
    .wait(() => promise)
    .then(
      (value) => {
        statement.became = value;
      },
      (error: unknown) => {
        statement.became = error instanceof WillcallError ? error.code : String(error);
      },
    );
  return statement;
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const answerProbe = async (answered = true) => {
  if (answered) health.noteReceived();
  probes.shift()?.(answered);
  await pass(0);
};
/** Until the probe is asked again; it has a second and a quarter for that at most. */
const passToProbe = async () => {
  for (let i = 0; i < 300 && probes.length === 0; i += 1) await pass(10);
  expect(probes).toHaveLength(1);
};

describe('the database is unavailable', () => {
  it('when no byte arrived for a second and a half, the probe unanswered', async () => {
    const statement = begin();
    await pass(1_450);
    expect([statement.became, probes.length, health.isAvailable()]).toEqual(['out', 1, true]);
    await pass(50);
    expect([statement.became, drops, health.isAvailable()]).toEqual(['database_unavailable', 1, false]);
    expect(told).toEqual(['warned', 'unavailable']);
  });

  it('for new calls, which begin nothing and get a time to retry after', async () => {
    begin();
    await pass(1_500);
    const work = vi.fn(async () => 'done');
    const fault = await health.wait(work).catch((error: unknown) => error);
    expect(work).not.toHaveBeenCalled();
    expect(fault).toMatchObject({ code: 'database_unavailable' });
    expect([1, 2, 3]).toContain((fault as WillcallError).retryAfterSeconds);
  });

  it('soon when a connection was lost and the probe cannot connect', async () => {
    const statement = begin();
    const verdict = health.suspect();
    await answerProbe(false);
    await pass(100);
    await verdict;
    expect([statement.became, health.isAvailable()]).toEqual(['database_unavailable', false]);
  });
});

describe('the database is available', () => {
  it('while the probe is answered, however long a statement takes', async () => {
    const statement = begin();
    for (let i = 0; i < 100; i += 1) {
      await pass(300);
      if (probes.length > 0) await answerProbe();
    }
    expect([statement.became, health.isAvailable()]).toEqual(['out', true]);
    statement.resolve();
    await pass(0);
    expect(statement.became).toBe('done');
  });

  it('while others are answered, without any probe', async () => {
    begin();
    for (let i = 0; i < 100; i += 1) {
      health.noteReceived();
      await pass(200);
    }
    expect([probes.length, health.isAvailable()]).toEqual([0, true]);
  });

  it('while nothing waits for it', async () => {
    begin().resolve();
    await pass(60_000);
    expect([probes.length, health.isAvailable()]).toEqual([0, true]);
  });

  it('when the probe cannot connect but another connection is answered', async () => {
    const statement = begin();
    const verdict = health.suspect();
    await answerProbe(false);
    await pass(60);
    health.noteReceived();
    await pass(60);
    await verdict;
    expect([statement.became, health.isAvailable()]).toEqual(['out', true]);
  });

  it('for a process that was suspended itself', async () => {
    const statement = begin();
    // As when a process is stopped and continued: much time has passed in one tick.
    vi.setSystemTime(Date.now() + 60_000);
    await pass(100);
    expect([statement.became, health.isAvailable()]).toEqual(['out', true]);
  });

  it('after one probe for all suspicions at a time', async () => {
    begin();
    const verdicts = [health.suspect(), health.suspect(), health.suspect()];
    expect(probes).toHaveLength(1);
    await answerProbe();
    await Promise.all(verdicts);
    expect(health.isAvailable()).toBe(true);
  });
});

describe('the database is available again', () => {
  const becomeUnavailable = async () => {
    const statement = begin();
    await pass(1_500);
    expect(statement.became).toBe('database_unavailable');
    probes = [];
  };

  it('once the probe is answered, and resumes first what waits for that', async () => {
    await becomeUnavailable();
    expect(health.availableOr(() => told.push('resumed'))).toBe(false);
    await passToProbe();
    await answerProbe(false);
    expect(health.isAvailable()).toBe(false);
    await passToProbe();
    await answerProbe();
    expect(health.isAvailable()).toBe(true);
    expect(told).toEqual(['warned', 'unavailable', 'informed', 'resumed', 'available']);
    expect(health.availableOr(() => told.push('never'))).toBe(true);
    const statement = begin();
    statement.resolve();
    await pass(0);
    expect(statement.became).toBe('done');
  });

  it('is probed at most once at a time and about once a second, an answer that does not come given up after a second', async () => {
    await becomeUnavailable();
    let asked = 0;
    for (let i = 0; i < 600; i += 1) {
      await pass(100);
      asked += probes.splice(0).length;
    }
    expect(asked).toBeGreaterThan(20);
    expect(asked).toBeLessThan(40);
  });

  it('and unavailable again when no byte arrives for as long again', async () => {
    await becomeUnavailable();
    await passToProbe();
    await answerProbe();
    const statement = begin();
    await pass(1_400);
    expect(statement.became).toBe('out');
    await pass(150);
    expect([statement.became, health.isAvailable()]).toEqual(['database_unavailable', false]);
  });
});

it('a monitor that was stopped probes no more', async () => {
  begin();
  health.stop();
  await health.suspect();
  await pass(60_000);
  expect([probes.length, told]).toEqual([0, []]);
});
