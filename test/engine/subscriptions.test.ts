// Subscriptions: creation that can be repeated, changes, pages, stats, and deletion.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/limits.ts';
import type { CreateSubscriptionRequest } from '../../src/engine/subscriptions.ts';
import { CALLER, codeOf, createQueue, freshName, queueOf } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const create = (name: string, fields: Partial<CreateSubscriptionRequest> = {}) =>
  engine.createSubscription({ name, settings: {}, caller: CALLER, ...fields });

describe('creating a subscription', () => {
  it('without a topic makes a plain queue: the topic of its name comes along', async () => {
    const name = freshName();
    const { subscription, created } = await create(name);
    expect(created).toBe(true);
    expect(subscription).toMatchObject({
      ...{ name, topic: name, start: 'latest', delaySeconds: 0, maxInFlight: null, createdBy: CALLER },
      visibilityTimeoutSeconds: limits.visibilityTimeoutSecondsDefault,
      maxAttempts: limits.maxAttemptsDefault,
      maxDeliveries: limits.maxDeliveriesDefault,
      minBackoffSeconds: limits.minBackoffSecondsDefault,
      maxBackoffSeconds: limits.maxBackoffSecondsDefault,
    });
    expect((await engine.getTopic(name)).topicId).toBe(subscription.topicId);
  });

  it('of a named topic needs that topic', async () => {
    const topic = freshName();
    expect(await codeOf(create(freshName(), { topic }))).toBe('topic_not_found');
    await engine.createTopic({ name: topic, settings: {}, caller: CALLER });
    expect((await create(freshName(), { topic })).subscription.topic).toBe(topic);
  });

  it('joins a topic of its own name that is there', async () => {
    const name = freshName();
    const { topic } = await engine.createTopic({ name, settings: {}, caller: CALLER });
    expect((await create(name)).subscription.topicId).toBe(topic.topicId);
  });

  it('again changes nothing and is no conflict as long as what is said is true', async () => {
    const name = freshName();
    const start = new Date('2020-01-01T00:00:00Z');
    const { subscription } = await create(name, { start, settings: { maxInFlight: 5 } });
    const repeats: Partial<CreateSubscriptionRequest>[] = [
      {},
      { start: new Date(start) },
      { topic: name },
      { settings: { maxInFlight: 5, delaySeconds: 0, maxAttempts: undefined } },
    ];
    for (const fields of repeats) expect(await create(name, fields)).toEqual({ subscription, created: false });
  });

  it('with anything else is a conflict that names it', async () => {
    const name = freshName();
    const other = (await create(freshName())).subscription.topic;
    await create(name, { settings: { maxInFlight: 5 } });
    const conflicts: [Partial<CreateSubscriptionRequest>, string[]][] = [
      [{ topic: other }, ['topic']],
      [{ start: 'earliest' }, ['start']],
      [{ start: new Date() }, ['start']],
      [{ settings: { maxInFlight: null } }, ['maxInFlight']],
      [{ settings: { delaySeconds: 1, maxAttempts: 1 } }, ['delaySeconds', 'maxAttempts']],
    ];
    for (const [fields, differing] of conflicts) {
      await expect(create(name, fields)).rejects.toMatchObject({
        code: 'subscription_conflict',
        data: { subscription: name, differing },
      });
    }
  });

  it('by many at once makes one', async () => {
    const name = freshName();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(name)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ subscription }) => subscription.subscriptionId)).size).toBe(1);
  });

  it('refuses a back-off whose bounds cross, together with the default of the other one too', async () => {
    const crossing = { minBackoffSeconds: limits.maxBackoffSecondsDefault + 1 };
    const refused = create(freshName(), { settings: crossing });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_request',
      data: { fields: [{ path: ['minBackoffSeconds'], rule: 'at_most', other: 'maxBackoffSeconds' }] },
    });
  });

  it('on a topic that is deleted in the same moment leaves no living subscription of a dead topic', async () => {
    for (let i = 0; i < 5; i += 1) {
      const { topic } = await engine.createTopic({ name: freshName(), settings: {}, caller: CALLER });
      const name = freshName();
      await Promise.allSettled([create(name, { topic: topic.name }), engine.deleteTopic(topic.name, CALLER)]);
    }
    const orphans = `select count(*) from willcall.subscription s join willcall.topic t using (topic_id)
      where s.deleted_at is null and t.deleted_at is not null`;
    expect(await bench.value(orphans)).toBe(0);
  });
});

describe('changing a subscription', () => {
  it('changes what is said and keeps the rest', async () => {
    const { subscription } = await create(freshName(), { settings: { maxInFlight: 5, maxAttempts: 3 } });
    const { name } = subscription;
    const update = (settings: CreateSubscriptionRequest['settings']) =>
      engine.updateSubscription({ name, settings, caller: CALLER });
    expect(await update({ maxInFlight: null, maxAttempts: undefined })).toEqual({ ...subscription, maxInFlight: null });
    expect(await update({})).toEqual({ ...subscription, maxInFlight: null });
    expect((await engine.getSubscription(name)).subscription).toEqual({ ...subscription, maxInFlight: null });
  });

  it('refuses a back-off whose bounds would cross', async () => {
    const { name } = await createQueue(engine, { minBackoffSeconds: 10, maxBackoffSeconds: 20 });
    const update = (settings: CreateSubscriptionRequest['settings']) =>
      engine.updateSubscription({ name, settings, caller: CALLER });
    expect(await codeOf(update({ minBackoffSeconds: 21 }))).toBe('invalid_request');
    expect(await codeOf(update({ maxBackoffSeconds: 9 }))).toBe('invalid_request');
    expect(await update({ minBackoffSeconds: 30, maxBackoffSeconds: 30 })).toMatchObject({ maxBackoffSeconds: 30 });
  });
});

describe('the list of subscriptions', () => {
  it('comes in pages in the order of names, over topics, without the deleted ones', async () => {
    const names = ['b', 'B', '1', 'a.', 'aa'].map((name) => `list${name}`);
    for (const name of names) await create(name);
    await create('listgone');
    await engine.deleteSubscription('listgone', CALLER);
    const first = await engine.listSubscriptions({ after: 'list', limit: 3 });
    const second = await engine.listSubscriptions({ after: first.next ?? '', limit: 3 });
    const listed = [...first.subscriptions, ...second.subscriptions].map(({ name }) => name);
    expect(listed.filter((name) => name.startsWith('list'))).toEqual([...names].sort());
    expect(first.subscriptions[0]?.topic).toBe(first.subscriptions[0]?.name);
  });
});

describe('the stats of a subscription', () => {
  it('count what is where', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c', 'd', 'e', 'f');
    const [a, b, c, d] = await queue.receive({ maxMessages: 5 });
    await queue.acknowledge(a?.receipt ?? '');
    await queue.release(b?.receipt ?? '', { delaySeconds: 60 });
    await queue.reject(c?.receipt ?? '');
    const { stats } = await engine.getSubscription(queue.name);
    expect(stats).toMatchObject({ backlog: 1, inFlight: 2, deferred: 1, deadLetters: 1 });
    await queue.acknowledge(d?.receipt ?? '');
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ inFlight: 1 });
  });

  it('say how old the oldest message is that is not settled, wherever it is', async () => {
    const queue = await createQueue(engine);
    const age = async () => (await engine.getSubscription(queue.name)).stats.oldestUnacknowledgedSeconds;
    expect(await age()).toBeNull();
    await queue.publish('a');
    await bench.letTimePass(1000);
    await queue.publish('b');
    await bench.letTimePass(100);
    await queue.publish('c');
    const near = async (seconds: number) => expect(Math.round(((await age()) ?? -1) / 100) * 100).toBe(seconds);
    await near(1100);
    const [a] = await queue.receive({ maxMessages: 1 });
    await near(1100);
    await queue.release(a?.receipt ?? '', { delaySeconds: 60 });
    await near(1100);
    await queue.acknowledge(a?.receipt ?? '');
    await near(1100);
    await bench.rows('delete from willcall.deferred where subscription_id = $1', [queue.subscriptionId]);
    await near(100);
    await queue.acknowledge(...(await queue.receive()).map(({ receipt }) => receipt));
    expect(await age()).toBeNull();
  });

  it("of one subscription do not count another one's", async () => {
    const topic = await createQueue(engine);
    const { subscription } = await create(freshName(), { topic: topic.name, start: 'earliest' });
    const other = queueOf(engine, subscription.name, subscription, topic.name);
    await topic.publish('a', 'b');
    await topic.reject((await topic.receive())[0]?.receipt ?? '');
    expect((await engine.getSubscription(other.name)).stats).toMatchObject({
      ...{ backlog: 2, inFlight: 0, deferred: 0, deadLetters: 0 },
    });
  });
});

describe('deleting a subscription', () => {
  it('leaves its topic and the others', async () => {
    const topic = await createQueue(engine);
    const { subscription } = await create(freshName(), { topic: topic.name });
    await engine.deleteSubscription(subscription.name, CALLER);
    expect(await codeOf(engine.getSubscription(subscription.name))).toBe('subscription_not_found');
    await topic.publish('a');
    expect(await topic.receive()).toHaveLength(1);
  });

  it('frees the name for one that begins anew on the same topic', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const before = await queue.receive({ maxMessages: 1 });
    await engine.deleteSubscription(queue.name, CALLER);
    const { created } = await create(queue.name, { start: 'earliest' });
    expect(created).toBe(true);
    expect((await queue.receive()).map(({ sequence, attempt }) => [sequence, attempt])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    const answer = await queue.acknowledge(before[0]?.receipt ?? '');
    expect(answer.results).toMatchObject([{ outcome: 'invalid_receipt' }]);
  });
});
