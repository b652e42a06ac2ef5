// The text of a key: what names its row, and what is its secret.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatKey, formatKeyId, isKeyId, readKey } from '../../src/domain/api-key.ts';

const makeId = (at: number) => formatKeyId(new Date(at), randomBytes(4));
const id = makeId(1_700_000_000_000);
const secret = randomBytes(32).toString('base64url');
const key = formatKey({ id, secret });

describe('a key', () => {
  it('is its id and its secret', () => {
    expect(key).toMatch(/^wk_[0-9a-f]{20}_[A-Za-z0-9_-]{43}$/);
    expect(readKey({ id: null, secret: key })).toEqual({ id, secret });
  });

  it('is read back whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const parts = { id, secret: Buffer.from(bytes).toString('base64url') };
        expect(readKey({ id: null, secret: formatKey(parts) })).toEqual(parts);
      }),
    );
  });

  it('may come as user name and password, or whole as the password of any user', () => {
    expect(readKey({ id, secret })).toEqual({ id, secret });
    expect(readKey({ id, secret: key })).toEqual({ id, secret });
    expect(readKey({ id: 'acme', secret: key })).toEqual({ id, secret });
    expect(readKey({ id: '', secret: key })).toEqual({ id, secret });
  });

  it.each<[string, string]>([
    ['one cut short', key.slice(0, -1)],
    ['one with more behind it', `${key}x`],
    ['one with a line end', `${key}\n`],
    ['one in capitals', key.toUpperCase()],
    ['one without a secret', `${id}_`],
    ['a secret alone', secret],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(readKey({ id: null, secret: text })).toBeNull();
  });
});

describe("a key's id", () => {
  it('sorts by the time of its making', () => {
    const made = [0, 1, 255, 256, 1_700_000_000_000, 1_700_000_000_001, 4_000_000_000_000].map(makeId);
    expect([...made].sort()).toEqual(made);
    expect(made.every(isKeyId)).toBe(true);
  });

  it.each(['', 'admin', 'wk_', `${id}0`, id.slice(1), `${id}\0`, key])('is not %j', (text) => {
    expect(isKeyId(text)).toBe(false);
  });
});
