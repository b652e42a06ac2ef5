// The dispatcher of one subscription while the database is away: who is parked stays so, and who
// comes is refused.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { type DispatcherBench, message, openDispatcherBench } from '../../support/dispatcher.ts';

let queries: DispatcherBench['queries'];
let dispatcher: DispatcherBench['dispatcher'];
let database: DispatcherBench['database'];
let wait: DispatcherBench['wait'];
let answerQuery: DispatcherBench['answerQuery'];

beforeEach(() => {
  ({ queries, dispatcher, database, wait, answerQuery } = openDispatcherBench());
});
afterEach(() => vi.useRealTimers());

describe('while the database is away', () => {
  const park = async (count: number) => {
    const waiters = Array.from({ length: count }, () => wait());
    // The first query was for the first of them alone.
    for (let number = 1; number <= queries.length; number += 1) await answerQuery(number);
    return waiters;
  };
  const code = ({ error }: { error: unknown }) => (error instanceof WillcallError ? error.code : null);

  it('those stay parked for whom it has queried, and are answered empty at the end of their time', async () => {
    const [parked] = await park(1);
    database.away = new Set();
    dispatcher.wake();
    await vi.advanceTimersByTimeAsync(19_000);
    expect([parked?.answer, parked?.error]).toEqual([null, null]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(parked?.answer).toMatchObject({ messages: [] });
    expect(queries).toHaveLength(1);
  });

  it('those who come are refused at once, without a query', async () => {
    await park(1);
    database.away = new Set();
    const late = [wait(), wait({ waitMs: 0 })];
    await vi.advanceTimersByTimeAsync(0);
    expect(late.map(code)).toEqual(['database_unavailable', 'database_unavailable']);
    expect([queries.length, dispatcher.waiting]).toEqual([1, 1]);
  });

  it('those are refused whose query was on its way, or who had none yet', async () => {
    const parked = await park(1);
    // As many as one query is for, and one more.
    const asked = Array.from({ length: 100 }, () => wait());
    await vi.advanceTimersByTimeAsync(0);
    expect(queries).toHaveLength(2);
    database.away = new Set();
    queries[1]?.fail(new WillcallError('database_unavailable', 'away'));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.map(code)).toEqual(Array(100).fill('database_unavailable'));
    expect(parked.length).toBe(1);
    expect(queries).toHaveLength(2);
  });

  it('one query is enough for all of them once it is back', async () => {
    const parked = await park(100);
    database.away = new Set();
    for (let i = 0; i < 50; i += 1) dispatcher.wake();
    const resumes = [...(database.away ?? [])];
    const before = queries.length;
    database.away = null;
    for (const resume of resumes) resume();
    // And the wakeup of those who lost their connection comes on top.
    dispatcher.wake();
    expect([resumes.length, queries.length]).toEqual([1, before + 1]);
    await answerQuery(before + 1, { handed: parked.map((_, i) => [message(i + 1)]) });
    expect(parked.map(({ answer }) => answer === null)).toEqual(Array(100).fill(false));
  });
});
