// publish: order, ids, bounds; all of a call or nothing of it, and nothing of it decides about its
// neighbours.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WillcallError } from '../../src/domain/errors.ts';
import type { PublishedMessage } from '../../src/domain/message.ts';
import { parseMessageId } from '../../src/domain/message-id.ts';
import type { PublishGroup } from '../../src/store/messages.ts';
import { CALLER, codeOf, createQueue, freshName, newMessage } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

/** The topic's log as text. */
async function logOf(topicId: number): Promise<string[]> {
  const rows = await bench.rows<{ body: Buffer }>(
    'select body from willcall.message where topic_id = $1 order by seq',
    [topicId],
  );
  return rows.map(({ body }) => body.toString());
}

/** Time for what was called to reach the gate. */
async function nextTurn(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** An engine whose flushes are seen, and wait at a gate; it knows these topics already. */
async function openGatedEngine(...topics: string[]) {
  const flushes: (readonly PublishGroup[])[] = [];
  let gate = Promise.resolve();
  const messages = {
    ...bench.store.messages,
    publish: async (groups: readonly PublishGroup[], wait: boolean) => {
      flushes.push(groups);
      await gate;
      return bench.store.messages.publish(groups, wait);
    },
  };
  const gated = bench.openEngine({ ...bench.store, messages });
  const publish = (topic: string, ...bodies: string[]) =>
    gated.publish({ topic, messages: bodies.map((body) => newMessage(body, { contentType: body })), caller: CALLER });
  for (const topic of topics) await publish(topic, '0');
  /**
   * Makes the calls while the gate is shut: the first is on its way alone, and the others wait
   * together.
   */
  const publishTogether = async (
    first: [topic: string, body: string],
    ...calls: [topic: string, ...bodies: string[]][]
  ) => {
    await nextTurn();
    flushes.length = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const alone = Promise.allSettled([publish(...first)]);
    await nextTurn();
    const together = Promise.allSettled(calls.map((call) => publish(...call)));
    await nextTurn();
    resolve();
    return [...(await alone), ...(await together)];
  };
  return { publishTogether, flushes };
}

describe('a call', () => {
  it('numbers its messages densely and in their order', async () => {
    const queue = await createQueue(engine);
    const first = await engine.publish({
      topic: queue.name,
      messages: ['a', 'b', 'c'].map((b) => newMessage(b)),
      caller: CALLER,
    });
    const second = await engine.publish({ topic: queue.name, messages: [newMessage('d')], caller: CALLER });
    expect([...first, ...second].map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect([...first, ...second].every(({ duplicate }) => !duplicate)).toBe(true);
    expect(await logOf(queue.topicId)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('gives each message an id that is stored with it and cannot be guessed from its number', async () => {
    const queue = await createQueue(engine);
    const ids = await queue.publish('a', 'b');
    const [later] = await queue.publish('c');
    const stored = await bench.rows<{ message_id: Buffer }>(
      'select message_id from willcall.message where topic_id = $1 order by seq',
      [queue.topicId],
    );
    expect(stored.map(({ message_id }) => message_id.toString('base64url'))).toEqual([...ids, later]);
    const salts = [ids[0], later].map((id) => parseMessageId(id ?? '')?.readBigInt64BE(13));
    expect(salts[0]).not.toBe(salts[1]);
  });

  it('keeps body, content type, attributes, key and publisher as they were given', async () => {
    const queue = await createQueue(engine);
    const body = randomBytes(5000);
    const attributes = { 'x-1': 'ü "quoted" \\ ☃', empty: '' };
    const message = newMessage(body, { contentType: 'application/xml; charset=utf-16', attributes, orderingKey: 'k' });
    await engine.publish({ topic: queue.name, messages: [message, newMessage('')], caller: 'somebody' });
    const [first, second] = await queue.receive();
    expect(first).toMatchObject({ body, attributes, contentType: message.contentType, orderingKey: 'k' });
    expect(second).toMatchObject({ body: Buffer.alloc(0), attributes: null, contentType: null, orderingKey: null });
    const publisher = 'select distinct published_by from willcall.message where topic_id = $1';
    expect(await bench.value(publisher, [queue.topicId])).toBe('somebody');
  });

  it('stores the digest and the size of each body', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'bb', '');
    const wrong = `select count(*) from willcall.message
      where topic_id = $1 and (body_sha256 <> sha256(body) or body_bytes <> length(body))`;
    expect(await bench.value(wrong, [queue.topicId])).toBe(0);
  });

  it('is refused when there is no such topic', async () => {
    const call = engine.publish({ topic: freshName(), messages: [newMessage('a')], caller: CALLER });
    expect(await codeOf(call)).toBe('topic_not_found');
  });

  it('is refused whole, with the indexes named, when one of its bodies is too large', async () => {
    const queue = await createQueue(engine);
    await engine.updateTopic({ name: queue.name, settings: { maxMessageBytes: 3 }, caller: CALLER });
    const messages = ['abc', 'abcd', 'a', 'abcde'].map((body) => newMessage(body));
    const error: unknown = await engine.publish({ topic: queue.name, messages, caller: CALLER }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const rule = { rule: 'bytes_at_most', topic: queue.name, bytesMax: 3 };
    expect(error).toBeInstanceOf(WillcallError);
    expect(error).toMatchObject({
      code: 'message_too_large',
      data: {
        topic: queue.name,
        maxMessageBytes: 3,
        fields: [
          { path: ['messages', 1, 'body'], bytes: 4, ...rule },
          { path: ['messages', 3, 'body'], bytes: 5, ...rule },
        ],
      },
    });
    expect(await logOf(queue.topicId)).toEqual([]);
  });
});

describe('a flush of many calls', () => {
  const sequencesOf = (replies: PromiseSettledResult<readonly PublishedMessage[]>[]) =>
    replies.map((reply) => (reply.status === 'fulfilled' ? reply.value.map(({ sequence }) => sequence) : null));

  it('answers each with the numbers of its own messages, over several topics in one statement', async () => {
    const queues = [await createQueue(engine), await createQueue(engine), await createQueue(engine)];
    const [x, y, one, other] = [...queues, await createQueue(engine)].map(({ name }) => name) as [
      string,
      string,
      string,
      string,
    ];
    const { publishTogether, flushes } = await openGatedEngine(x, y, one, other);
    const replies = await publishTogether([x, 'x'], [y, 'y'], [one, 'a'], [other, 'b'], [one, 'c', 'd'], [other, 'e']);
    expect(sequencesOf(replies)).toEqual([[2], [2], [2], [2], [3, 4], [3]]);
    expect(flushes.map((groups) => groups.filter(({ calls }) => calls.length === 2).length)).toContain(2);
    expect(await logOf(queues[2]?.topicId ?? 0)).toEqual(['0', 'a', 'c', 'd']);
  });

  it('refuses the call with a body that is too large and does its neighbours in the same flush', async () => {
    const { name, topicId } = await createQueue(engine);
    await engine.updateTopic({ name, settings: { maxMessageBytes: 3 }, caller: CALLER });
    const { publishTogether, flushes } = await openGatedEngine(name);
    const calls = [['b'], ['c', 'large'], ['d', 'e'], ['large'], ['f']];
    const replies = await publishTogether(
      [name, 'a'],
      ...calls.map((bodies): [string, ...string[]] => [name, ...bodies]),
    );
    expect(sequencesOf(replies)).toEqual([[2], [3], null, [4, 5], null, [6]]);
    expect(flushes[1]?.[0]?.calls).toHaveLength(5);
    expect(await logOf(topicId)).toEqual(['0', 'a', 'b', 'd', 'e', 'f']);
  });

  it('refuses the calls to a topic that is gone and does the others', async () => {
    const [gone, living] = [await createQueue(engine), await createQueue(engine)];
    const { publishTogether } = await openGatedEngine(gone.name, living.name);
    await engine.deleteTopic(gone.name, CALLER);
    const replies = await publishTogether([gone.name, 'a'], [living.name, 'b'], [gone.name, 'c'], [living.name, 'd']);
    expect(sequencesOf(replies)).toEqual([null, [2], null, [3]]);
    expect(await logOf(gone.topicId)).toEqual(['0']);
  });

  it('fails the call that the database refuses for an unforeseen reason, and does its neighbours', async () => {
    const { name, topicId } = await createQueue(engine);
    const { publishTogether } = await openGatedEngine(name);
    await bench.rows(`alter table willcall.message add constraint unforeseen check (content_type <> 'bad')`);
    try {
      const replies = await publishTogether([name, 'a'], [name, 'b'], [name, 'bad'], [name, 'd'], [name, 'e', 'f']);
      expect(sequencesOf(replies)).toEqual([[2], [3], null, [4], [5, 6]]);
      expect(await logOf(topicId)).toEqual(['0', 'a', 'b', 'd', 'e', 'f']);
    } finally {
      await bench.rows('alter table willcall.message drop constraint unforeseen');
    }
  });
});
