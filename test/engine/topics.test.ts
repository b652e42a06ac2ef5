// Topics: creation that can be repeated, changes, pages, and what deletion leaves behind.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/limits.ts';
import { CALLER, codeOf, createQueue, freshName, newMessage, type Queue, queueOf } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const create = (name: string, settings = {}) => engine.createTopic({ name, settings, caller: CALLER });

describe('creating a topic', () => {
  it('gives what was not said its default, and says who made it', async () => {
    const name = freshName();
    const { topic, created } = await create(name, { retentionSeconds: 3600 });
    expect(created).toBe(true);
    expect(topic).toMatchObject({
      ...{ name, retentionSeconds: 3600, createdBy: CALLER },
      retainAcknowledgedSeconds: limits.retainAcknowledgedSecondsDefault,
      expiredRetentionSeconds: limits.expiredRetentionSecondsDefault,
      maxMessageBytes: limits.messageBytesDefault,
      maxBacklog: null,
    });
    expect(await engine.getTopic(name)).toEqual(topic);
  });

  it('again changes nothing and is no conflict as long as what is said is true', async () => {
    const name = freshName();
    const { topic } = await create(name, { retentionSeconds: 3600 });
    for (const settings of [{}, { retentionSeconds: 3600 }, { maxMessageBytes: limits.messageBytesDefault }]) {
      expect(await create(name, settings)).toEqual({ topic, created: false });
    }
  });

  it('with other settings is a conflict that names them', async () => {
    const name = freshName();
    await create(name);
    const conflict = create(name, { retentionSeconds: 60, maxMessageBytes: 1, retainAcknowledgedSeconds: undefined });
    await expect(conflict).rejects.toMatchObject({
      code: 'topic_conflict',
      data: { topic: name, differing: ['retentionSeconds', 'maxMessageBytes'] },
    });
  });

  it('by many at once makes one', async () => {
    const name = freshName();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(name)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ topic }) => topic.topicId)).size).toBe(1);
  });
});

describe('changing a topic', () => {
  it('changes what is said and keeps the rest', async () => {
    const { topic } = await create(freshName(), { retentionSeconds: 3600 });
    const settings = { maxMessageBytes: 5, retentionSeconds: undefined };
    const updated = await engine.updateTopic({ name: topic.name, settings, caller: CALLER });
    expect(updated).toEqual({ ...topic, maxMessageBytes: 5 });
    expect(await engine.updateTopic({ name: topic.name, settings: {}, caller: CALLER })).toEqual(updated);
    expect(await engine.getTopic(topic.name)).toEqual(updated);
  });

  it('is refused when there is none', async () => {
    const missing = { name: freshName(), settings: {}, caller: CALLER };
    expect(await codeOf(engine.updateTopic(missing))).toBe('topic_not_found');
    expect(await codeOf(engine.getTopic(missing.name))).toBe('topic_not_found');
    expect(await codeOf(engine.deleteTopic(missing.name, CALLER))).toBe('topic_not_found');
  });
});

describe('the list of topics', () => {
  it('comes in pages in the order of names, byte by byte, without the deleted ones', async () => {
    const prefix = 'list';
    const names = ['b', 'B', '1', 'a.', 'a-', 'a_', 'aa', 'Z'].map((name) => `${prefix}${name}`);
    for (const name of names) await create(name);
    await create(`${prefix}gone`);
    await engine.deleteTopic(`${prefix}gone`, CALLER);
    const pages: string[][] = [];
    for (let after: string | null = prefix; after !== null; ) {
      const { topics, next } = await engine.listTopics({ after, limit: 3 });
      pages.push(topics.map(({ name }) => name).filter((name) => name.startsWith(prefix)));
      after = next;
    }
    expect(pages.flat()).toEqual([...names].sort());
    expect(pages.slice(0, 2).map((page) => page.length)).toEqual([3, 3]);
  });

  it('ends where it ends, also when the last page is full', async () => {
    const { topics } = await engine.listTopics({ limit: 1000 });
    expect(await engine.listTopics({ limit: topics.length })).toMatchObject({ next: null });
    expect(await engine.listTopics({ after: topics.at(-1)?.name, limit: 5 })).toEqual({
      topics: [],
      next: null,
      hasMore: false,
    });
  });
});

describe('deleting a topic', () => {
  async function publishCode(topic: string) {
    return codeOf(engine.publish({ topic, messages: [newMessage('a')], caller: CALLER }));
  }

  it('takes its subscriptions along, for every verb', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [{ receipt } = { receipt: '' }] = await queue.receive({ maxMessages: 1 });
    await engine.deleteTopic(queue.name, CALLER);
    expect(await publishCode(queue.name)).toBe('topic_not_found');
    const calls = [
      queue.receive(),
      queue.acknowledge(receipt),
      queue.acknowledgeAtomically(receipt),
      queue.release(receipt),
      queue.extend([receipt]),
      queue.reject(receipt),
      engine.getSubscription(queue.name),
      engine.updateSubscription({ name: queue.name, settings: {}, caller: CALLER }),
      engine.deleteSubscription(queue.name, CALLER),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'subscription_not_found'));
    expect(await codeOf(engine.getTopic(queue.name))).toBe('topic_not_found');
    const signed = 'select deleted_by from willcall.topic t where topic_id = $1';
    expect(await bench.value(signed, [queue.topicId])).toBe(CALLER);
  });

  it('by another instance is noticed though this one remembers the name', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    await bench.openEngine().deleteTopic(queue.name, CALLER);
    expect(await publishCode(queue.name)).toBe('topic_not_found');
    expect(await bench.value('select count(*) from willcall.message where topic_id = $1', [queue.topicId])).toBe(1);
  });

  it('leaves the ledger readable, until the name has a new ledger', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    await queue.acknowledge(await queue.receiveOne());
    await engine.deleteTopic(queue.name, CALLER);
    const read = () => engine.listAcknowledgments({ subscription: queue.name, limit: 10 });
    expect((await read()).acknowledgments).toHaveLength(1);
    await engine.createSubscription({ name: queue.name, settings: {}, caller: CALLER });
    expect((await read()).acknowledgments).toEqual([]);
  });

  it('frees the name for a topic that begins anew, in this instance and in others that knew the old one', async () => {
    const other = bench.openEngine();
    const queue = await createQueue(engine);
    const there = queueOf(other, queue.name, queue);
    const [id] = await there.publish('old');
    const { receipt } = await there.receiveOne();
    await engine.deleteTopic(queue.name, CALLER);
    const { subscription } = await engine.createSubscription({ name: queue.name, settings: {}, caller: CALLER });
    expect(subscription.topicId).not.toBe(queue.topicId);
    const [newId] = await there.publish('new');
    expect(newId).not.toBe(id);
    expect(await there.receiveOne()).toMatchObject({ sequence: 1, attempt: 1, body: Buffer.from('new') });
    // What was received before is nothing to the new subscription.
    expect((await there.acknowledge(receipt)).results).toMatchObject([{ outcome: 'invalid_receipt' }]);
  });

  it('a second time finds nothing', async () => {
    const queue: Queue = await createQueue(engine);
    const codes = await Promise.allSettled([1, 2, 3].map(() => engine.deleteTopic(queue.name, CALLER)));
    expect(codes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
