// Keys that a transport verifies itself: named by their id, proved by a signature.

import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, codeOf } from '../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine, type TestEngine } from '../support/engine.ts';
import { makeKey } from '../support/keys.ts';

const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as Record<string, unknown>;

let database: TestDatabase;
let first: TestEngine;
let second: TestEngine;

beforeAll(async () => {
  database = await createTestDatabase();
  [first, second] = await Promise.all([createTestEngine(database), createTestEngine(database)]);
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await database.drop();
});

describe('a key by its id', () => {
  it('has its public keys, and opens what it opens once it is accepted', async () => {
    const key = await makeKey(first, { client: 'vendor', publicKeys: [{ ...jwk, kid: 'mine' }] });
    const identity = await second.authenticateKeyId(key.keyId);
    expect(identity).toMatchObject({ secretVersion: null, publicKeys: [jwk] });
    expect(identity?.accept()).toMatchObject({ principal: 'vendor', keyId: key.keyId, grants: key.roles });
    expect((await first.getKey(key.keyId)).publicKeys).toEqual([jwk]);
  });

  it('is answered without a promise while it is remembered', async () => {
    const { keyId } = await makeKey(first);
    await first.authenticateKeyId(keyId);
    expect(first.authenticateKeyId(keyId)).not.toBeInstanceOf(Promise);
  });

  it('counts as used when it is accepted, not when it is named', async () => {
    const { keyId } = await makeKey(first);
    const identity = await first.authenticateKeyId(keyId);
    await first.tendKeys();
    expect((await first.getKey(keyId)).lastUsedAt).toBeNull();
    identity?.accept();
    await first.tendKeys();
    expect((await first.getKey(keyId)).lastUsedAt).not.toBeNull();
  });

  it('is none once it is revoked, on every instance', async () => {
    const { keyId } = await makeKey(first);
    expect(await second.authenticateKeyId(keyId)).not.toBeNull();
    await first.revokeKey(keyId, CALLER);
    expect(await first.authenticateKeyId(keyId)).toBeNull();
    await expect.poll(() => second.authenticateKeyId(keyId), { timeout: 5000 }).toBeNull();
  });

  it('is none once it has expired', async () => {
    const { keyId } = await makeKey(first, { expiresAt: new Date(Date.now() + 300) });
    expect(await first.authenticateKeyId(keyId)).not.toBeNull();
    await expect.poll(() => first.authenticateKeyId(keyId), { timeout: 5000 }).toBeNull();
  });

  it.each(['wk_00000000000000000000', 'admin', '', 'wk_1'])('of %j is none', async (keyId) => {
    expect(await first.authenticateKeyId(keyId)).toBeNull();
  });

  it('is not made with a private key, nor with one of a kind that is not taken', async () => {
    const secret = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as Record<string, unknown>;
    expect(await codeOf(makeKey(first, { publicKeys: [secret] }))).toBe('invalid_request');
    const fault: unknown = await makeKey(first, { publicKeys: [jwk, { kty: 'oct' }] }).catch((error: unknown) => error);
    expect(fault).toMatchObject({
      data: { fields: [{ path: ['publicKeys', 1], rule: 'public_key', secret: false }] },
    });
  });
});
