// When the database counts as away and when as back, with a probe that the test answers by hand and
// a clock that it sets.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { Watch } from '../../../src/store/postgres/health.ts';

let probes: ((answered: boolean) => void)[];
let drops: number;
let told: string[];
let watch: Watch;

beforeEach(() => {
  vi.useFakeTimers();
  probes = [];
  drops = 0;
  told = [];
  watch = new Watch({
    probe: {
      ask: () => new Promise((resolve) => probes.push(resolve)),
      drop: () => {
        drops += 1;
      },
    },
    logger: { warn: () => told.push('warned'), info: () => told.push('informed') },
    onAway: () => told.push('away'),
    onBack: () => told.push('back'),
  });
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

/** A statement that takes as long as the test says, and what became of it. */
function begin() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const statement = { became: 'out', resolve: () => resolve('done'), fail: () => reject(new Error('lost')) };
  watch
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
  if (answered) watch.hear();
  probes.shift()?.(answered);
  await pass(0);
};
/** Until the probe is asked again; it has a second and a quarter for that at most. */
const passToProbe = async () => {
  for (let i = 0; i < 300 && probes.length === 0; i += 1) await pass(10);
  expect(probes).toHaveLength(1);
};

describe('the database is away', () => {
  it('when nothing was heard of it for a second and a half, the probe unanswered', async () => {
    const statement = begin();
    await pass(1_450);
    expect([statement.became, probes.length, watch.isAway]).toEqual(['out', 1, false]);
    await pass(50);
    expect([statement.became, drops, watch.isAway]).toEqual(['database_unavailable', 1, true]);
    expect(told).toEqual(['warned', 'away']);
  });

  it('for those who come then, who begin nothing and are told when to come again', async () => {
    begin();
    await pass(1_500);
    const work = vi.fn(async () => 'done');
    const fault = await watch.wait(work).catch((error: unknown) => error);
    expect(work).not.toHaveBeenCalled();
    expect(fault).toMatchObject({ code: 'database_unavailable' });
    expect([1, 2, 3]).toContain((fault as WillcallError).retryAfterSeconds);
  });

  it('soon when a connection was lost and the probe finds nobody', async () => {
    const statement = begin();
    const verdict = watch.doubt();
    await answerProbe(false);
    await pass(100);
    await verdict;
    expect([statement.became, watch.isAway]).toEqual(['database_unavailable', true]);
  });
});

describe('the database is there', () => {
  it('while the probe is answered, however long a statement takes', async () => {
    const statement = begin();
    for (let i = 0; i < 100; i += 1) {
      await pass(300);
      if (probes.length > 0) await answerProbe();
    }
    expect([statement.became, watch.isAway]).toEqual(['out', false]);
    statement.resolve();
    await pass(0);
    expect(statement.became).toBe('done');
  });

  it('while others are answered, without any probe', async () => {
    begin();
    for (let i = 0; i < 100; i += 1) {
      watch.hear();
      await pass(200);
    }
    expect([probes.length, watch.isAway]).toEqual([0, false]);
  });

  it('while nobody asks', async () => {
    begin().resolve();
    await pass(60_000);
    expect([probes.length, watch.isAway]).toEqual([0, false]);
  });

  it('when the probe finds nobody and somebody else is answered all the same', async () => {
    const statement = begin();
    const verdict = watch.doubt();
    await answerProbe(false);
    await pass(60);
    watch.hear();
    await pass(60);
    await verdict;
    expect([statement.became, watch.isAway]).toEqual(['out', false]);
  });

  it('as far as a process can tell that was held up itself', async () => {
    const statement = begin();
    // As when a process is stopped and goes on: much time has passed, and it has listened once.
    vi.setSystemTime(Date.now() + 60_000);
    await pass(100);
    expect([statement.became, watch.isAway]).toEqual(['out', false]);
  });

  it('for one doubt at a time', async () => {
    begin();
    const verdicts = [watch.doubt(), watch.doubt(), watch.doubt()];
    expect(probes).toHaveLength(1);
    await answerProbe();
    await Promise.all(verdicts);
    expect(watch.isAway).toBe(false);
  });
});

describe('the database is back', () => {
  const leave = async () => {
    const statement = begin();
    await pass(1_500);
    expect(statement.became).toBe('database_unavailable');
    probes = [];
  };

  it('once the probe is answered, for those first who wait for that', async () => {
    await leave();
    expect(watch.isThere(() => told.push('went on'))).toBe(false);
    await passToProbe();
    await answerProbe(false);
    expect(watch.isAway).toBe(true);
    await passToProbe();
    await answerProbe();
    expect(watch.isAway).toBe(false);
    expect(told).toEqual(['warned', 'away', 'informed', 'went on', 'back']);
    expect(watch.isThere(() => told.push('never'))).toBe(true);
    const statement = begin();
    statement.resolve();
    await pass(0);
    expect(statement.became).toBe('done');
  });

  it('is asked at most once at a time and about once a second, an answer that does not come given up after a second', async () => {
    await leave();
    let asked = 0;
    for (let i = 0; i < 600; i += 1) {
      await pass(100);
      asked += probes.splice(0).length;
    }
    expect(asked).toBeGreaterThan(20);
    expect(asked).toBeLessThan(40);
  });

  it('and away again when nothing is heard for as long again', async () => {
    await leave();
    await passToProbe();
    await answerProbe();
    const statement = begin();
    await pass(1_400);
    expect(statement.became).toBe('out');
    await pass(150);
    expect([statement.became, watch.isAway]).toEqual(['database_unavailable', true]);
  });
});

it('a watch that was stopped asks nobody any more', async () => {
  begin();
  watch.stop();
  await watch.doubt();
  await pass(60_000);
  expect([probes.length, told]).toEqual([0, []]);
});
