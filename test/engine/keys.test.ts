// Keys as several instances on one database see them: who is taken for a key's holder, and how soon
// everybody knows that it has ended. A deaf instance hears nothing of the others, so that only
// looking again helps it.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Access } from '../../src/domain/access.ts';
import type { Store } from '../../src/store/index.ts';
import { CALLER, codeOf, createQueue } from '../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine, type TestEngine } from '../support/engine.ts';
import { grant, type MadeKey, makeKey } from '../support/keys.ts';
import { type Owner, openOwner } from '../support/lock.ts';

type Shown = Pick<MadeKey, 'credentials'>;

let database: TestDatabase;
let owner: Owner;
/** Where keys are made and revoked. */
let first: TestEngine;
/** Another instance, which hears. */
let second: TestEngine;
/** A third one, which does not. */
let deaf: TestEngine;
/** The keys that the deaf one looked for, a list for each statement. */
const looks: string[][] = [];
let beforeLook = async (): Promise<void> => {};

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await openOwner(database);
  [first, second, deaf] = await Promise.all([
    createTestEngine(database),
    createTestEngine(database),
    createTestEngine(database, { deaf: true, wrapStore: watchLooks }),
  ]);
});
afterEach(() => {
  vi.useRealTimers();
  beforeLook = async () => {};
  looks.length = 0;
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop(), deaf.stop()]);
  await owner.end();
  await database.drop();
});

function watchLooks(store: Store): Store {
  const find: Store['keys']['find'] = async (keyIds) => {
    looks.push([...keyIds]);
    await beforeLook();
    // The database's clock passes as the test's does.
    return (await store.keys.find(keyIds)).map((key) => ({ ...key, checkedAt: new Date() }));
  };
  return { ...store, keys: { ...store.keys, find } };
}

const holdTime = () => vi.useFakeTimers({ toFake: ['Date', 'performance'] });
/** What the instance remembers, without a look; throws when it has to look. */
const recall = (engine: TestEngine, { credentials }: Shown): Access | null => {
  const access = engine.authenticate(credentials);
  if (access instanceof Promise) throw new Error('it looked');
  return access;
};
const isAdmitted = async (engine: TestEngine, { credentials }: Shown) =>
  (await engine.authenticate(credentials)) !== null;

describe('the holder of a key', () => {
  it('is its client, with the roles of the key', async () => {
    const roles = [grant('consumer', 'acme-*')];
    const key = await makeKey(first, { roles });
    const expected = { principal: 'acme', keyId: key.keyId, grants: roles, requestsPerSecond: null };
    for (const engine of [first, second, deaf]) {
      expect(await engine.authenticate(key.credentials)).toEqual(expected);
      expect(await engine.authenticate({ id: key.keyId, secret: key.secret })).toEqual(expected);
    }
  });

  it('is nobody with another secret, or with another key of the same client', async () => {
    const key = await makeKey(first);
    const other = await makeKey(first);
    const swapped = { id: key.keyId, secret: other.secret };
    expect(await first.authenticate(swapped)).toBeNull();
    const otherEnd = key.key.endsWith('A') ? 'E' : 'A';
    expect(await first.authenticate({ id: null, secret: key.key.slice(0, -1) + otherEnd })).toBeNull();
    expect(await first.authenticate({ id: null, secret: key.secret })).toBeNull();
    expect(await isAdmitted(first, key)).toBe(true);
  });

  it('is known at once where the key is made, also when it was guessed before', async () => {
    const key = await makeKey(first);
    const unborn = { id: key.keyId.replace(/.$/, (last) => (last === '0' ? '1' : '0')), secret: key.secret };
    expect(await first.authenticate(unborn)).toBeNull();
    expect(await first.authenticate(unborn)).toBeNull();
    const next = await makeKey(first);
    expect(await isAdmitted(first, next)).toBe(true);
  });

  it('may have several keys at once, each ending for itself', async () => {
    const [old, fresh] = [await makeKey(first), await makeKey(first)];
    await first.revokeKey(old.keyId, CALLER);
    expect(await isAdmitted(first, old)).toBe(false);
    expect(await isAdmitted(first, fresh)).toBe(true);
  });
});

describe('a key that is in use', () => {
  it('costs no statement', async () => {
    holdTime();
    const key = await makeKey(first);
    expect(await isAdmitted(deaf, key)).toBe(true);
    for (let i = 0; i < 100; i += 1) expect(recall(deaf, key)).not.toBeNull();
    vi.advanceTimersByTime(499);
    expect(recall(deaf, key)).not.toBeNull();
    expect(looks).toEqual([[key.keyId]]);
  });

  it('is looked at again in the background, and waits for a look after a second', async () => {
    holdTime();
    const key = await makeKey(first);
    await isAdmitted(deaf, key);
    vi.advanceTimersByTime(501);
    expect(recall(deaf, key)).not.toBeNull();
    await vi.waitFor(() => expect(looks).toHaveLength(2));
    await deaf.authenticate({ id: key.keyId, secret: 'joins nothing' });
    vi.advanceTimersByTime(1_001);
    expect(() => recall(deaf, key)).toThrow('it looked');
  });

  it('is looked for once by all who come at the same time', async () => {
    const keys = await Promise.all([makeKey(first), makeKey(first), makeKey(first)]);
    const asked = keys.flatMap((key) => [key, key, key, key]);
    expect(await Promise.all(asked.map((key) => isAdmitted(deaf, key)))).not.toContain(false);
    const ids = keys.map(({ keyId }) => keyId);
    const ours = looks.map((look) => look.filter((id) => ids.includes(id))).filter((look) => look.length > 0);
    expect(ours).toEqual([ids]);
  });

  it('is good while the database is away for less than a second', async () => {
    holdTime();
    const key = await makeKey(first);
    await isAdmitted(deaf, key);
    beforeLook = async () => {
      throw new Error('away');
    };
    vi.advanceTimersByTime(900);
    expect(recall(deaf, key)).not.toBeNull();
    vi.advanceTimersByTime(200);
    await expect(isAdmitted(deaf, key)).rejects.toThrow();
    beforeLook = async () => {};
    expect(await isAdmitted(deaf, key)).toBe(true);
  });
});

describe('a revoked key', () => {
  it('is refused at once where it is revoked', async () => {
    const key = await makeKey(first);
    expect(await isAdmitted(first, key)).toBe(true);
    await first.revokeKey(key.keyId, CALLER);
    expect(await isAdmitted(first, key)).toBe(false);
  });

  it('is refused by another instance as soon as the word comes', async () => {
    holdTime();
    const key = await makeKey(first);
    expect(await isAdmitted(second, key)).toBe(true);
    await first.revokeKey(key.keyId, CALLER);
    // No time passes on this clock: only the word can tell.
    await vi.waitFor(async () => expect(await isAdmitted(second, key)).toBe(false));
  });

  it('is refused within a second by an instance that the word does not reach', async () => {
    holdTime();
    const key = await makeKey(first);
    expect(await isAdmitted(deaf, key)).toBe(true);
    await first.revokeKey(key.keyId, CALLER);
    expect(await isAdmitted(deaf, key)).toBe(true);
    vi.advanceTimersByTime(1_001);
    expect(await isAdmitted(deaf, key)).toBe(false);
  });

  it('is refused although a look that is older than the revocation says otherwise', async () => {
    const key = await makeKey(first);
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    beforeLook = () => {
      begun.resolve();
      return go.promise;
    };
    holdTime();
    const early = isAdmitted(deaf, key);
    await begun.promise;
    vi.advanceTimersByTime(1_001);
    await first.revokeKey(key.keyId, CALLER);
    beforeLook = async () => {};
    const late = isAdmitted(deaf, key);
    go.resolve();
    await early;
    expect(await late).toBe(false);
    expect(await isAdmitted(deaf, key)).toBe(false);
  });

  it('keeps its record and its first revocation', async () => {
    const key = await makeKey(first);
    await first.revokeKey(key.keyId, 'one');
    const revoked = await first.getKey(key.keyId);
    expect(revoked).toMatchObject({ revokedBy: 'one', revokedAt: expect.any(Date) });
    await second.revokeKey(key.keyId, 'two');
    expect(await first.getKey(key.keyId)).toEqual(revoked);
  });

  it('must exist', async () => {
    for (const id of ['admin', 'wk_', 'wk_00000000000000000000', 'x'.repeat(1000), '\0']) {
      expect(await codeOf(first.revokeKey(id, CALLER))).toBe('key_not_found');
      expect(await codeOf(first.getKey(id))).toBe('key_not_found');
    }
  });
});

describe('a key that expires', () => {
  it('is refused from that moment on, without a look', async () => {
    holdTime();
    const key = await makeKey(first, { expiresAt: new Date(Date.now() + 400) });
    expect(await isAdmitted(deaf, key)).toBe(true);
    vi.advanceTimersByTime(399);
    expect(recall(deaf, key)).not.toBeNull();
    vi.advanceTimersByTime(1);
    expect(recall(deaf, key)).toBeNull();
    expect(looks).toHaveLength(1);
  });
});

describe('guessing', () => {
  const guess = (n: number) => ({
    credentials: { id: `wk_${n.toString(16).padStart(20, '0')}`, secret: 'x'.repeat(43) },
  });

  it('is remembered for a second, so that repeating it asks nobody', async () => {
    holdTime();
    expect(await isAdmitted(deaf, guess(1))).toBe(false);
    expect(recall(deaf, guess(1))).toBeNull();
    vi.advanceTimersByTime(1_001);
    expect(() => recall(deaf, guess(1))).toThrow('it looked');
  });

  it('pushes out guesses, and nothing that is known', async () => {
    holdTime();
    const key = await makeKey(first);
    await isAdmitted(deaf, key);
    await Promise.all(Array.from({ length: 1_500 }, (_, i) => isAdmitted(deaf, guess(10 + i))));
    expect(recall(deaf, key)).not.toBeNull();
    expect(recall(deaf, guess(1_509))).toBeNull();
    expect(() => recall(deaf, guess(10))).toThrow('it looked');
  });
});

describe('when a key was last used', () => {
  const lastUsed = async (keyId: string) => (await first.getKey(keyId)).lastUsedAt?.getTime() ?? null;

  it('is written down after the request, once a minute', async () => {
    holdTime();
    const key = await makeKey(first);
    const at = Date.now();
    await isAdmitted(first, key);
    expect(await lastUsed(key.keyId)).toBeNull();
    await first.tendKeys();
    expect(await lastUsed(key.keyId)).toBe(at);
    vi.advanceTimersByTime(59_999);
    await isAdmitted(first, key);
    await first.tendKeys();
    expect(await lastUsed(key.keyId)).toBe(at);
    vi.advanceTimersByTime(1);
    await isAdmitted(first, key);
    await first.tendKeys();
    expect(await lastUsed(key.keyId)).toBe(at + 60_000);
  });

  it('is written by one of several instances', async () => {
    holdTime();
    const key = await makeKey(first);
    const at = Date.now();
    await isAdmitted(first, key);
    await first.tendKeys();
    vi.advanceTimersByTime(30_000);
    await isAdmitted(deaf, key);
    await deaf.tendKeys();
    expect(await lastUsed(key.keyId)).toBe(at);
  });

  it('says nothing of a wrong secret or of a key that has ended', async () => {
    const key = await makeKey(first);
    await first.authenticate({ id: key.keyId, secret: 'x' });
    await first.revokeKey(key.keyId, CALLER);
    await isAdmitted(first, key);
    await first.tendKeys();
    expect(await lastUsed(key.keyId)).toBeNull();
  });

  it('is written down when the instance stops', async () => {
    const key = await makeKey(first);
    const third = await createTestEngine(database);
    await isAdmitted(third, key);
    await third.stop();
    expect(await lastUsed(key.keyId)).not.toBeNull();
  });
});

describe('a receive that is parked under a key', () => {
  /** Parked on the instance before it resolves. */
  const park = async (engine: TestEngine, keyId: string | null) => {
    const queue = await createQueue(engine);
    const answer = queue.receive({ waitSeconds: 30, keyId });
    // A receive that comes later and does not wait is answered after the first one has looked.
    await queue.receive();
    return { queue, answer };
  };

  it('is answered empty when the key is revoked, on every instance', async () => {
    const key = await makeKey(first);
    const parked = [await park(first, key.keyId), await park(second, key.keyId)];
    await first.revokeKey(key.keyId, CALLER);
    expect(await Promise.all(parked.map(({ answer }) => answer))).toEqual([[], []]);
  });

  it('is answered empty at the next look of an instance that the word does not reach', async () => {
    const key = await makeKey(first);
    const { answer } = await park(deaf, key.keyId);
    holdTime();
    await deaf.tendKeys();
    await first.revokeKey(key.keyId, CALLER);
    vi.advanceTimersByTime(1_001);
    await deaf.tendKeys();
    expect(await answer).toEqual([]);
  });

  it('lets its key be looked at once a second, however often it is used meanwhile', async () => {
    const [key, other] = [await makeKey(first), await makeKey(first)];
    const { queue, answer } = await park(deaf, key.keyId);
    const { queue: otherQueue, answer: otherAnswer } = await park(deaf, other.keyId);
    holdTime();
    for (let second = 0; second < 3; second += 1) {
      await deaf.tendKeys();
      vi.advanceTimersByTime(999);
      for (const each of [key, other]) expect(recall(deaf, each)).not.toBeNull();
    }
    expect(looks.flat()).toHaveLength(6);
    for (const each of [queue, otherQueue]) await each.publish('a');
    await Promise.all([answer, otherAnswer]);
    await deaf.tendKeys();
    vi.advanceTimersByTime(2);
    for (const each of [key, other]) expect(await isAdmitted(deaf, each)).toBe(true);
    vi.advanceTimersByTime(501);
    for (const each of [key, other]) expect(recall(deaf, each)).not.toBeNull();
    await vi.waitFor(() => expect(looks.flat()).toHaveLength(10));
  });

  it('is answered empty when the key expires', async () => {
    holdTime();
    const key = await makeKey(first, { expiresAt: new Date(Date.now() + 10_000) });
    const { answer } = await park(deaf, key.keyId);
    vi.advanceTimersByTime(10_000);
    await deaf.tendKeys();
    expect(await answer).toEqual([]);
  });

  it('goes on waiting while another key ends, and gets what comes', async () => {
    const [key, other] = [await makeKey(first), await makeKey(first)];
    const { queue, answer } = await park(first, key.keyId);
    const { queue: adminsQueue, answer: admins } = await park(first, null);
    await first.revokeKey(other.keyId, CALLER);
    await first.tendKeys();
    await queue.publish('a');
    await adminsQueue.publish('b');
    expect(await answer).toHaveLength(1);
    expect(await admins).toHaveLength(1);
  });

  it('whose client hangs up is forgotten as ever', async () => {
    const key = await makeKey(first);
    const queue = await createQueue(first);
    const client = new AbortController();
    const answer = queue.receive({ waitSeconds: 30, keyId: key.keyId, signal: client.signal });
    await queue.receive();
    client.abort();
    expect(await answer).toEqual([]);
    await queue.publish('a');
    // A look that was on its way when the client left gives back what it brought, a moment later.
    expect(await queue.receive({ waitSeconds: 20 })).toHaveLength(1);
  });
});
