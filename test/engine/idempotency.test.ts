import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, codeOf, createQueue, newMessage, queueOf } from '../support/calls.ts';
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

const keyed = (body: string, dedupeKey: string, fields = {}) => newMessage(body, { dedupeKey, ...fields });
const publish = (topic: string, caller: string, ...messages: ReturnType<typeof newMessage>[]) =>
  engine.publish({ topic, messages, caller });
const rotate = async () => (await owner.rows<{ did: string }>('select willcall.rotate_dedupe_keys() as did'))[0]?.did;
const age = (hours: number) =>
  owner.rows(`update willcall.dedupe_rotation set began_at = began_at - $1 * interval '1 hour'`, [hours]);

describe('a dedupe key', () => {
  it('belongs to the publisher: another one may use it for another body', async () => {
    const { name } = await createQueue(engine);
    const [a] = await publish(name, 'one', keyed('a', 'k'));
    const [b] = await publish(name, 'two', keyed('b', 'k'));
    expect([a?.duplicate, b?.duplicate, a?.id === b?.id]).toEqual([false, false, false]);
  });

  it('is known across instances that publish at the same moment', async () => {
    const queue = await createQueue(engine);
    await owner.hold('topic', queue.topicId);
    const calls = [engine, other].map((each) =>
      each.publish({ topic: queue.name, messages: [keyed('a', 'k')], caller: CALLER }),
    );
    await owner.seeWaiting(2);
    await owner.letGo();
    const messages = (await Promise.all(calls)).flat();
    expect(new Set(messages.map(({ id }) => id)).size).toBe(1);
    expect(messages.map(({ duplicate }) => duplicate).sort()).toEqual([false, true]);
    expect(await queue.receive()).toHaveLength(1);
  });

  it('refuses only its own call: neighbours in the same flush are published', async () => {
    const queue = await createQueue(engine);
    await publish(queue.name, CALLER, keyed('a', 'k'));
    await owner.hold('topic', queue.topicId);
    const first = publish(queue.name, CALLER, newMessage('first'));
    await owner.seeWaiting(1);
    const calls = [
      publish(queue.name, CALLER, newMessage('x'), keyed('b', 'k')).catch((error: Error) => error),
      publish(queue.name, CALLER, newMessage('y')),
    ];
    await owner.letGo();
    await first;
    const [refused, published] = await Promise.all(calls);
    expect(refused).toMatchObject({
      code: 'idempotency_conflict',
      data: { fields: [{ path: ['messages', 1, 'dedupeKey'], rule: 'one_body_per_key' }] },
    });
    expect(published).toMatchObject([{ sequence: 3, duplicate: false }]);
    expect((await queue.receive()).map(({ body }) => body.toString())).toEqual(['a', 'first', 'y']);
  });

  it('is forgotten after the window of its topic, and then names the new message', async () => {
    const { name, topicId } = await createQueue(engine);
    await publish(name, CALLER, keyed('a', 'k'));
    await owner.rows(
      `update willcall.dedupe_key_even set published_at = published_at - interval '86401 seconds' where topic_id = $1`,
      [topicId],
    );
    expect(await publish(name, CALLER, keyed('b', 'k'))).toMatchObject([{ sequence: 2, duplicate: false }]);
    expect(await publish(name, CALLER, keyed('b', 'k'))).toMatchObject([{ sequence: 2, duplicate: true }]);
    expect(await codeOf(publish(name, CALLER, keyed('a', 'k')))).toBe('idempotency_conflict');
  });

  it('of a delayed message answers without a sequence until it has entered the log, then with it', async () => {
    const queue = await createQueue(engine);
    const [first] = await publish(queue.name, CALLER, keyed('a', 'k', { delaySeconds: 3600 }));
    expect(first).toMatchObject({ sequence: null, duplicate: false });
    const later = keyed('a', 'k', { delaySeconds: 3600 });
    expect(await publish(queue.name, CALLER, later)).toEqual([{ ...first, duplicate: true }]);
    await owner.rows('update willcall.scheduled set deliver_at = now() where topic_id = $1', [queue.topicId]);
    await engine.sweep();
    expect(await publish(queue.name, CALLER, later)).toEqual([{ id: first?.id, sequence: 1, duplicate: true }]);
    expect((await queue.receiveOne()).id).toBe(first?.id);
  });

  it('is kept over a change of tables, and goes with its table once every window is over', async () => {
    const { name } = await createQueue(engine);
    await publish(name, CALLER, keyed('a', 'before'));
    expect(await rotate()).toBe('nothing');
    await age(26);
    expect(await rotate()).toBe('turned');
    await publish(name, CALLER, keyed('b', 'after'));
    expect(await publish(name, CALLER, keyed('a', 'before'), keyed('b', 'after'))).toMatchObject([
      { sequence: 1, duplicate: true },
      { sequence: 2, duplicate: true },
    ]);
    expect(await rotate()).toBe('nothing');
    await age(25);
    expect(await rotate()).toBe('emptied');
    expect(await owner.rows('select 1 from willcall.dedupe_key_even')).toEqual([]);
    expect(await publish(name, CALLER, keyed('b', 'after'))).toMatchObject([{ sequence: 2, duplicate: true }]);
    expect(await publish(name, CALLER, keyed('new', 'before'))).toMatchObject([{ sequence: 3, duplicate: false }]);
  });

  it('is forgotten without holding up a publish, and not at all while the table is in use', async () => {
    const { name } = await createQueue(engine);
    await age(26);
    expect(await rotate()).toBe('turned');
    await age(25);
    await owner.obstruct('lock table willcall.dedupe_key_odd, willcall.dedupe_key_even in access share mode');
    expect(await rotate()).toBe('nothing');
    expect(await publish(name, CALLER, keyed('a', 'k'))).toMatchObject([{ duplicate: false }]);
    await owner.letGo();
    expect(await rotate()).toBe('emptied');
  });
});

describe('a receive with a key', () => {
  const receive = (queue: { receive: Awaited<ReturnType<typeof createQueue>>['receive'] }, fields = {}) =>
    queue.receive({ idempotencyKey: 'k', ...fields });

  it('keeps the lease of a client that left while it was looked for, and gives it to the repetition', async () => {
    const queue = await createQueue(engine);
    const elsewhere = queueOf(other, queue.name, queue);
    await queue.publish('a');
    await owner.hold('receive', queue.subscriptionId);
    const client = new AbortController();
    const lost = receive(queue, { signal: client.signal });
    await owner.seeWaiting(1);
    client.abort();
    await owner.letGo();
    expect(await lost).toEqual([]);
    const [message] = await receive(elsewhere, { waitSeconds: 20 });
    expect([message?.body.toString(), message?.attempt]).toEqual(['a', 1]);
    expect(await owner.rows('select 1 from willcall.failure where topic_id = $1', [queue.topicId])).toEqual([]);
  });

  it('answers two instances that ask at the same moment with the same delivery', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    await owner.hold('receive', queue.subscriptionId);
    const calls = [queue, queueOf(other, queue.name, queue)].map((each) => receive(each, { maxMessages: 1 }));
    await owner.seeWaiting(2);
    await owner.letGo();
    const messages = (await Promise.all(calls)).flat();
    expect(messages).toHaveLength(2);
    expect(new Set(messages.map(({ receipt }) => receipt)).size).toBe(1);
  });

  it('begins a new delivery when the lease of the old one is over', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [a] = await receive(queue, { maxMessages: 1 });
    await owner.rows(`update willcall.lease set expires_at = now() - interval '1 second' where topic_id = $1`, [
      queue.topicId,
    ]);
    const [b] = await receive(queue, { maxMessages: 1 });
    expect([a?.body.toString(), b?.body.toString()]).toEqual(['a', 'b']);
    expect((await queue.acknowledge(a?.receipt ?? '')).results[0]?.outcome).toBe('acknowledged_late');
  });

  it('repeats a batch whose messages have different attempts and of which a part was extended', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0 });
    await queue.publish('a', 'b', 'c');
    const before = await queue.receive({ maxMessages: 1 });
    await queue.release(before[0]?.receipt ?? '');
    const first = await receive(queue, { maxMessages: 3 });
    await queue.extend([first[1]?.receipt ?? ''], 500);
    const again = await receive(queue, { maxMessages: 1 });
    const told = (messages: typeof first) =>
      messages.map(({ receipt, attempt }) => ({ receipt, attempt })).sort((x, y) => x.receipt.localeCompare(y.receipt));
    expect(told(again)).toEqual(told(first));
    expect((await queue.acknowledge(...again.map(({ receipt }) => receipt))).failed).toBe(0);
  });

  it('may be repeated although as much is in flight as may be', async () => {
    const queue = await createQueue(engine, { maxInFlight: 1 });
    await queue.publish('a', 'b');
    const first = await receive(queue);
    expect((await receive(queue)).map(({ receipt }) => receipt)).toEqual(first.map(({ receipt }) => receipt));
    expect(await queue.receive()).toEqual([]);
  });
});
