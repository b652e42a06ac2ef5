import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Message, Problem, Published, Received } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const publish = (topic: string, messages: object[]) =>
  client.post<Published & Problem>(`/v1/topics/${topic}/messages`, { messages });
const publishRaw = (topic: string, body: string, key: string | string[]) =>
  client.call<Published & Problem>('POST', `/v1/topics/${topic}/messages/raw`, {
    bytes: Buffer.from(body),
    headers: { 'idempotency-key': key },
  });
const receive = (subscription: string, key: string, body: object = {}) =>
  client.call<Received & Problem>('POST', `/v1/subscriptions/${subscription}/receive`, {
    json: { wait_seconds: 0, ...body },
    headers: { 'idempotency-key': key },
  });
const receiptsOf = (messages: Message[]) => messages.map(({ receipt }) => receipt);

describe('publishing with a dedupe key', () => {
  it('publishes once and answers a repetition with the original, marked as a duplicate', async () => {
    const topic = await client.freshSubscription();
    const first = await publish(topic, [{ body: 'a', dedupe_key: 'k1' }, { body: 'b' }]);
    const second = await publish(topic, [{ body: 'c' }, { body: 'a', dedupe_key: 'k1' }]);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.json.messages[1]).toEqual({ ...first.json.messages[0], duplicate: true });
    expect(second.json.messages[0]).toMatchObject({ sequence: 3, duplicate: false });
    expect((await client.receive(topic)).map(({ body }) => body)).toEqual(['a', 'b', 'c']);
  });

  it('knows duplicates within one request too', async () => {
    const topic = await client.freshSubscription();
    const { json } = await publish(topic, [
      { body: 'a', dedupe_key: 'k' },
      { body: 'a', dedupe_key: 'k' },
      { body: 'z', dedupe_key: 'l', delay_seconds: 60 },
      { body: 'z', dedupe_key: 'l' },
    ]);
    const [a, b, c, d] = json.messages;
    expect([a?.duplicate, b?.duplicate, c?.duplicate, d?.duplicate]).toEqual([false, true, false, true]);
    expect(b).toEqual({ ...a, duplicate: true });
    expect(d).toEqual({ ...c, duplicate: true });
    expect(c?.sequence).toBeNull();
    expect(await client.receive(topic)).toHaveLength(1);
  });

  it('refuses the whole request when a key was used for another body, and names the entries', async () => {
    const topic = await client.freshSubscription();
    await publish(topic, [{ body: 'a', dedupe_key: 'k' }]);
    const { status, json } = await publish(topic, [
      { body: 'new', dedupe_key: 'new' },
      { body: 'other', dedupe_key: 'k' },
      { body: 'x', dedupe_key: 'within' },
      { body: 'y', dedupe_key: 'within' },
    ]);
    expect(status).toBe(409);
    expect(json.code).toBe('idempotency_conflict');
    expect(json.errors?.map(({ field }) => field)).toEqual(['messages[1].dedupe_key', 'messages[3].dedupe_key']);
    expect((await client.receive(topic)).map(({ body }) => body)).toEqual(['a']);
    const again = await publish(topic, [{ body: 'new', dedupe_key: 'new' }]);
    expect(again.json.messages[0]).toMatchObject({ sequence: 2, duplicate: false });
  });

  it('publishes once whoever of many at the same moment is first', async () => {
    const topic = await client.freshSubscription();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => publish(topic, [{ body: 'same', dedupe_key: 'race' }])),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const messages = answers.flatMap(({ json }) => json.messages);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(1);
    expect(messages.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await client.receive(topic)).toHaveLength(1);
  });

  it('takes the Idempotency-Key of a raw message as its dedupe key', async () => {
    const topic = await client.freshSubscription();
    const first = await publishRaw(topic, '<a/>', 'doc-1');
    const second = await publishRaw(topic, '<a/>', 'doc-1');
    const third = await publishRaw(topic, '<b/>', 'doc-1');
    expect(second.json.messages).toEqual([{ ...first.json.messages[0], duplicate: true }]);
    expect([third.status, third.json.code]).toEqual([409, 'idempotency_conflict']);
  });

  it('refuses keys that are too long, repeated or no visible ASCII', async () => {
    const topic = await client.freshSubscription();
    const answers = [
      await publishRaw(topic, 'x', 'k'.repeat(129)),
      await publishRaw(topic, 'x', ['a', 'b']),
      await publishRaw(topic, 'x', ''),
      await receive(topic, 'a b'),
    ];
    expect(answers.map(({ status, json }) => [status, json.errors?.[0]?.field])).toEqual(
      Array(4).fill([400, 'Idempotency-Key']),
    );
    const { status, json } = await publish(topic, [{ body: 'x', dedupe_key: 'k'.repeat(129) }]);
    expect([status, json.errors?.[0]?.field]).toEqual([400, 'messages[0].dedupe_key']);
  });
});

describe('receiving with an Idempotency-Key', () => {
  it('answers a repetition with the same receipts and a new visibility timeout', async () => {
    const topic = await client.freshSubscription();
    await publish(topic, [{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    const first = await receive(topic, 'r1', { max_messages: 2, visibility_timeout_seconds: 60 });
    const second = await receive(topic, 'r1', { max_messages: 2, visibility_timeout_seconds: 120 });
    expect(second.json.messages.map(({ body }) => body)).toEqual(['a', 'b']);
    expect(receiptsOf(second.json.messages)).toEqual(receiptsOf(first.json.messages));
    expect(second.json.messages.map(({ attempt }) => attempt)).toEqual([1, 1]);
    const until = (answer: typeof first) => Date.parse(answer.json.messages[0]?.visible_until ?? '');
    expect(until(second)).toBeGreaterThan(until(first) + 50_000);
  });

  it('leaves out what was settled meanwhile, and goes on to new messages when nothing is outstanding', async () => {
    const topic = await client.freshSubscription();
    await publish(topic, [{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    const first = await receive(topic, 'r', { max_messages: 2 });
    const [a, b] = receiptsOf(first.json.messages);
    await client.post(`/v1/subscriptions/${topic}/acknowledge`, { receipts: [a] });
    const second = await receive(topic, 'r', { max_messages: 2 });
    expect(receiptsOf(second.json.messages)).toEqual([b]);
    await client.post(`/v1/subscriptions/${topic}/acknowledge`, { receipts: [b] });
    const third = await receive(topic, 'r', { max_messages: 2 });
    expect(third.json.messages.map(({ body }) => body)).toEqual(['c']);
  });

  it('lets a repetition take the place of the call that is still parked', async () => {
    const topic = await client.freshSubscription();
    const calls = [receive(topic, 'k', { wait_seconds: 20 }), receive(topic, 'k', { wait_seconds: 20 })];
    const replaced = await Promise.race(calls);
    expect(replaced.json.messages).toEqual([]);
    await publish(topic, [{ body: 'x' }]);
    const bodies = (await Promise.all(calls)).map(({ json }) => json.messages.map(({ body }) => body));
    expect(bodies.flat()).toEqual(['x']);
  });

  it("is one holder's key on one subscription: elsewhere it means another call", async () => {
    const [one, other] = [await client.freshSubscription(), await client.freshSubscription()];
    await publish(one, [{ body: 'a' }]);
    await publish(other, [{ body: 'b' }]);
    const answers = [await receive(one, 'k'), await receive(other, 'k')];
    expect(answers.map(({ json }) => json.messages[0]?.body)).toEqual(['a', 'b']);
  });

  it('hands the same delivery to both when two calls race', async () => {
    const topic = await client.freshSubscription();
    await publish(topic, [{ body: 'a' }, { body: 'b' }]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => receive(topic, 'race', { max_messages: 1 })));
    const receipts = new Set(answers.flatMap(({ json }) => receiptsOf(json.messages)));
    expect(receipts.size).toBe(1);
  });
});
