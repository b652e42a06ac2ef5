// What was published is what is received, byte for byte, whichever way it went in and whichever way
// it comes out.

import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const xml = (encoding: string) =>
  `<?xml version="1.0" encoding="${encoding}"?>\r\n<Ntfctn><Nm>Müller &amp; Söhne</Nm><Amt Ccy="EUR">12,50</Amt></Ntfctn>\n`;
const utf16 = (text: string, bigEndian: boolean) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};
const MIB = 1024 * 1024;
const oneMibOfText = Buffer.from(`${'ü€\u{1f4ee}'.repeat(116_508)}1234`);

const documents: [string, string | null, Buffer, 'utf8' | 'base64'][] = [
  ['XML in UTF-8', 'application/xml', Buffer.from(xml('UTF-8')), 'utf8'],
  ['XML in UTF-8 with a byte order mark', 'text/xml; charset=utf-8', Buffer.from(`\ufeff${xml('UTF-8')}`), 'utf8'],
  ['XML in UTF-16, little-endian', 'text/xml; charset=utf-16', utf16(xml('UTF-16'), false), 'base64'],
  ['XML in UTF-16, big-endian', 'application/xml', utf16(xml('UTF-16'), true), 'base64'],
  ['XML in Latin-1', 'text/xml; charset=ISO-8859-1', Buffer.from(xml('ISO-8859-1'), 'latin1'), 'base64'],
  [
    'JSON, with spaces that matter to its signature',
    'application/json',
    Buffer.from('{ "a" : [1.0, "\\u00fc"] }\n'),
    'utf8',
  ],
  ['broken JSON', 'application/json; charset=utf-8', Buffer.from('{"a":'), 'utf8'],
  ['a form', 'application/x-www-form-urlencoded', Buffer.from('a=1&b=%ZZ'), 'utf8'],
  ['a multipart body', 'multipart/form-data; boundary=x', Buffer.from('--x\r\n\r\ny\r\n--x--'), 'utf8'],
  ['text with NULs and control characters', 'text/plain', Buffer.from('a\0b\u0001\u007f\u2028\uffff'), 'utf8'],
  ['every byte', 'application/octet-stream', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), 'base64'],
  ['truncated UTF-8', null, Buffer.from([0x61, 0xc3]), 'base64'],
  ['a surrogate encoded as UTF-8', null, Buffer.from([0xed, 0xa0, 0x80]), 'base64'],
  ['a byte order mark alone', null, Buffer.from('\ufeff'), 'utf8'],
  ['nothing', null, Buffer.alloc(0), 'utf8'],
  ['nothing, with a content type', 'application/xml', Buffer.alloc(0), 'utf8'],
  ['1 MiB of text', 'text/plain; charset=utf-8', oneMibOfText, 'utf8'],
  ['1 MiB of random bytes', 'application/octet-stream', randomBytes(MIB), 'base64'],
];

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('bytes', () => {
  it('of the large documents here are 1 MiB, exactly', () => {
    expect(oneMibOfText).toHaveLength(MIB);
  });

  it.each(documents)('of %s survive both ways in and both ways out', async (_, contentType, bytes, encoding) => {
    const name = await client.freshSubscription();
    const raw = `/v1/topics/${name}/messages/raw`;
    const list = `/v1/topics/${name}/messages`;
    const headers = contentType === null ? {} : { 'content-type': contentType };
    const asBase64 = { body: bytes.toString('base64'), body_encoding: 'base64', content_type: contentType };
    const asText = { body: bytes.toString('utf8'), body_encoding: 'utf8', content_type: contentType };
    const messages = encoding === 'utf8' ? [asBase64, asText] : [asBase64];
    const count = 1 + messages.length;
    for (let round = 0; round < 2; round += 1) {
      expect((await client.call('POST', raw, { bytes, headers })).status).toBe(201);
      expect((await client.post(list, { messages })).status).toBe(201);
    }

    const batch = await client.receive(name, { max_messages: count });
    expect(batch).toHaveLength(count);
    for (const message of batch) {
      expect(message.body_encoding).toBe(encoding);
      expect(message.content_type).toBe(contentType);
      expect(digest(Buffer.from(message.body, message.body_encoding))).toBe(digest(bytes));
    }
    for (let each = 0; each < count; each += 1) {
      const answer = await client.post(`/v1/subscriptions/${name}/receive/raw`, { wait_seconds: 0 });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(contentType ?? undefined);
      expect(digest(answer.bytes)).toBe(digest(bytes));
    }
  });

  it('are what the ledger signs for', async () => {
    const name = await client.freshSubscription();
    const bytes = Buffer.from(xml('ISO-8859-1'), 'latin1');
    await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes });
    const [message] = await client.receive(name);
    await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [message?.receipt] });
    const { json } = await client.get(`/v1/subscriptions/${name}/acknowledgments`);
    expect(json).toMatchObject({ acknowledgments: [{ body_sha256: digest(bytes), body_bytes: bytes.length }] });
  });

  it('of a dead letter are kept as well', async () => {
    const name = await client.freshSubscription();
    const bytes = utf16(xml('UTF-16'), true);
    await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes, headers: { 'content-type': 'text/xml' } });
    const [message] = await client.receive(name);
    await client.post(`/v1/subscriptions/${name}/reject`, { receipts: [message?.receipt] });
    const { json } = await client.get(`/v1/subscriptions/${name}/dead-letters`);
    expect(json).toMatchObject({
      dead_letters: [{ body: bytes.toString('base64'), body_encoding: 'base64', content_type: 'text/xml' }],
    });
  });
});
