// Every call of the TypeScript client against the real service: what it sends is understood, and
// its types say what comes.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { bytesOf, type Client, createClient } from '../../src/client/index.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = createClient({ url: service.url, key: service.adminKey, retry: { attemptsMax: 1 } });
});
afterAll(() => service.stop());

it('creates, shows, changes, lists and deletes topics and subscriptions', async () => {
  const topic = await client.createTopic('t', { maxMessageBytes: 1000 });
  expect(topic).toMatchObject({ name: 't', maxMessageBytes: 1000, retentionSeconds: 604_800 });
  expect(await client.updateTopic('t', { retentionSeconds: 3600 })).toEqual({ ...topic, retentionSeconds: 3600 });
  expect(await client.getTopic('t')).toMatchObject({ retentionSeconds: 3600 });
  expect((await client.listTopics({ limit: 1 })).topics).toHaveLength(1);

  const created = await client.createSubscription('s', {
    topic: 't',
    retry: { minBackoffSeconds: 0 },
    start: 'earliest',
  });
  expect(created).toMatchObject({ topic: 't', start: 'earliest', retry: { minBackoffSeconds: 0 } });
  expect(await client.updateSubscription('s', { maxInFlight: 5 })).toMatchObject({ maxInFlight: 5 });
  expect((await client.getSubscription('s')).stats).toEqual({
    ...{ backlog: 0, inFlight: 0, deferred: 0, deadLetters: 0 },
    oldestUnacknowledgedSeconds: null,
  });
  expect((await client.listSubscriptions()).subscriptions.map(({ name }) => name)).toEqual(['s']);
  await client.deleteSubscription('s');
  await client.deleteTopic('t');
  expect((await client.listTopics()).topics).toEqual([]);
});

it('publishes, receives, extends, releases, rejects and acknowledges', async () => {
  await client.createSubscription('life');
  const bytes = Uint8Array.of(0xff, 0xfe, 0x3c, 0x00);
  const text = {
    body: '<Gr\u00fc\u00dfe/>',
    contentType: 'text/xml',
    attributes: { camelCase: 'stays' },
    orderingKey: 'k',
  };
  const published = await client.publish('life', [text, { body: bytes }, { body: 'poison' }]);
  expect(published.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);

  const { messages } = await client.receive('life', { maxMessages: 3, waitSeconds: 0, visibilityTimeoutSeconds: 60 });
  const [first, second, third] = messages;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three were published');
  expect(first).toMatchObject({ ...text, id: published[0]?.id, attempt: 1, bodyEncoding: 'utf8' });
  expect(new TextDecoder().decode(bytesOf(first))).toBe(text.body);
  expect(second.bodyEncoding).toBe('base64');
  expect(bytesOf(second)).toEqual(bytes);

  const extended = await client.extend('life', [first.receipt], { visibilityTimeoutSeconds: 600 });
  expect(extended).toMatchObject({ failed: 0, results: [{ outcome: 'extended' }] });
  expect(Date.parse(extended.results[0]?.visibleUntil ?? '')).toBeGreaterThan(Date.parse(first.visibleUntil));
  expect((await client.release('life', [second.receipt])).results[0]?.outcome).toBe('released');
  const why = { code: 'BAD', message: 'not a document' };
  expect((await client.reject('life', [{ receipt: third.receipt, error: why }])).results[0]?.outcome).toBe('rejected');
  const { deadLetters } = await client.listDeadLetters('life', { reason: 'rejected' });
  expect(deadLetters).toMatchObject([{ body: 'poison', attempts: 1, history: [{ ended: 'rejected', error: why }] }]);

  const signature = { receipt: first.receipt, reference: 'B-1' };
  const again = await client.receive('life', { waitSeconds: 0, acknowledge: [signature] });
  expect(again.acknowledged).toMatchObject([{ outcome: 'acknowledged', ackNo: 1, messageId: first.id }]);
  expect(again.messages).toMatchObject([{ id: second.id, attempt: 2 }]);
  const both = await client.acknowledge('life', [signature, again.messages[0]?.receipt ?? '']);
  expect(both.results.map(({ outcome }) => outcome)).toEqual(['already_acknowledged', 'acknowledged']);
  const refused = await client.acknowledge('life', ['forged', first.receipt], { atomic: true });
  expect(refused).toMatchObject({ failed: 1, results: [{ outcome: 'invalid_receipt' }, {}] });

  const page = await client.listAcknowledgments('life', { limit: 1 });
  expect(page).toMatchObject({
    hasMore: true,
    acknowledgments: [{ ackNo: 1, reference: 'B-1', bodyBytes: 10, late: false }],
  });
  expect((await client.listAcknowledgments('life', { after: page.next })).acknowledgments).toHaveLength(1);
});

it('publishes once, and receives a lost batch again', async () => {
  await client.createSubscription('keys');
  const message = { body: 'x', dedupeKey: 'order-1' };
  const [first] = await client.publish('keys', [message]);
  expect(await client.publish('keys', [message])).toEqual([{ ...first, duplicate: true }]);
  const batch = await client.receive('keys', { waitSeconds: 0 }, { idempotencyKey: 'batch-1' });
  const again = await client.receive('keys', { waitSeconds: 0 }, { idempotencyKey: 'batch-1' });
  expect(batch.messages).toHaveLength(1);
  expect(again.messages.map(({ receipt }) => receipt)).toEqual(batch.messages.map(({ receipt }) => receipt));
});

it('makes, shows, lists and revokes keys', async () => {
  const wanted = { client: 'acme', roles: [{ role: 'consumer' as const, subscriptions: ['acme-*'] }] };
  const { key, ...made } = await client.createKey(wanted);
  expect(made).toMatchObject({ client: 'acme', roles: [{ ...wanted.roles[0], topics: [] }], revokedAt: null });
  expect(await client.getKey(made.id)).toEqual(made);
  expect((await client.listKeys({ client: 'acme' })).keys).toEqual([made]);
  const acme = createClient({ url: service.url, key });
  await expect(acme.receive('other')).rejects.toMatchObject({ code: 'forbidden', status: 403 });
  await client.revokeKey(made.id);
  await expect(acme.receive('acme-erp')).rejects.toMatchObject({ code: 'unauthenticated', status: 401 });
});

it('gives faults of the service their code', async () => {
  await expect(client.getTopic('nobody')).rejects.toMatchObject({ code: 'topic_not_found', status: 404 });
  const stranger = createClient({ url: service.url, key: 'wrong' });
  await expect(stranger.receive('s')).rejects.toMatchObject({ code: 'unauthenticated', status: 401 });
});
