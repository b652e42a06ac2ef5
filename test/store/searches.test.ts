// Searches look at so many rows at most, and go on where they stopped.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, createQueue, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let queues: Queue[];

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  queues = [await createQueue(engine), await createQueue(engine)];
  for (const queue of queues) {
    await queue.publish(...Array.from({ length: 300 }, (_, i) => `${i}`));
    for (let left = 300; left > 0; left -= 100) {
      const receipts = (await queue.receive({ maxMessages: 100 })).map(({ receipt }) => ({ receipt, reference: null }));
      await engine.acknowledge({ subscription: queue.name, receipts, atomic: false, caller: CALLER });
    }
  }
  await bench.rows(`update willcall.acknowledgment set acknowledged_by = 'rare' where ack_no in (7, 299)`);
});
afterAll(() => bench.stop());

interface Place {
  topic_id: number;
  subscription_id: number;
  ack_no: number;
  matched: boolean;
}

function find(after: Place | null, rowsMax: number): Promise<Place[]> {
  return bench.rows<Place>(
    `select * from willcall.find_acknowledgments($1, $2, $3, '{*}', null, null, null, 'rare', null, null, null, null, 10, $4)`,
    [after?.topic_id ?? 0, after?.subscription_id ?? 0, after?.ack_no ?? 0, rowsMax],
  );
}

describe('a search for rare rows', () => {
  it.each([51, 100, 173, 20_000])('finds each once, whatever it looks at in one call: %i rows', async (rowsMax) => {
    const found: string[] = [];
    let calls = 0;
    for (let after: Place | null = null; ; ) {
      const places: Place[] = await find(after, rowsMax);
      found.push(...places.filter(({ matched }) => matched).map((at) => `${at.subscription_id} ${at.ack_no}`));
      calls += 1;
      after = places.find(({ matched }) => !matched) ?? null;
      if (after === null) break;
    }
    const ids = queues.map(({ subscriptionId }) => subscriptionId);
    expect(found).toEqual([`${ids[0]} 7`, `${ids[0]} 299`, `${ids[1]} 7`, `${ids[1]} 299`]);
    expect(calls).toBeGreaterThanOrEqual(rowsMax > 1000 ? 1 : 600 / rowsMax);
  });
});

describe('a search for what was not acknowledged', () => {
  it('looks at so many messages in one call, and says how far it has come', async () => {
    const queue = queues[0] as Queue;
    await queue.publish('late');
    const search = (after: number) =>
      bench.rows<{ seq: number; matched: boolean; finished: boolean | null }>(
        `select * from willcall.find_unacknowledged($1, $2, null, now() + interval '1 hour', $3, 10, 100)`,
        [queue.topicId, queue.subscriptionId, after],
      );
    const ends: unknown[] = [];
    for (let after = 0; ; ) {
      const rows = await search(after);
      ends.push(rows.map(({ seq, matched, finished }) => [Number(seq), matched, finished]));
      const end = rows.find(({ matched }) => !matched);
      if (end === undefined || end.finished) break;
      after = Number(end.seq);
    }
    expect(ends).toEqual([
      [[100, false, false]],
      [[200, false, false]],
      [[300, false, false]],
      [
        [301, true, false],
        [301, false, true],
      ],
    ]);
  });
});
