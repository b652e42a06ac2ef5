// A topic's bound on the backlog of its subscriptions: no publish makes any of them exceed it,
// however many there are at once, and none is refused that would not.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WillcallError } from '../../src/domain/errors.ts';
import { CALLER, codeOf, createQueue, freshName, newMessage, type Queue } from '../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine, type TestEngine } from '../support/engine.ts';
import { type Owner, openOwner } from '../support/lock.ts';

let database: TestDatabase;
let engine: TestEngine;
let other: TestEngine;
let owner: Owner;
beforeAll(async () => {
  database = await createTestDatabase();
  engine = await createTestEngine(database);
  other = await createTestEngine(database);
  owner = await openOwner(database);
});
afterAll(async () => {
  await owner.end();
  await engine.stop();
  await other.stop();
  await database.drop();
});

const bound = (queue: Queue, maxBacklog: number | null) =>
  engine.updateTopic({ name: queue.name, settings: { maxBacklog }, caller: CALLER });
const createBounded = async (maxBacklog: number) => {
  const queue = await createQueue(engine);
  await bound(queue, maxBacklog);
  return queue;
};
const subscribe = async (topic: string, start: 'earliest' | 'latest' = 'latest') => {
  const name = freshName('reader');
  await engine.createSubscription({ name, topic, start, settings: {}, caller: CALLER });
  return name;
};
const backlogOf = async (name: string) => (await engine.getSubscription(name)).stats.backlog;
const bodies = (count: number) => Array.from({ length: count }, () => 'a');
const keyed = (dedupeKey: string) => newMessage('a', { dedupeKey });

describe('a publish to a topic with a bound', () => {
  it('fills the backlog up to the bound, and is refused as a whole beyond it', async () => {
    const queue = await createBounded(3);
    await queue.publish(...bodies(2));
    expect(await codeOf(queue.publish(...bodies(2)))).toBe('backlog_full');
    expect(await backlogOf(queue.name)).toBe(2);
    await queue.publish('a');
    expect(await codeOf(queue.publish('a'))).toBe('backlog_full');
    expect(await backlogOf(queue.name)).toBe(3);
  });

  it('has room again once messages were handed out, acknowledged or not', async () => {
    const queue = await createBounded(2);
    await queue.publish(...bodies(2));
    await queue.receive({ maxMessages: 1 });
    await queue.publish('a');
    expect(await codeOf(queue.publish('a'))).toBe('backlog_full');
  });

  it('is refused for the subscription that is furthest behind, whose name it is not told', async () => {
    const queue = await createBounded(2);
    const slow = await subscribe(queue.name);
    await queue.publish(...bodies(2));
    await queue.receive();
    const refusal = await queue.publish('a').catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'backlog_full', retryAfterSeconds: 5 });
    expect((refusal as WillcallError).data).toEqual({ topic: queue.name });
    await engine.deleteSubscription(slow, CALLER);
    await queue.publish('a');
  });

  it('is free where there is no subscription, and where the bound was lifted', async () => {
    const name = freshName('unread');
    await engine.createTopic({ name, settings: { maxBacklog: 1 }, caller: CALLER });
    await engine.publish({ topic: name, messages: bodies(5).map((body) => newMessage(body)), caller: CALLER });
    const queue = await createBounded(1);
    await queue.publish('a');
    await bound(queue, null);
    await queue.publish(...bodies(5));
    expect(await backlogOf(queue.name)).toBe(6);
  });

  it('is refused for a subscription that is beyond the bound already, until it has caught up', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...bodies(5));
    await bound(queue, 3);
    expect(await codeOf(queue.publish('a'))).toBe('backlog_full');
    await queue.receive({ maxMessages: 3 });
    await queue.publish('a');
    // It begins with what is kept.
    await subscribe(queue.name, 'earliest');
    expect(await codeOf(queue.publish('a'))).toBe('backlog_full');
  });

  it('that is a repetition succeeds, and a batch counts without its duplicates', async () => {
    const queue = await createBounded(3);
    const first = await queue.publish(keyed('1'), keyed('2'));
    expect(await queue.publish(keyed('1'), keyed('2'))).toEqual(first);
    await queue.publish(keyed('1'), keyed('3'), keyed('3'));
    expect(await queue.publish(keyed('1'), keyed('2'), keyed('3'))).toHaveLength(3);
    expect(await codeOf(queue.publish(keyed('3'), keyed('4')))).toBe('backlog_full');
    expect(await backlogOf(queue.name)).toBe(3);
  });

  it('may delay messages whatever the backlog: they enter the log when they are due', async () => {
    const queue = await createBounded(1);
    await queue.publish('a');
    await queue.publish(newMessage('b', { delaySeconds: 60 }));
    expect(await codeOf(queue.publish('c', newMessage('d', { delaySeconds: 60 })))).toBe('backlog_full');
    await owner.rows('update willcall.scheduled set deliver_at = clock_timestamp() where topic_id = $1', [
      queue.topicId,
    ]);
    await engine.sweep();
    expect(await backlogOf(queue.name)).toBe(2);
  });
});

describe('publishes to a topic with a bound that come together', () => {
  it('are admitted in their order, each as a whole, as far as there is room', async () => {
    const queue = await createBounded(6);
    await owner.hold('topic', queue.topicId);
    const first = queue.publish('a');
    await owner.seeWaiting(1);
    // These wait for one another and become one flush.
    const calls = [3, 4, 2, 1].map((count) => queue.publish(...bodies(count)).then(() => 'published', codeOfError));
    await owner.letGo();
    await first;
    expect(await Promise.all(calls)).toEqual(['published', 'backlog_full', 'published', 'backlog_full']);
    expect(await backlogOf(queue.name)).toBe(6);
  });

  it('are counted anew where one that is refused had the original of a duplicate', async () => {
    const queue = await createBounded(2);
    await owner.hold('topic', queue.topicId);
    const first = queue.publish('a');
    await owner.seeWaiting(1);
    const large = queue.publish('b', 'c', keyed('k')).then(() => 'published', codeOfError);
    const small = queue.publish(keyed('k')).then(() => 'published', codeOfError);
    const late = queue.publish('d').then(() => 'published', codeOfError);
    await owner.letGo();
    await first;
    expect(await Promise.all([large, small, late])).toEqual(['backlog_full', 'published', 'backlog_full']);
    expect(await backlogOf(queue.name)).toBe(2);
  });

  it('never exceed the bound between them, on several instances, and fill it', async () => {
    const queue = await createBounded(25);
    const publish = (on: TestEngine) =>
      on
        .publish({ topic: queue.name, messages: [newMessage('a'), newMessage('b')], caller: CALLER })
        .then(() => 'published', codeOfError);
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, i) => publish(i % 2 === 0 ? engine : other)));
    expect(outcomes.filter((outcome) => outcome === 'published')).toHaveLength(12);
    expect(new Set(outcomes)).toEqual(new Set(['published', 'backlog_full']));
    expect(await backlogOf(queue.name)).toBe(24);
  });
});

function codeOfError(error: unknown): string {
  if (error instanceof WillcallError) return error.code;
  throw error;
}
