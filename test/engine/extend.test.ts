// The verb extend: how long a message stays leased.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueue, outcomesOf, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

function leasesOf(queue: Queue) {
  return bench.rows<{ outstanding: string; attempt: number; seconds: number }>(
    `select outstanding::text, attempt, round(extract(epoch from expires_at - clock_timestamp()))::integer as seconds
     from willcall.lease where subscription_id = $1 order by lease_no`,
    [queue.subscriptionId],
  );
}

describe('extend', () => {
  it('moves the end of the lease and keeps the receipt good', async () => {
    const queue = await createQueue(engine, { visibilityTimeoutSeconds: 30 });
    await queue.publish('a');
    const message = await queue.receiveOne();
    const { results } = await queue.extend([message], 300);
    expect(results[0]?.outcome).toBe('extended');
    expect(await leasesOf(queue)).toEqual([{ outstanding: '{[1,2)}', attempt: 1, seconds: 300 }]);
    const expiresAt = 'select expires_at from willcall.lease where subscription_id = $1';
    expect(results[0]?.visibleUntil).toEqual(await bench.value(expiresAt, [queue.subscriptionId]));
    expect(outcomesOf(await queue.acknowledge(message))).toEqual(['acknowledged']);
  });

  it("without a time takes the subscription's, counted from now", async () => {
    const queue = await createQueue(engine, { visibilityTimeoutSeconds: 40 });
    await queue.publish('a');
    const message = await queue.receiveOne({ visibilityTimeoutSeconds: 600 });
    await queue.extend([message]);
    expect(await leasesOf(queue)).toMatchObject([{ seconds: 40 }]);
  });

  it('of a whole batch leaves one lease', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    await queue.extend(await queue.receive(), 300);
    expect(await leasesOf(queue)).toEqual([{ outstanding: '{[1,4)}', attempt: 1, seconds: 300 }]);
  });

  it('of some messages splits the lease; each part ends on its own', async () => {
    const queue = await createQueue(engine, { visibilityTimeoutSeconds: 30, minBackoffSeconds: 0 });
    await queue.publish('a', 'b', 'c', 'd');
    const [a, b, c, d] = await queue.receive();
    await queue.extend([b?.receipt ?? '', d?.receipt ?? ''], 300);
    expect(await leasesOf(queue)).toEqual([
      { outstanding: '{[1,2),[3,4)}', attempt: 1, seconds: 30 },
      { outstanding: '{[2,3),[4,5)}', attempt: 1, seconds: 300 },
    ]);
    await bench.letTimePass(31);
    await bench.openEngine().sweep();
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([1, 3]);
    const answer = await queue.acknowledge(...[a, b, c, d].map((message) => message?.receipt ?? ''));
    expect(outcomesOf(answer)).toEqual(['superseded', 'acknowledged', 'superseded', 'acknowledged']);
  });

  it('of messages with different attempts in one delivery keeps them apart', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [a] = await queue.receive({ maxMessages: 1 });
    await queue.release(a?.receipt ?? '');
    const both = await queue.receive();
    await queue.extend(both, 300);
    expect(await leasesOf(queue)).toEqual(
      expect.arrayContaining([
        { outstanding: '{[1,2)}', attempt: 2, seconds: 300 },
        { outstanding: '{[2,3)}', attempt: 1, seconds: 300 },
      ]),
    );
  });
});
