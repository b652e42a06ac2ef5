// The verb reject: messages set aside among the dead letters.

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

const error = { code: 'E42', message: 'no stock' };

function leasesOf(queue: Queue) {
  return bench.rows<{ outstanding: string; attempt: number; seconds: number }>(
    `select outstanding::text, attempt, round(extract(epoch from expires_at - clock_timestamp()))::integer as seconds
     from willcall.lease where subscription_id = $1 order by lease_no`,
    [queue.subscriptionId],
  );
}

async function dueNow(queue: Queue): Promise<void> {
  await bench.rows('update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1', [
    queue.subscriptionId,
  ]);
}

describe('reject', () => {
  it('sends a live message to the dead letters at once, with the error', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    expect(outcomesOf(await queue.reject(await queue.receiveOne(), error))).toEqual(['rejected']);
    await dueNow(queue);
    expect(await queue.receive()).toEqual([]);
    const { deadLetters } = await engine.listDeadLetters({ subscription: queue.name, limit: 10 });
    expect(deadLetters).toMatchObject([{ reason: 'rejected', attempts: 1, sequence: 1 }]);
    expect(deadLetters[0]?.history).toMatchObject([{ ended: 'rejected', errorCode: 'E42', errorMessage: 'no stock' }]);
  });

  it('of some messages of a batch leaves the others in flight', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const [, b] = await queue.receive();
    await queue.reject(b?.receipt ?? '');
    expect(await leasesOf(queue)).toMatchObject([{ outstanding: '{[1,2),[3,4)}' }]);
  });
});
