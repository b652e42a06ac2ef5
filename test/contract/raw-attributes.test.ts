// Attributes of raw messages, in a header each or in one header that every proxy passes.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Message } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
let queue: string;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  queue = await client.freshSubscription();
});
afterAll(() => service.stop());

const publish = (headers: Record<string, string | string[]>) =>
  client.call('POST', `/v1/topics/${queue}/messages/raw`, { bytes: Buffer.from('x'), headers });
const receiveOne = async (): Promise<Message | undefined> => (await client.receive(queue))[0];
const receiveRaw = (json: object) =>
  client.call('POST', `/v1/subscriptions/${queue}/receive/raw`, { json: { wait_seconds: 0, ...json } });

describe('a raw publish', () => {
  it.each<[string, Record<string, string>]>([
    ['order_id=4711&doc.type=camt.054', { order_id: '4711', 'doc.type': 'camt.054' }],
    ['OrderId=1', { OrderId: '1' }],
    ['a=%C3%BC%26%3D&b=x+y%2Bz', { a: 'ü&=', b: 'x y+z' }],
    ['a=b=c&d=', { a: 'b=c', d: '' }],
    ['&a=1&', { a: '1' }],
  ])('takes all attributes from one header: %s', async (form, attributes) => {
    expect((await publish({ 'willcall-attributes': form })).status).toBe(201);
    expect((await receiveOne())?.attributes).toEqual(attributes);
  });

  it('takes both spellings together', async () => {
    await publish({ 'willcall-attributes': 'order_id=1', 'willcall-attribute-document': 'x' });
    expect((await receiveOne())?.attributes).toEqual({ order_id: '1', document: 'x' });
  });

  it.each([
    ['a name twice', { 'willcall-attributes': 'a=1&a=2' }],
    ['a name in both spellings', { 'willcall-attributes': 'a=1', 'willcall-attribute-a': '2' }],
    ['names that differ in case alone', { 'willcall-attributes': 'A=1', 'willcall-attribute-a': '2' }],
    ['the header twice', { 'willcall-attributes': ['a=1', 'b=2'] }],
    ['a name that is none', { 'willcall-attributes': '-a=1' }],
    ['no name', { 'willcall-attributes': '=1' }],
    ['broken encoding', { 'willcall-attributes': 'a=%zz' }],
    ['letters beyond ASCII', { 'willcall-attributes': 'a=\u00fc' }],
  ])('refuses %s', async (_, headers) => {
    const { status, json } = await publish(headers);
    expect([status, json.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a raw receive', () => {
  it('puts all attributes into one header where it is asked to, else each into its own', async () => {
    const attributes = { order_id: 'ü & 1', 'doc.type': 'camt.054' };
    await client.post(`/v1/topics/${queue}/messages`, {
      messages: [
        { body: 'x', attributes },
        { body: 'y', attributes },
      ],
    });
    const { headers } = await receiveRaw({ attributes_in_one_header: true });
    expect(Object.fromEntries(new URLSearchParams(String(headers['willcall-attributes'])))).toEqual(attributes);
    expect(headers).not.toHaveProperty('willcall-attribute-order_id');
    const each = await receiveRaw({});
    expect(each.headers).toMatchObject({ 'willcall-attribute-order_id': '%C3%BC%20%26%201' });
    expect(each.headers).not.toHaveProperty('willcall-attributes');
  });

  it('has no such header for a message without attributes', async () => {
    await client.publish(queue, 'x');
    const { status, headers } = await receiveRaw({ attributes_in_one_header: true });
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('willcall-attributes');
  });
});
