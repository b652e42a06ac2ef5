import { randomBytes } from 'node:crypto';
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

  it.each(['GZIP', 'x-gzip', 'X-GZIP', ' gzip '])('may name its coding so: %s', async (coding) => {
    const topic = await client.freshSubscription();
    const { status } = await publishRaw(topic, gzipSync('hello'), { 'content-encoding': coding });
    expect(status).toBe(201);
    expect((await client.receive(topic)).map(({ body }) => body)).toEqual(['hello']);
  });

  it.each([
    ['raw', '/messages/raw', {}, 10 * MIB, 0],
    ['of JSON', '/messages', json, 16 * MIB, 1],
  ])('%s may be as large as any, also where gzip makes it larger', async (_, path, headers, limit, isJson) => {
    const topic = client.freshName('t');
    await client.call('PUT', `/v1/topics/${topic}`, { json: { max_message_bytes: 10 * MIB } });
    const noise = randomBytes(limit);
    const list = { messages: [{ body: noise.subarray(0, 6 * MIB).toString('base64'), body_encoding: 'base64' }] };
    const bytes = isJson === 1 ? Buffer.from(JSON.stringify(list).padEnd(limit)) : noise;
    // Level 0 stores: more bytes than before.
    const packed = gzipSync(bytes, { level: 0 });
    expect(packed.length).toBeGreaterThan(limit);
    const call = (sent: Buffer) =>
      client.call('POST', `/v1/topics/${topic}${path}`, { bytes: sent, headers: { ...headers, ...gzip } });
    expect((await call(packed)).status).toBe(201);
    const larger = gzipSync(Buffer.concat([bytes, Buffer.from(' ')]), { level: 0 });
    expect((await call(larger)).status).toBe(413);
  });

  it('that inflates to nothing, however much arrives, is refused', async () => {
    const topic = await client.freshSubscription();
    // Members of gzip that are empty, 20 bytes each.
    const empty = gzipSync('');
    const bytes = Buffer.alloc(Math.ceil((33 * MIB) / empty.length) * empty.length, empty);
    const { status } = await publishRaw(topic, bytes.subarray(0, 33 * MIB), gzip).catch(() => ({ status: 413 }));
    expect(status).toBe(413);
    expect(await client.receive(topic)).toEqual([]);
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
      expect([status, problem.code]).toEqual([400, 'malformed_body']);
      expect(problem.title).toBe('The body cannot be inflated');
    }
    expect(await client.receive(topic)).toEqual([]);
  });

  it.each(['br', 'deflate', 'zstd', 'compress', 'gzip, gzip', 'x'])('in %s is refused by name', async (encoding) => {
    const topic = await client.freshSubscription();
    const encoded = { 'content-encoding': encoding };
    const { status, headers, json: problem } = await publishRaw(topic, Buffer.from('x'), encoded);
    expect([status, problem.code]).toEqual([415, 'unsupported_media_type']);
    expect(problem.detail).toContain(`${encoding} is not known here: send gzip`);
    expect(headers['accept-encoding']).toBe('gzip');
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

  it.each(['gzip;q=0, *', 'identity', 'gzip;q=0.5, identity;q=1'])(
    'is not compressed where the client asks so: %s',
    async (accepted) => {
      const topic = await client.freshSubscription();
      await client.publish(topic, 'a line of text\n'.repeat(2000));
      const options = { json: { wait_seconds: 0 }, headers: { 'accept-encoding': accepted } };
      const { headers } = await client.call('POST', `/v1/subscriptions/${topic}/receive`, options);
      expect(headers['content-encoding']).toBeUndefined();
      expect(headers.vary).toMatch(/accept-encoding/i);
    },
  );

  it.each([
    ['one', undefined],
    ['one', 'text/plain'],
    ['many '.repeat(10_000), undefined],
    ['', undefined],
  ])('with a raw message keeps its length: %.6s of type %s', async (body, type) => {
    const topic = await client.freshSubscription();
    await publishRaw(topic, Buffer.from(body), type === undefined ? {} : { 'content-type': type });
    const { bytes, headers } = await client.call('POST', `/v1/subscriptions/${topic}/receive/raw`, {
      json: { wait_seconds: 0 },
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(headers['content-type']).toBe(type);
    expect(headers['content-length']).toBe(String(body.length));
    expect(headers['content-encoding']).toBeUndefined();
    expect(bytes.toString()).toBe(body);
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
