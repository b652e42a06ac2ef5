// The statement of docs/security.md that looks for what was done to a ledger behind Willcall's
// back.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createQueue, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench } from '../support/store.ts';

let bench: StoreBench;
let check: string;
let queue: Queue;
beforeAll(async () => {
  bench = await openStoreBench();
  const page = await readFile(join(import.meta.dirname, '../../docs/security.md'), 'utf8');
  [, check = ''] = /<!-- check:start -->\s*```sql\n([\s\S]*?)```/.exec(page) ?? [];
  expect(check).toContain('from willcall.acknowledgment');
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.clear();
  const engine = bench.openEngine();
  queue = await createQueue(engine);
  const other = await createQueue(engine);
  for (const each of [queue, other]) {
    await each.publish('a', 'b', 'c', 'd');
    for (const { receipt } of await each.receive({ maxMessages: 4 })) await each.acknowledge(receipt);
  }
});

const findings = () => bench.rows<{ subscription_id: number; ack_no: number }>(check);
const change = (text: string) => bench.rows(`${text} and subscription_id = $1`, [queue.subscriptionId]);

it('finds nothing in a ledger that was left alone, nor in one that was pruned', async () => {
  expect(await findings()).toEqual([]);
  await change('delete from willcall.acknowledgment where ack_no <= 2');
  expect(await findings()).toEqual([]);
});

it('finds nothing where a clock step is on record', async () => {
  await change(
    "update willcall.acknowledgment set acknowledged_at = acknowledged_at + interval '1 day' where ack_no = 2",
  );
  expect(await findings()).toMatchObject([{ ack_no: 3 }]);
  await bench.rows(
    `insert into willcall.clock_step (log, topic_id, subscription_id, no, was_at, at)
     values ('acknowledgment', $1, $2, 3, clock_timestamp() + interval '1 day', clock_timestamp())`,
    [queue.topicId, queue.subscriptionId],
  );
  expect(await findings()).toEqual([]);
});

it('finds a row that was taken out, and one whose time was changed', async () => {
  await change('delete from willcall.acknowledgment where ack_no = 2');
  expect(await findings()).toMatchObject([{ subscription_id: queue.subscriptionId, ack_no: 3 }]);
  await change(
    "update willcall.acknowledgment set acknowledged_at = acknowledged_at - interval '1 day' where ack_no = 4",
  );
  expect(await findings()).toMatchObject([{ ack_no: 3 }, { ack_no: 4 }]);
});
