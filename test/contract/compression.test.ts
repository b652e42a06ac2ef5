import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem, Published } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const MIB = 1024 * 1024;
const json = { 'content-type': 'application/json' };
const gzip = { 'content-encoding': 'gzip' };
const publishRaw = (topic: string, bytes: Buffer, headers = {}) =>
  client.call<Published & Problem>('POST', `/v1/topics/${topic}/messages/raw`, { bytes, headers });

describe('a compressed request', () => {
  it('is inflated before it is read, JSON and raw', async () => {
    const topic = await client.freshSubscription();
    const body = Buffer.from('<a>ü</a>'.repeat(1000));
    const list = gzipSync(JSON.stringify({ messages: [{ body: body.toString() }] }));
    const answers = [
      await client.call('POST', `/v1/topics/${topic}/messages`, { bytes: list, headers: { ...json, ...gzip } }),
      await publishRaw(topic, gzipSync(body), { 'content-type': 'application/xml', ...gzip }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    const received = await client.receive(topic);
    expect(received.map((message) => message.body)).toEqual([body.toString(), body.toString()]);
    expect(received[1]?.content_type).toBe('application/xml');
  });

  it('counts inflated: a bomb is refused when it passes the limit, and the connection serves on', async () => {
    const topic = await client.freshSubscription();
    const bomb = gzipSync(Buffer.alloc(200 * MIB));
    expect(bomb.length).toBeLessThan(MIB);
    for (const [path, headers] of [
      [`/v1/topics/${topic}/messages/raw`, gzip],
      [`/v1/topics/${topic}/messages`, { ...json, ...gzip }],
    ] as const) {
      const { status, json: problem } = await client.call<Problem>('POST', path, { bytes: bomb, headers });
      expect([status, problem.code]).toEqual([413, 'payload_too_large']);
    }
    expect(await client.receive(topic)).toEqual([]);
  });

  it('that is no gzip, or ends too early, is refused and publishes nothing', async () => {
    const topic = await client.freshSubscription();
    const whole = gzipSync(Buffer.from('whole'.repeat(100)));
    for (const bytes of [Buffer.from('not gzip'), whole.subarray(0, whole.length - 9)]) {
      const { status, json: problem } = await publishRaw(topic, bytes, gzip);
      expect([status, problem.code]).toEqual([400, 'malformed_request']);
    }
    expect(await client.receive(topic)).toEqual([]);
  });

  it.each(['br', 'deflate', 'zstd', 'compress', 'gzip, gzip', 'x'])('in %s is refused by name', async (encoding) => {
    const topic = await client.freshSubscription();
    const { status, json: problem } = await publishRaw(topic, Buffer.from('x'), { 'content-encoding': encoding });
    expect([status, problem.code]).toEqual([415, 'unsupported_media_type']);
    expect(problem.detail).toContain(`${encoding} is not known here: send gzip`);
  });
});

describe('an answer', () => {
  it('is compressed where the client asks and it is large, and left alone elsewhere', async () => {
    const topic = await client.freshSubscription();
    const body = 'a line of text\n'.repeat(2000);
    await client.publish(topic, body, body);
    const path = `/v1/subscriptions/${topic}/receive`;
    const options = {
      json: { wait_seconds: 0, max_messages: 1 },
      headers: { 'accept-encoding': 'br;q=1, gzip;q=0.5' },
    };
    const compressed = await client.call('POST', path, options);
    expect(compressed.headers['content-encoding']).toBe('gzip');
    expect(compressed.headers.vary).toMatch(/accept-encoding/i);
    expect(compressed.bytes.length).toBeLessThan(body.length / 10);
    expect(JSON.parse(gunzipSync(compressed.bytes).toString()).messages[0].body).toBe(body);
    const plain = await client.call('POST', path, { json: options.json });
    expect(plain.headers['content-encoding']).toBeUndefined();
    const small = await client.call('GET', `/v1/topics/${topic}`, { headers: { 'accept-encoding': 'gzip' } });
    expect(small.headers['content-encoding']).toBeUndefined();
  });

  it('with a raw message is the same bytes after inflation', async () => {
    const topic = await client.freshSubscription();
    const body = Buffer.from('<a>ü</a>\n'.repeat(1000), 'latin1');
    await publishRaw(topic, body, { 'content-type': 'text/xml; charset=ISO-8859-1' });
    const { bytes, headers } = await client.call('POST', `/v1/subscriptions/${topic}/receive/raw`, {
      json: { wait_seconds: 0 },
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(headers['content-type']).toBe('text/xml; charset=ISO-8859-1');
    expect(headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(bytes)).toEqual(body);
  });
});
