// Time does not run backwards in a log: what is appended carries the clock or the last row's time,
// whichever is later; but no log is ahead of the clock by more than a second. The last row is set
// into the future by hand, as a clock that was set back leaves it.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, createQueue, newMessage, outcomesOf, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.clear();
  queue = await createQueue(engine);
});

const HOUR = 3600;
/** By how many seconds the last row is ahead: a log goes on from it, or begins anew. */
const AHEAD = [['a little', 0.9] as const, ['an hour', HOUR] as const];

/** Puts the last row's time so many seconds ahead; the times of the whole log, when asked. */
async function setAhead(table: string, column: string, order: string, seconds = HOUR) {
  const log = `willcall.${table}`;
  await bench.rows(
    `update ${log} set ${column} = clock_timestamp() + ${seconds} * interval '1 second' where ${order} = (select max(${order}) from ${log})`,
  );
  return async () => {
    const rows = await bench.rows<{ at: Date }>(`select ${column} as at from ${log} order by ${order}`);
    return rows.map(({ at }) => at.getTime());
  };
}

/** Times rise; where a row was an hour ahead, those after it rise from the clock on, on record. */
async function expectRising(times: number[], count: number): Promise<void> {
  expect(times).toHaveLength(count);
  const wrong = times.findIndex((at) => at > Date.now() + 3_000_000);
  const right = times.filter((_, i) => i !== wrong);
  expect(right).toEqual([...right].sort((a, b) => a - b));
  expect(right.at(-1)).toBeLessThan(Date.now() + 60_000);
  expect(await bench.value('select count(*) from willcall.clock_step')).toBe(wrong === -1 ? 0 : 1);
}

describe('the log of a topic', () => {
  it.each(AHEAD)('goes on from a last row that lies in the future: %s', async (_how, seconds) => {
    await queue.publish('a');
    const times = await setAhead('message', 'published_at', 'seq', seconds);
    await queue.publish('b');
    await queue.publish('c', 'd');
    await expectRising(await times(), 4);
  });

  it.each(AHEAD)('goes on so for delayed messages, too: %s', async (_how, seconds) => {
    await queue.publish('a', newMessage('b', { delaySeconds: 60 }));
    const times = await setAhead('message', 'published_at', 'seq', seconds);
    await bench.rows('update willcall.scheduled set deliver_at = clock_timestamp()');
    expect(await bench.openEngine().sweep()).toMatchObject({ appended: 1 });
    await expectRising(await times(), 2);
  });
});

describe('the log of a subscription', () => {
  it.each(AHEAD)('goes on from a last row that lies in the future: %s', async (_how, seconds) => {
    await queue.publish('a', 'b');
    const times = await setAhead('delivery', 'at', 'delivery_no', seconds);
    await queue.receive({ maxMessages: 1 });
    await queue.receive({ maxMessages: 1 });
    await expectRising(await times(), 3);
  });

  it.each(AHEAD)('goes on so when retention moves the cursor: %s', async (_how, seconds) => {
    await queue.publish('a');
    await bench.rows(`update willcall.message set published_at = now() - interval '1 month'`);
    const times = await setAhead('delivery', 'at', 'delivery_no', seconds);
    expect(await engine.retain()).toMatchObject({ expired: 1 });
    await expectRising(await times(), 2);
  });

  it('in the future makes no lease longer and no back-off shorter', async () => {
    await queue.publish('a', 'b');
    await setAhead('delivery', 'at', 'delivery_no');
    const [a] = await queue.receive({ maxMessages: 1, visibilityTimeoutSeconds: 60 });
    expect(a?.visibleUntil.getTime()).toBeLessThan(Date.now() + 120_000);
    await queue.release(a?.receipt ?? '', { delaySeconds: 600 });
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([2]);
  });

  it('in the future makes no message outlive its retention', async () => {
    await engine.updateTopic({ name: queue.name, settings: { retentionSeconds: 1800 }, caller: CALLER });
    await queue.publish('a');
    await setAhead('delivery', 'at', 'delivery_no');
    expect(await engine.retain()).toMatchObject({ expired: 0 });
  });

  it('in the future hides nothing that is deferred by the clock', async () => {
    await queue.publish('a', 'b');
    await setAhead('delivery', 'at', 'delivery_no');
    const [a] = await queue.receive({ maxMessages: 1 });
    await queue.receive();
    // This look found nothing: what it makes its floor of must not lie ahead of the clock.
    expect(await queue.receive()).toEqual([]);
    await queue.release(a?.receipt ?? '');
    expect(await queue.receiveOne()).toMatchObject({ sequence: 1, attempt: 2 });
  });
});

describe('the ledger', () => {
  it.each(AHEAD)('goes on from a last row that lies in the future: %s', async (_how, seconds) => {
    await queue.publish('a', 'b', 'c');
    const [a, b, c] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '');
    const times = await setAhead('acknowledgment', 'acknowledged_at', 'ack_no', seconds);
    const answers = [await queue.acknowledge(b?.receipt ?? ''), await queue.acknowledgeAtomically(c?.receipt ?? '')];
    await expectRising(await times(), 3);
    // Their lease lives by the clock.
    expect(answers.flatMap(outcomesOf)).toEqual(['acknowledged', 'acknowledged']);
  });

  it.each(AHEAD)('goes on so for late acknowledgments, too: %s', async (_how, seconds) => {
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '');
    const times = await setAhead('acknowledgment', 'acknowledged_at', 'ack_no', seconds);
    await bench.rows('update willcall.lease set expires_at = clock_timestamp()');
    await bench.openEngine().sweep();
    expect((await queue.acknowledge(b?.receipt ?? '')).results).toMatchObject([{ outcome: 'acknowledged_late' }]);
    await expectRising(await times(), 2);
  });

  it('of another subscription has a time of its own', async () => {
    const other = await createQueue(engine);
    await queue.publish('a', 'b');
    await other.publish('a');
    const [a] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '');
    await setAhead('acknowledgment', 'acknowledged_at', 'ack_no');
    const { results } = await other.acknowledge(await other.receiveOne());
    expect(results[0]?.acknowledgedAt?.getTime()).toBeLessThan(Date.now() + 60_000);
    await engine.deleteTopic(other.name, CALLER);
  });
});
