// Retention looks first, at a thousand subscriptions or topics in one statement, and takes its
// steps only where a look found something: what lies idle costs no statement of its own, and
// nothing is missed.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, createQueue, type Queue } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

const DAY = 86_400;
const WEEK = 7 * DAY;

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.rows('update willcall.ledger_policy set retention_seconds = null');
  await bench.clear();
});

/**
 * An instance, and what it asked of the database: the verbs in order, a step with whom it was for.
 */
function watch(over: Partial<Store['retention']> = {}): { asked: string[]; instance: TestEngine } {
  const asked: string[] = [];
  const { store } = bench;
  const retention = { ...store.retention, ...over };
  const noting =
    <Args extends unknown[], Answer>(
      name: string,
      verb: (...args: Args) => Promise<Answer>,
      of?: (...args: Args) => number,
    ) =>
    (...args: Args) => {
      asked.push(of === undefined ? name : `${name} ${of(...args)}`);
      return verb(...args);
    };
  const instance = bench.openEngine({
    ...store,
    subscriptions: { ...store.subscriptions, listKeys: noting('list subscriptions', store.subscriptions.listKeys) },
    topics: { ...store.topics, listIds: noting('list topics', store.topics.listIds) },
    retention: {
      rotateDedupeKeys: noting('rotate', retention.rotateDedupeKeys),
      findDueSubscriptions: noting('look at subscriptions', retention.findDueSubscriptions),
      findDueTopics: noting('look at topics', retention.findDueTopics),
      retainSubscription: noting('retain', retention.retainSubscription, (key) => key.subscriptionId),
      pruneLedger: noting('prune the ledger of', retention.pruneLedger, (key) => key.subscriptionId),
      pruneTopic: noting('prune', retention.pruneTopic, (topicId) => topicId),
    },
  });
  return { asked, instance };
}

const IDLE = ['rotate', 'list subscriptions', 'look at subscriptions', 'list topics', 'look at topics'];
const stepsOf = (asked: readonly string[]) => asked.filter((each) => !IDLE.includes(each));

async function settleAll(queue: Queue): Promise<void> {
  await queue.acknowledge(...(await queue.receive({ maxMessages: 1000 })).map(({ receipt }) => receipt));
}

async function createFive(): Promise<[Queue, Queue, Queue, Queue, Queue]> {
  const create = () => createQueue(engine);
  return [await create(), await create(), await create(), await create(), await create()];
}

/** So many topics with a subscription each, on which nothing ever happened. */
async function addIdle(count: number): Promise<void> {
  await bench.rows(
    `insert into willcall.topic (name, retention_seconds, retain_acknowledged_seconds, expired_retention_seconds,
       max_message_bytes, dedupe_window_seconds, created_by)
     select 'idle-' || n, 604800, 86400, 604800, 1000, 86400, 'p' from generate_series(1, $1) n`,
    [count],
  );
  await bench.rows(
    `insert into willcall.subscription (topic_id, name, start_at, visibility_timeout_seconds, delay_seconds, max_attempts,
       max_deliveries, min_backoff_seconds, max_backoff_seconds, created_by)
     select topic_id, name, 'latest', 30, 0, 10, 100, 1, 600, 'p' from willcall.topic`,
  );
  await bench.rows(
    `select willcall.start_subscription(topic_id, subscription_id, 'latest', null, 'p') from willcall.subscription`,
  );
}

describe('a run in which there is nothing to do', () => {
  it('asks one statement for a list and one for a look per thousand subscriptions, and as much for topics', async () => {
    await addIdle(2300);
    await bench.letTimePass(2 * DAY);
    await bench.rows('update willcall.ledger_policy set retention_seconds = 60');
    const { asked, instance } = watch();
    expect(await instance.retain()).toEqual({ expired: 0, dead: 0, pruned: 0 });
    const round = (what: string) => Array.from({ length: 3 }, () => [`list ${what}`, `look at ${what}`]).flat();
    expect(asked).toEqual(['rotate', ...round('subscriptions'), ...round('topics')]);
  });

  it('takes no step for subscriptions that were busy once, however they were left', async () => {
    const [settled, backlog, inFlight, deferred, quarantined] = await createFive();
    for (const queue of [settled, backlog, inFlight, deferred, quarantined]) await queue.publish('a', 'b', 'c');
    await settleAll(settled);
    await inFlight.receive();
    await bench.rows(`update willcall.lease set expires_at = now() + interval '1 day'`);
    for (const { receipt } of await deferred.receive()) await deferred.release(receipt, { delaySeconds: DAY });
    for (const { receipt } of await quarantined.receive()) await quarantined.reject(receipt);
    await bench.letTimePass(61);
    await engine.retain();
    await bench.letTimePass(61);
    const { asked, instance } = watch();
    await instance.retain();
    expect(asked).toEqual(IDLE);
  });

  it('does so on the quiet day after a busy one: its marks are dropped by the hour, and all in the end', async () => {
    const queue = await createQueue(engine);
    await bench.rows(
      `insert into willcall.settled_mark
       select $1, $2, now() + interval '30 seconds' - n * interval '1 minute', 0, 2 from generate_series(1, 1440) n`,
      [queue.topicId, queue.subscriptionId],
    );
    const marks = () =>
      bench.value('select count(*) from willcall.settled_mark where subscription_id = $1', [queue.subscriptionId]);
    const steps: string[] = [];
    for (let minutes = 20; minutes <= 240; minutes += 20) {
      // Not by whole minutes: marks would get in each other's way while they move.
      await bench.letTimePass(20 * 60 + 7);
      const { asked, instance } = watch();
      await instance.retain();
      steps.push(...stepsOf(asked));
    }
    expect(steps).toHaveLength(3);
    await bench.letTimePass(DAY);
    await engine.retain();
    expect(await marks()).toBe(1);
  });
});

describe('among several', () => {
  it('steps are taken for all that have something to do, and for no others', async () => {
    const idle = await createQueue(engine);
    const [expiring, buried, signed, settled, gone] = await createFive();
    for (const queue of [expiring, signed]) await queue.publish('a', 'b');
    await settleAll(signed);
    await buried.publish('a');
    await buried.release((await buried.receiveOne()).receipt, { delaySeconds: 30 * DAY });
    await bench.letTimePass(61);
    await engine.retain();
    await bench.letTimePass(WEEK);
    for (const queue of [settled, gone]) await queue.publish('a');
    await settleAll(settled);
    await gone.release((await gone.receiveOne()).receipt, { delaySeconds: 60 });
    await engine.deleteSubscription(gone.name, CALLER);
    await bench.rows('update willcall.ledger_policy set retention_seconds = $1', [DAY]);

    const { asked, instance } = watch();
    expect(await instance.retain()).toEqual({ expired: 2, dead: 1, pruned: 1 });
    const retained = [expiring, buried, signed, settled, gone].map(({ subscriptionId }) => `retain ${subscriptionId}`);
    expect(stepsOf(asked).sort()).toEqual(
      [...retained, `prune the ledger of ${signed.subscriptionId}`, `prune ${signed.topicId}`].sort(),
    );
    expect(await bench.value('select count(*) from willcall.deferred')).toBe(0);
    // The record of what expired lets an older record of the delivery log go.
    await instance.retain();
    const before = asked.length;
    await instance.retain();
    expect(asked.slice(before)).toEqual(IDLE);
    expect(asked.join()).not.toContain(`${idle.subscriptionId}`);
  });

  it('each is found on its page, where there are more than one look takes', async () => {
    await addIdle(2300);
    const [last] = await createFive();
    await last.publish('a', 'b');
    await bench.letTimePass(WEEK + 60);
    const { asked, instance } = watch();
    expect(await instance.retain()).toMatchObject({ expired: 2 });
    expect(stepsOf(asked)).toEqual([`retain ${last.subscriptionId}`]);
  });

  it('those that another instance has done already are stepped over', async () => {
    const [one, two] = await createFive();
    for (const queue of [one, two]) await queue.publish('a');
    await bench.letTimePass(WEEK + 60);
    const { asked, instance } = watch({
      findDueSubscriptions: async (keys) => {
        const due = await bench.store.retention.findDueSubscriptions(keys);
        await engine.retain();
        return due;
      },
    });
    expect(await instance.retain()).toEqual({ expired: 0, dead: 0, pruned: 0 });
    expect(stepsOf(asked)).toHaveLength(2);
    expect(await bench.value(`select count(*) from willcall.dead_letter`)).toBe(2);
  });
});

describe('a look', () => {
  it('begins where the looks and steps before it ended', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    await settleAll(queue);
    await bench.letTimePass(61);
    await engine.retain();
    await bench.letTimePass(WEEK);
    await bench.rows('update willcall.ledger_policy set retention_seconds = $1', [DAY]);
    const looks: unknown[] = [];
    const { findDueSubscriptions, findDueTopics } = bench.store.retention;
    const { instance } = watch({
      findDueSubscriptions: (keys) => {
        looks.push(keys.map(({ floors: { deliveryNo, ackNo } }) => ({ deliveryNo, ackNo })));
        return findDueSubscriptions(keys);
      },
      findDueTopics: (topics) => {
        looks.push(topics.map(({ floor }) => floor));
        return findDueTopics(topics);
      },
    });
    await instance.retain();
    await instance.retain();
    expect(looks).toEqual([[{ deliveryNo: 0, ackNo: 0 }], [0], [{ deliveryNo: 1, ackNo: 2 }], [2]]);
  });
});

describe('a look that fails', () => {
  it('lets each of its page look for itself under its locks, and is told at the end', async () => {
    const queues = await createFive();
    await queues[0].publish('a');
    await bench.letTimePass(WEEK + 60);
    const fault = new WillcallError('database_timeout', 'too slow');
    const { asked, instance } = watch({
      findDueSubscriptions: () => Promise.reject(fault),
      findDueTopics: () => Promise.reject(fault),
    });
    await expect(instance.retain()).rejects.toBe(fault);
    const each = (verb: string, ids: number[]) => ids.map((id) => `${verb} ${id}`);
    const subscriptionIds = queues.map(({ subscriptionId }) => subscriptionId);
    expect(stepsOf(asked).sort()).toEqual(
      [
        ...each('retain', subscriptionIds),
        ...each('prune the ledger of', subscriptionIds),
        ...each(
          'prune',
          queues.map(({ topicId }) => topicId),
        ),
      ].sort(),
    );
    expect(await bench.value('select count(*) from willcall.dead_letter')).toBe(1);
  });
});
