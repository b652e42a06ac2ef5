// Small requests that would cost much: each is refused by name, and the service answers others
// meanwhile and afterwards. The bounds themselves, of bytes, connections, rates and waits, have
// tests of their own (docs/security.md lists them).

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

const BYTES = 16 * 1024 * 1024;

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const filled = (text: string) => Buffer.from(text.repeat(Math.floor(BYTES / text.length)));

describe('a compressed request that becomes a monster', () => {
  it.each([
    ['of lists in lists', '['],
    ['of empty objects', '[{},'],
    ['of objects in objects', '{"a":'],
    ['of texts', '["a",'],
  ])('%s is refused before it is one', async (_, text) => {
    const name = await client.freshSubscription();
    const bytes = gzipSync(filled(text));
    expect(bytes.length).toBeLessThan(100_000);
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    for (const path of [`/v1/topics/${name}/messages`, `/v1/subscriptions/${name}/acknowledge`]) {
      const { status, json } = await client.call('POST', path, { bytes, headers });
      expect([status, json.code]).toEqual([400, 'invalid_request']);
      expect(json.detail).toMatch(/nested at most 16 deep|at most 100000 lists/);
    }
    await client.publish(name, 'after');
    expect(await client.receive(name)).toHaveLength(1);
  });
});
