import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem, Received } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const receive = (name: string, json?: object) =>
  client.post<Received & Problem>(`/v1/subscriptions/${name}/receive`, json);
const receiveRaw = (name: string, json?: object) => client.post(`/v1/subscriptions/${name}/receive/raw`, json);

describe('receiving', () => {
  it('answers an empty list at once when nothing is to be waited for', async () => {
    const name = await client.freshSubscription();
    const { status, json } = await receive(name, { wait_seconds: 0 });
    expect(status).toBe(200);
    expect(json).toEqual({ messages: [], acknowledged: [] });
  });

  it('answers an empty list when the wait ends', async () => {
    const name = await client.freshSubscription();
    const started = performance.now();
    const { status, json } = await receive(name, { wait_seconds: 1 });
    expect(status).toBe(200);
    expect(json.messages).toEqual([]);
    expect(performance.now() - started).toBeGreaterThan(900);
  });

  it('needs no body: ten messages at most, leased for the time of the subscription', async () => {
    const name = await client.freshSubscription({ visibility_timeout_seconds: 100 });
    await client.publish(name, ...Array.from({ length: 12 }, (_, index) => String(index)));
    const asked = Date.now();
    const { status, json } = await receive(name);
    expect(status).toBe(200);
    expect(json.messages).toHaveLength(10);
    expect(json.acknowledged).toEqual([]);
    const [message] = json.messages;
    expect(message).toEqual({
      id: expect.any(String),
      sequence: 1,
      receipt: expect.any(String),
      attempt: 1,
      body: '0',
      body_encoding: 'utf8',
      content_type: null,
      attributes: null,
      ordering_key: null,
      published_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      visible_until: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    const leased = Date.parse(message?.visible_until ?? '') - asked;
    expect(leased).toBeGreaterThan(95_000);
    expect(leased).toBeLessThan(160_000);
  });

  it('leases for the time that the request asks for', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'x');
    const asked = Date.now();
    const [message] = await client.receive(name, { visibility_timeout_seconds: 43_200 });
    expect(Math.abs(Date.parse(message?.visible_until ?? '') - asked - 43_200_000)).toBeLessThan(60_000);
  });

  it('bounds the bodies of an answer, but always hands out the first', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'x'.repeat(100), 'y'.repeat(100), 'z'.repeat(100));
    expect((await client.receive(name, { max_bytes: 250 })).map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect((await client.receive(name, { max_bytes: 1 })).map(({ sequence }) => sequence)).toEqual([3]);
  });

  it('hands out nothing that is in flight', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'x');
    expect(await client.receive(name)).toHaveLength(1);
    expect(await client.receive(name)).toEqual([]);
  });

  it('parks, and answers as soon as something is published', async () => {
    const name = await client.freshSubscription();
    const parked = receive(name, { wait_seconds: 30 });
    // The answer to a later request shows that the parked one has been read.
    await client.receive(name);
    const started = performance.now();
    await client.publish(name, 'here');
    const { json, headers } = await parked;
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    expect(json.messages.map(({ body }) => body)).toEqual(['here']);
    // It was told; otherwise it would have waited to the end.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('hands a message out again when its lease has ended, with the next attempt and another receipt', async () => {
    const name = await client.freshSubscription({
      visibility_timeout_seconds: 1,
      retry: { min_backoff_seconds: 0, max_backoff_seconds: 0 },
    });
    await client.publish(name, 'x');
    const [first] = await client.receive(name);
    const [second] = await client.receive(name, { wait_seconds: 20 });
    expect(second).toMatchObject({ id: first?.id, sequence: 1, attempt: 2, body: 'x' });
    expect(second?.receipt).not.toBe(first?.receipt);
  });

  it('acknowledges the last batch on the way', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a', 'b', 'c');
    const batch = await client.receive(name, { max_messages: 2 });
    const [first, second] = batch.map(({ receipt }) => receipt);
    const { json } = await receive(name, {
      wait_seconds: 0,
      acknowledge: [first, { receipt: second, reference: 'booking 7' }],
    });
    expect(json.acknowledged).toEqual(
      batch.map(({ id, receipt }, index) => ({
        receipt,
        message_id: id,
        outcome: 'acknowledged',
        ack_no: index + 1,
        acknowledged_at: expect.any(String),
        topic: name,
        subscription: name,
        reference: index === 1 ? 'booking 7' : null,
        reference_differs: false,
      })),
    );
    expect(json.messages.map(({ body }) => body)).toEqual(['c']);
  });

  it('does not park when a receipt that came along is not good', async () => {
    const name = await client.freshSubscription();
    const { status, json } = await receive(name, { wait_seconds: 30, acknowledge: ['forged'] });
    expect(status).toBe(200);
    expect(json.messages).toEqual([]);
    expect(json.acknowledged).toEqual([
      {
        receipt: 'forged',
        message_id: null,
        outcome: 'invalid_receipt',
        topic: name,
        subscription: name,
        ack_no: null,
        acknowledged_at: null,
        reference: null,
        reference_differs: false,
      },
    ]);
  });

  it('forgets a client that hung up, and leases nothing to it', async () => {
    const name = await client.freshSubscription();
    const controller = new AbortController();
    const gone = client.call('POST', `/v1/subscriptions/${name}/receive`, {
      json: { wait_seconds: 30 },
      signal: controller.signal,
    });
    await client.receive(name);
    controller.abort();
    await expect(gone).rejects.toThrow();
    await client.publish(name, 'x');
    const [message] = await client.receive(name, { wait_seconds: 10 });
    expect(message).toMatchObject({ attempt: 1, body: 'x' });
  });

  it('hands back at once what was leased for a client that closed its connection in mid-request', async () => {
    const name = await client.freshSubscription({ visibility_timeout_seconds: 3600 });
    await client.publish(name, 'x');
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.end(
      `POST /v1/subscriptions/${name}/receive HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${service.adminKey}\r\n\r\n`,
      () => socket.destroy(),
    );
    await once(socket, 'close');
    const [message] = await client.receive(name, { wait_seconds: 10 });
    expect(message?.body).toBe('x');
  });
});

describe('receiving raw', () => {
  it('answers 204 without a content when nothing came', async () => {
    const name = await client.freshSubscription();
    const { status, headers, bytes } = await receiveRaw(name, { wait_seconds: 0 });
    expect(status).toBe(204);
    expect(bytes).toHaveLength(0);
    expect(headers['content-type']).toBeUndefined();
    expect(headers['cache-control']).toBe('no-store');
  });

  it('gives the body with its own content type, and the rest in headers', async () => {
    const name = await client.freshSubscription();
    const published = await client.call('POST', `/v1/topics/${name}/messages`, {
      json: {
        messages: [
          {
            body: '<script>alert(1)</script>',
            content_type: 'text/html; charset=utf-8',
            attributes: { Kind: 'a, "b"\r\nc', umlaut: 'ü' },
            ordering_key: 'k \u{1f4ee}',
          },
        ],
      },
    });
    expect(published.status).toBe(201);
    const { status, headers, bytes } = await receiveRaw(name, { visibility_timeout_seconds: 60 });
    expect(status).toBe(200);
    expect(bytes.toString()).toBe('<script>alert(1)</script>');
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': '25',
      'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'willcall-sequence': '1',
      'willcall-attempt': '1',
      'willcall-attribute-kind': 'a%2C%20%22b%22%0D%0Ac',
      'willcall-attribute-umlaut': '%C3%BC',
      'willcall-ordering-key': 'k%20%F0%9F%93%AE',
      'willcall-published-at': expect.stringMatching(/Z$/),
    });
    expect(Date.parse(String(headers['willcall-visible-until']))).toBeGreaterThan(Date.now() + 50_000);
    const receipts = [headers['willcall-receipt']];
    const acknowledged = await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts });
    expect(acknowledged.json).toMatchObject({
      results: [{ outcome: 'acknowledged', message_id: headers['willcall-message-id'] }],
    });
  });

  it('invents no content type for a message without one', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'x', '');
    for (const text of ['x', '']) {
      const { status, headers, bytes } = await receiveRaw(name);
      expect(status).toBe(200);
      expect(bytes.toString()).toBe(text);
      expect(headers['content-type']).toBeUndefined();
      expect(headers['content-length']).toBe(String(text.length));
    }
  });

  it('acknowledges on the way and says what became of it', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a', 'b');
    const first = await receiveRaw(name);
    const receipt = first.headers['willcall-receipt'];
    const second = await receiveRaw(name, { wait_seconds: 0, acknowledge: [receipt] });
    expect(second.bytes.toString()).toBe('b');
    expect(second.headers['willcall-acknowledge-outcomes']).toBe('acknowledged');
    const third = await receiveRaw(name, { wait_seconds: 30, acknowledge: [receipt, 'forged'] });
    expect(third.status).toBe(204);
    expect(third.headers['willcall-acknowledge-outcomes']).toBe('already_acknowledged, invalid_receipt');
  });
});
