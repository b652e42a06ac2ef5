// Keys as they are made and kept: what a row holds, who may read it, and what the makers of keys
// are told.

import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CALLER } from '../../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTestEngine, type TestEngine } from '../../support/engine.ts';
import { grant, makeKey } from '../../support/keys.ts';
import { type Owner, openOwner } from '../../support/lock.ts';

let database: TestDatabase;
let owner: Owner;
/** Where keys are made and revoked. */
let first: TestEngine;
/** Another instance. */
let second: TestEngine;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await openOwner(database);
  [first, second] = await Promise.all([createTestEngine(database), createTestEngine(database)]);
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await owner.end();
  await database.drop();
});

const holdTime = () => vi.useFakeTimers({ toFake: ['Date', 'performance'] });

describe('what is kept of a key', () => {
  it('is the hash of its secret, and nothing that opens anything', async () => {
    const key = await makeKey(first);
    const [row] = await owner.rows<{ text: string; hash: string }>(
      "select k::text as text, encode(k.secret_sha256, 'hex') as hash from willcall.api_key k where key_id = $1",
      [key.keyId],
    );
    expect(row?.hash).toBe(createHash('sha256').update(key.secret).digest('hex'));
    expect(row?.text).toContain(key.keyId);
    expect(row?.text).not.toContain(key.secret);
    expect(Buffer.from(key.secret, 'base64url')).toHaveLength(32);
    expect(row?.text).not.toContain(Buffer.from(key.secret, 'base64url').toString('hex'));
  });

  it.each([
    "update willcall.api_key set roles = '[]'",
    "update willcall.api_key set secret_sha256 = ''",
    "update willcall.api_key set client = 'admin'",
    'update willcall.api_key set expires_at = null',
    'delete from willcall.api_key',
    'truncate willcall.api_key',
  ])('cannot be changed by the running service: %s', async (text) => {
    await owner.rows('set role willcall_runtime');
    await expect(owner.rows(text)).rejects.toThrow('permission denied');
    await owner.rows('reset role');
  });

  it('is found again by its id and in the list, without the secret or its hash', async () => {
    const roles = [grant('publisher', 'payments', 'x-*'), grant('consumer', 'acme-erp')];
    const key = await makeKey(first, { client: 'found', roles, expiresAt: new Date(Date.now() + 60_000) });
    const found = await second.getKey(key.keyId);
    expect(found).toEqual({
      keyId: key.keyId,
      client: 'found',
      roles,
      expiresAt: key.expiresAt,
      requestsPerSecond: null,
      secretVersion: null,
      publicKeys: null,
      createdAt: expect.any(Date),
      createdBy: CALLER,
      revokedAt: null,
      revokedBy: null,
      lastUsedAt: null,
    });
    expect((await second.listKeys({ limit: 10, client: 'found' })).keys).toEqual([found]);
  });

  it('is listed in the order of making, page by page', async () => {
    holdTime();
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      made.push((await makeKey(first, { client: 'paged' })).keyId);
      vi.advanceTimersByTime(1);
    }
    const pages = [await first.listKeys({ limit: 2, client: 'paged' })];
    for (let next = pages[0]?.next; next; next = pages.at(-1)?.next) {
      pages.push(await first.listKeys({ limit: 2, client: 'paged', after: next }));
    }
    expect(pages.map(({ keys }) => keys.map(({ keyId }) => keyId))).toEqual([
      made.slice(0, 2),
      made.slice(2, 4),
      made.slice(4),
    ]);
  });
});

describe('making a key', () => {
  it.each([
    [['client'], { client: 'admin' }],
    [['client'], { client: 'Admin' }],
    [['client'], { client: 'willcall' }],
    [['expiresAt'], { expiresAt: new Date(Date.now() - 1) }],
    [['roles', 0, 'topics'], { roles: [grant('publisher')] }],
    [['roles', 0, 'subscriptions'], { roles: [grant('consumer')] }],
    [['roles', 0, 'topics'], { roles: [grant('admin')] }],
    [
      ['roles', 1, 'subscriptions'],
      { roles: [grant('admin', '*'), { ...grant('publisher', 'a'), subscriptions: ['a'] }] },
    ],
    [['roles', 0, 'topics'], { roles: [{ ...grant('consumer', 'a'), topics: ['*'] }] }],
  ])('is refused for its %j: %j', async (path, fields) => {
    await expect(makeKey(first, fields)).rejects.toMatchObject({
      code: 'invalid_request',
      data: { fields: [{ path }] },
    });
  });
});
