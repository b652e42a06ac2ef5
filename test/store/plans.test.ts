// Plans do not drift. Functions keep the plans that they made when tables were empty; here each
// verb runs once on empty, analyzed tables, the tables grow to tens of thousands of rows, and in
// the same session each verb runs again: it must go by an index each time and touch a bounded
// number of pages, however much there is.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDeliveryStore } from '../../src/store/deliveries.ts';
import { createFallingDueStore } from '../../src/store/due.ts';
import { createMessageStore } from '../../src/store/messages.ts';
import { createDb, type Db } from '../../src/store/postgres/db.ts';
import { createRetentionStore } from '../../src/store/retention.ts';
import { createSettlingStore } from '../../src/store/settling.ts';
import { createSubscriptionStore } from '../../src/store/subscriptions.ts';
import { createTopicStore } from '../../src/store/topics.ts';
import { BALLAST_ROWS, ballastOf } from '../support/ballast.ts';
import { createQueue, newMessage, type Queue } from '../support/calls.ts';
import { type Counters, growth, readCounters } from '../support/counters.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';
import { type Trial, trial } from '../support/trial.ts';

/**
 * Of any one table with its indexes, in a call about one message; the whole table has hundreds or
 * thousands.
 */
const PAGES_MAX = 60;
/** In a call about many messages, for each of them. */
const PAGES_PER_MESSAGE_MAX = 20;
const BATCH = 200;

let bench: StoreBench;
let db: Db;
let engine: TestEngine;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  const tables = await bench.rows<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = 'willcall'::regnamespace and relkind = 'r'`,
  );
  for (const { name } of tables) await bench.rows(`alter table ${name} set (autovacuum_enabled = false)`);
  await bench.rows('analyze');

  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  db = createDb({
    ...{ url: bench.database.url, schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 1, logger },
  });
  // One session does all the engine's work, so that its counts are whole whenever it publishes
  // them. The log of dead letters would read in another one, whose counts come late.
  engine = bench.openEngine({
    ...bench.store,
    ledger: { ...bench.store.ledger, listNewestDeadLetters: async () => [] },
    topics: createTopicStore(db),
    subscriptions: createSubscriptionStore(db),
    messages: createMessageStore(db),
    deliveries: createDeliveryStore(db),
    settling: createSettlingStore(db),
    fallingDue: createFallingDueStore(db),
    retention: createRetentionStore(db),
    wakeups: { listen: () => {}, isListening: () => false, send: async () => {} },
  });
  queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
  for (const { run } of [...trials, ...batchTrials]) await run();
  await grow();
});
afterAll(async () => {
  await db.stop();
  await bench.stop();
});

const error = { code: 'E', message: null };

/** Ends the lease of the last delivery. */
async function endLease(): Promise<void> {
  await bench.rows(
    `update willcall.lease set expires_at = clock_timestamp()
     where subscription_id = $1 and delivery_no = (select max(delivery_no) from willcall.delivery where subscription_id = $1)`,
    [queue.subscriptionId],
  );
}

/** A message of the queue in flight, received before the verb is measured. */
async function inFlight(): Promise<string> {
  await queue.publish('a');
  const [message] = await queue.receive({ maxMessages: 1 });
  return message?.receipt ?? '';
}

const nothing = async () => {};

/** So many messages in flight, of one delivery. */
async function batchInFlight(): Promise<string[]> {
  await queue.publish(...Array.from({ length: BATCH }, () => 'a'));
  return (await queue.receive({ maxMessages: BATCH })).map(({ receipt }) => receipt);
}

/** Whether a mark is due: it is where there is none of this minute. */
async function makeMarkDue(isDue: boolean): Promise<void> {
  const recent = `subscription_id = $1 and marked_at > now() - interval '1 minute'`;
  const text = isDue
    ? `update willcall.settled_mark set marked_at = marked_at - interval '1 day' where ${recent}`
    : `insert into willcall.settled_mark
       select topic_id, subscription_id, clock_timestamp(), 0, 1000 from willcall.subscription where subscription_id = $1`;
  await bench.rows(text, [queue.subscriptionId]);
}

/** Looks at the queue so many times in one statement. */
function look(times: number): Promise<unknown> {
  const { topicId, subscriptionId } = queue;
  const one = { topicId, subscriptionId, floors: { deliveryNo: 0, markedAt: null, ackNo: 0 } };
  return createRetentionStore(db).findDueSubscriptions(Array.from({ length: times }, () => one));
}

function lookAtTopics(times: number): Promise<unknown> {
  const one = { topicId: queue.topicId, floor: 0 };
  return createRetentionStore(db).findDueTopics(Array.from({ length: times }, () => one));
}

const trials: Trial[] = [
  trial({ name: 'publish', indexes: ['message_key', 'topic_key'], prepare: nothing, call: () => queue.publish('a') }),
  trial({
    name: 'publish with a key',
    indexes: ['message_key', 'dedupe_key_even_key'],
    prepare: nothing,
    call: () => queue.publish(newMessage('a', { dedupeKey: `${Math.random()}` })),
  }),
  trial({
    name: 'publish with a delay',
    indexes: ['message_key', 'topic_key'],
    prepare: nothing,
    call: () => queue.publish(newMessage('a', { delaySeconds: 60 })),
  }),
  trial({
    name: 'publish to a topic with a bound',
    indexes: ['message_key', 'topic_key', 'subscription_key', 'delivery_key'],
    prepare: () =>
      engine.updateTopic({ name: queue.name, settings: { maxBacklog: BALLAST_ROWS * 10 }, caller: 'test' }),
    call: () => queue.publish('a'),
  }),
  trial({
    name: 'publish with a key to a topic with a bound',
    indexes: ['message_key', 'subscription_key', 'delivery_key', 'dedupe_key_even_key'],
    prepare: nothing,
    call: () => queue.publish(newMessage('a', { dedupeKey: `${Math.random()}` })),
  }),
  trial({
    name: 'receive',
    indexes: ['subscription_key', 'delivery_key', 'deferred_queue', 'message_key'],
    prepare: () => queue.publish('a'),
    call: () => queue.receive(),
  }),
  trial({
    name: 'receive of what comes again',
    indexes: ['deferred_queue', 'message_key'],
    prepare: async () => queue.release(await inFlight()),
    call: () => queue.receive(),
  }),
  trial({
    name: 'receive with a key, repeated',
    indexes: ['delivery_receive_key', 'lease_key'],
    prepare: async () => {
      await queue.publish('a');
      await queue.receive({ idempotencyKey: 'again' });
    },
    call: () => queue.receive({ idempotencyKey: 'again' }),
  }),
  trial({
    name: 'acknowledge',
    indexes: ['subscription_key', 'delivery_key', 'lease_key', 'message_key', 'acknowledgment_key'],
    prepare: inFlight,
    call: (receipt) => queue.acknowledge(receipt),
  }),
  trial({
    name: 'acknowledge, atomic',
    indexes: ['lease_key', 'acknowledgment_key'],
    prepare: inFlight,
    call: (receipt) => queue.acknowledgeAtomically(receipt),
  }),
  trial({
    name: 'acknowledge, late',
    indexes: ['failure_key', 'deferred_key'],
    prepare: async () => {
      const receipt = await inFlight();
      await endLease();
      await engine.sweep();
      return receipt;
    },
    call: (receipt) => queue.acknowledge(receipt),
  }),
  trial({
    name: 'acknowledge, again',
    indexes: ['acknowledgment_once'],
    prepare: async () => {
      const receipt = await inFlight();
      await queue.acknowledge(receipt);
      return receipt;
    },
    call: (receipt) => queue.acknowledge(receipt),
  }),
  trial({
    name: 'release',
    indexes: ['subscription_key', 'lease_key', 'delivery_key'],
    prepare: inFlight,
    call: (receipt) => queue.release(receipt, { error, delaySeconds: 3600 }),
  }),
  trial({
    name: 'extend',
    indexes: ['subscription_key', 'lease_key', 'delivery_key'],
    prepare: inFlight,
    call: (receipt) => queue.extend([receipt]),
  }),
  trial({
    name: 'reject',
    indexes: ['subscription_key', 'lease_key', 'delivery_key', 'failure_key'],
    prepare: inFlight,
    call: (receipt) => queue.reject(receipt, error),
  }),
  trial({
    name: 'sweep',
    indexes: ['lease_expires_at', 'deferred_available_at', 'scheduled_deliver_at', 'lease_key'],
    prepare: async () => {
      await inFlight();
      await endLease();
    },
    call: () => engine.sweep(),
  }),
  trial({
    name: 'sweep of what is scheduled',
    indexes: ['topic_key', 'scheduled_key'],
    prepare: async () => {
      await queue.publish(newMessage('a', { delaySeconds: 60 }));
      await bench.rows(
        `update willcall.scheduled set deliver_at = clock_timestamp()
         where scheduled_no = (select max(scheduled_no) from willcall.scheduled)`,
      );
    },
    call: () => engine.sweep(),
  }),
  trial({
    name: 'receivable',
    indexes: ['message_key', 'delivery_key'],
    prepare: nothing,
    call: () => createDeliveryStore(db).receivable([queue], 60_000),
  }),
  trial({
    name: 'retain',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'delivery_key', 'message_key'],
    prepare: () => makeMarkDue(false),
    call: () => createRetentionStore(db).retainSubscription(queue, null, 10),
  }),
  trial({
    name: 'prune',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'message_key'],
    prepare: nothing,
    call: () => createRetentionStore(db).pruneTopic(queue.topicId, null, 10),
  }),
  trial({
    name: 'look for what to retain',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'delivery_key', 'deferred_key', 'message_key'],
    prepare: () => makeMarkDue(true),
    call: () => look(1),
  }),
  trial({
    name: 'look for what to retain, the ledger too',
    indexes: ['settled_mark_key', 'lease_key', 'acknowledgment_key'],
    prepare: () => bench.rows('update willcall.ledger_policy set retention_seconds = 86400'),
    call: () => look(1),
  }),
  trial({
    name: 'look for what to prune',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'message_key'],
    prepare: () => queue.publish('a', 'b'),
    call: () => lookAtTopics(1),
  }),
];

const batchTrials: Trial[] = [
  trial({
    name: 'publish',
    indexes: ['message_key'],
    prepare: nothing,
    call: () => queue.publish(...Array.from({ length: BATCH }, () => 'a')),
  }),
  trial({
    name: 'receive',
    indexes: ['message_key'],
    prepare: () => queue.publish(...Array.from({ length: BATCH }, () => 'a')),
    call: () => queue.receive({ maxMessages: BATCH }),
  }),
  trial({
    name: 'acknowledge',
    indexes: ['lease_key', 'message_key'],
    prepare: batchInFlight,
    call: (receipts) => queue.acknowledge(...receipts),
  }),
  trial({
    name: 'release',
    indexes: ['lease_key', 'message_key'],
    prepare: batchInFlight,
    call: (receipts) =>
      engine.release({
        ...{ subscription: queue.name, caller: 'test' },
        receipts: receipts.map((receipt) => ({ receipt, delaySeconds: 3600, error: null })),
      }),
  }),
  trial({
    name: 'extend',
    indexes: ['lease_key'],
    prepare: batchInFlight,
    call: (receipts) => queue.extend(receipts),
  }),
  trial({
    name: 'reject',
    indexes: ['lease_key', 'message_key', 'failure_key'],
    prepare: batchInFlight,
    call: (receipts) =>
      engine.reject({
        ...{ subscription: queue.name, caller: 'test' },
        receipts: receipts.map((receipt) => ({ receipt, error: null })),
      }),
  }),
  trial({
    name: 'look for what to retain',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'delivery_key', 'deferred_key', 'message_key'],
    prepare: nothing,
    call: () => look(BATCH),
  }),
  trial({
    name: 'look for what to prune',
    indexes: ['topic_key', 'subscription_key', 'settled_mark_key', 'message_key'],
    prepare: nothing,
    call: () => lookAtTopics(BATCH),
  }),
  trial({
    name: 'sweep',
    indexes: ['lease_key', 'message_key'],
    prepare: async () => {
      await batchInFlight();
      await endLease();
    },
    call: () => engine.sweep(),
  }),
];

/**
 * Fills every table far beyond what any plan was made for: the queue's own part, and another one
 * behind it in each index.
 */
async function grow(): Promise<void> {
  const { topicId, subscriptionId } = queue;
  const last = await bench.value<number>('select max(seq) from willcall.message where topic_id = $1', [topicId]);
  for (const shift of [0, 1]) {
    for (const text of ballastOf(topicId + shift, subscriptionId + shift, last)) await bench.rows(text);
  }
  await bench.rows(`select setval('willcall.scheduled_number', 2000000)`);
  // The cursor stands at the tail.
  await bench.rows(
    `update willcall.delivery set head = $2
     where subscription_id = $1 and delivery_no = (select max(delivery_no) from willcall.delivery where subscription_id = $1)`,
    [subscriptionId, last + BALLAST_ROWS],
  );
}

/** What a call, and not its preparation, touched: pages by table, and by which indexes. */
async function measure({ run }: Trial): Promise<Counters> {
  let before: Counters | undefined;
  await run(async () => {
    before = await readCounters(db, bench);
  });
  const after = await readCounters(db, bench);
  const { dedupe_rotation: _oneRow, ...seqScans } = growth(before?.seqScans ?? {}, after.seqScans);
  return {
    pages: growth(before?.pages ?? {}, after.pages),
    seqScans,
    indexScans: growth(before?.indexScans ?? {}, after.indexScans),
    entriesRead: growth(before?.entriesRead ?? {}, after.entriesRead),
  };
}

describe('with plans made on empty tables, over tens of thousands of rows', () => {
  it.each(trials)('a call goes by its indexes and touches few pages: $name', async (trial) => {
    const { pages, seqScans, indexScans } = await measure(trial);
    expect(seqScans).toEqual({});
    expect(Object.keys(indexScans)).toEqual(expect.arrayContaining(trial.indexes));
    expect(Object.entries(pages).filter(([, touched]) => touched > PAGES_MAX)).toEqual([]);
  });

  it.each(batchTrials)('a call about many messages touches few pages for each: $name', async (trial) => {
    const { pages, seqScans, indexScans } = await measure(trial);
    expect(seqScans).toEqual({});
    expect(Object.keys(indexScans)).toEqual(expect.arrayContaining(trial.indexes));
    expect(Object.entries(pages).filter(([, touched]) => touched > BATCH * PAGES_PER_MESSAGE_MAX)).toEqual([]);
  });
});
