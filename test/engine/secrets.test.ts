// Derived secrets: which secret key a database goes with, on several instances and through a
// rotation, and that nothing of it is stored.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deriveSecret } from '../../src/domain/secrets.ts';
import { createEngine } from '../../src/engine/index.ts';
import { openSecrets, SecretKeyError } from '../../src/engine/secrets.ts';
import { codeOf } from '../support/calls.ts';
import { grant, makeKey } from '../support/keys.ts';
import { openStoreBench, type StoreBench } from '../support/store.ts';

const VECTOR = '923c41a53900171cd92c7d9a377648728a17e52a3880db43eabd6343064f27bd';
const [one, two, three] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer];

let bench: StoreBench;
let warned: object[];
const ignore = () => {};
const logger = { debug: ignore, info: ignore, warn: (fields: object) => void warned.push(fields), error: ignore };

beforeAll(async () => {
  bench = await openStoreBench();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  warned = [];
  await bench.rows('delete from willcall.secret_version');
  await bench.rows('delete from willcall.api_key');
});

/** As an instance opens them at its start, on a store of its own. */
const start = (current: Buffer | null, previous: Buffer | null = null) =>
  openSecrets(bench.openStore(), current === null ? null : { current, previous }, logger);
const refused = async (starting: Promise<unknown>): Promise<string> => {
  const error: unknown = await starting.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SecretKeyError);
  return (error as SecretKeyError).message;
};

describe('a derived secret', () => {
  it('is HMAC-SHA256 over its purpose, version and id', () => {
    // printf willcall/sigv4/1/wk_00000000000000000000 | openssl dgst -sha256 -mac hmac -macopt
    // hexkey:0101…
    expect(deriveSecret(one, 'sigv4', 'wk_00000000000000000000', 1).toString('hex')).toBe(VECTOR);
  });

  it('is the same on every instance, and another for each purpose, id, version and secret key', async () => {
    const [here, there] = await Promise.all([start(one), start(one)]);
    expect([here.version, there.version]).toEqual([1, 1]);
    const secret = here.derive('sigv4', 'wk_1', 1);
    expect(secret).toHaveLength(32);
    expect(there.derive('sigv4', 'wk_1', 1)).toEqual(secret);
    const others = [
      here.derive('webhook', 'wk_1', 1),
      here.derive('sigv4', 'wk_2', 1),
      deriveSecret(one, 'sigv4', 'wk_1', 2),
      deriveSecret(two, 'sigv4', 'wk_1', 1),
    ];
    expect(new Set([secret, ...others].map((each) => each?.toString('hex'))).size).toBe(5);
  });

  it('cannot be had where there is no secret key', async () => {
    const secrets = await start(null);
    expect([secrets.version, secrets.derive('sigv4', 'wk_1', 1)]).toEqual([null, null]);
  });
});

describe('an instance', () => {
  it('with another secret key than the database knows is stopped', async () => {
    await start(one);
    expect(await refused(start(two))).toMatch(/another secret key.*WILLCALL_SECRET_KEY_PREVIOUS.*The secret key/);
    expect((await start(one)).version).toBe(1);
  });

  it('without a secret key is stopped where others have one', async () => {
    await start(one);
    expect(await refused(start(null))).toContain('set WILLCALL_SECRET_KEY to theirs');
  });

  it('of several that start at once with different secret keys is one, and the others are stopped', async () => {
    const results = await Promise.allSettled([start(one), start(two), start(three)]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(SecretKeyError);
  });
});

describe('a rotation', () => {
  it('derives with the new key, and with the previous one for what was made before', async () => {
    const before = await start(one);
    const [here, there] = await Promise.all([start(two, one), start(two, one)]);
    expect([here.version, there.version]).toEqual([2, 2]);
    for (const secrets of [here, there]) {
      expect(secrets.derive('sigv4', 'wk_1', 1)).toEqual(before.derive('sigv4', 'wk_1', 1));
      expect(secrets.derive('sigv4', 'wk_1', 2)).toEqual(deriveSecret(two, 'sigv4', 'wk_1', 2));
    }
    const after = await start(two);
    expect([after.version, after.derive('sigv4', 'wk_1', 1)]).toEqual([2, null]);
  });

  it('may be the first start of all, and may be followed by another', async () => {
    expect((await start(two, one)).version).toBe(2);
    const third = await start(three, two);
    expect([third.version, third.derive('ticket', 't', 2)]).toEqual([3, deriveSecret(two, 'ticket', 't', 2)]);
  });

  it('is refused from a key that was never the one, or that is not the latest', async () => {
    await start(one);
    expect(await refused(start(two, three))).toContain('WILLCALL_SECRET_KEY_PREVIOUS is not a secret key');
    await start(two, one);
    expect(await refused(start(three, one))).toContain('another secret key');
    expect(await refused(start(one))).toContain('rotated out');
    expect(await refused(start(one, two))).toContain('rotated out');
  });

  it('warns of keys whose secret key is missing, until they are revoked', async () => {
    const engine = createEngine({ store: bench.store, logger, secrets: await start(one) });
    const { keyId } = await makeKey(engine, { derivesSecret: true });
    await makeKey(engine);
    await start(two, one);
    expect(warned).toEqual([]);
    await start(two);
    expect(warned).toEqual([{ secretVersion: 1, keys: 1 }]);
    await engine.revokeKey(keyId, 'ops');
    warned = [];
    await start(two);
    expect(warned).toEqual([]);
  });
});

describe('a key', () => {
  it('names the version that its secret is derived with', async () => {
    await start(one);
    const engine = createEngine({ store: bench.store, logger, secrets: await start(two, one) });
    const { keyId, secretVersion } = await makeKey(engine, { derivesSecret: true });
    expect(secretVersion).toBe(2);
    expect(engine.deriveSecret('sigv4', keyId, 2)).toEqual(deriveSecret(two, 'sigv4', keyId, 2));
    expect((await makeKey(engine)).secretVersion).toBeNull();
  });

  it('is not made with a derived secret where there is no secret key', async () => {
    const engine = createEngine({ store: bench.store, logger });
    expect(await codeOf(makeKey(engine, { derivesSecret: true }))).toBe('invalid_request');
  });
});

it('nothing that is stored tells a secret key or what is derived from it', async () => {
  const engine = createEngine({ store: bench.store, logger, secrets: await start(one) });
  const { keyId } = await makeKey(engine, { derivesSecret: true, roles: [grant('admin', '*')] });
  const derived = (['sigv4', 'webhook', 'ticket'] as const).map((purpose) => engine.deriveSecret(purpose, keyId, 1));
  const tables = await bench.rows<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relnamespace = 'willcall'::regnamespace and relkind = 'r'",
  );
  let stored = '';
  for (const { name } of tables) stored += JSON.stringify(await bench.rows(`select t::text from ${name} t`));
  expect(stored).toContain(keyId);
  for (const secret of [one, ...derived]) {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(stored).not.toContain(secret?.toString(encoding).replaceAll('=', ''));
    }
  }
});
