import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMessageId, type MessageIdParts, parseMessageId } from '../../src/domain/message-id.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const parts: fc.Arbitrary<MessageIdParts> = fc.record({
  numbering: fc.constantFrom('log' as const, 'scheduled' as const),
  topicId: fc.integer({ min: 1, max: 0x7fff_ffff }),
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  salt: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

describe('a message id', () => {
  it('is its bytes as 28 characters that need no escaping in a URL', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const id = formatMessageId(given);
        expect(id).toMatch(/^[A-Za-z0-9_-]{28}$/);
        const bytes = parseMessageId(id);
        expect(bytes?.[0]).toBe(given.numbering === 'log' ? 1 : 2);
        expect(bytes?.readInt32BE(1)).toBe(given.topicId);
        expect(bytes?.readBigInt64BE(5)).toBe(BigInt(given.number));
        expect(bytes?.readBigInt64BE(13)).toBe(given.salt);
        expect(bytes?.toString('base64url')).toBe(id);
      }),
    );
  });

  it('is another one for other parts', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        fc.pre(fc.stringify(a) !== fc.stringify(b));
        expect(formatMessageId(a)).not.toBe(formatMessageId(b));
      }),
    );
  });

  it('is refused or names another message when any character is changed', () => {
    fc.assert(
      fc.property(parts, fc.nat(27), fc.nat(63), (given, place, letter) => {
        const id = formatMessageId(given);
        const changed = id.slice(0, place) + ALPHABET[letter] + id.slice(place + 1);
        fc.pre(changed !== id);
        expect(parseMessageId(changed)).not.toEqual(parseMessageId(id));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['nothing', ''],
    ['something shorter', 'A'.repeat(27)],
    ['something longer', 'A'.repeat(29)],
    ['an unknown numbering', Buffer.alloc(21, 3).toString('base64url')],
    ['ordinary base64', `A${'+'.repeat(27)}`],
    ['padding', `AQAAAAEAAAAAAAAAAQAAAAAAAAA=`],
  ])('is not read from %s', (_, text) => {
    expect(parseMessageId(text)).toBeNull();
  });
});
