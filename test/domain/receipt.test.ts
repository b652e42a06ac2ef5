import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatReceipt, parseReceipt, type ReceiptParts } from '../../src/domain/receipt.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const parts: fc.Arbitrary<ReceiptParts> = fc.record({
  topicId: fc.integer({ min: 1, max: 0x7fff_ffff }),
  subscriptionId: fc.integer({ min: 1, max: 0x7fff_ffff }),
  deliveryNo: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  nonce: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

describe('a receipt', () => {
  it('says what was put into it, in 44 characters that need no escaping in a URL', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const receipt = formatReceipt(given);
        expect(receipt).toMatch(/^[A-Za-z0-9_-]{44}$/);
        expect(parseReceipt(receipt)).toEqual(given);
      }),
    );
  });

  it('is refused or means another one when any character is changed', () => {
    fc.assert(
      fc.property(parts, fc.nat(43), fc.nat(63), (given, place, letter) => {
        const receipt = formatReceipt(given);
        const changed = receipt.slice(0, place) + ALPHABET[letter] + receipt.slice(place + 1);
        fc.pre(changed !== receipt);
        expect(parseReceipt(changed)).not.toEqual(given);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['nothing', ''],
    ['too short', 'A'.repeat(43)],
    ['too long', 'A'.repeat(45)],
    ['another version', formatReceipt(example()).replace(/^A/, 'B')],
    ['ordinary base64', `${'+'.repeat(43)}/`],
    ['padding', `${formatReceipt(example()).slice(0, 43)}=`],
    ['white space', ` ${formatReceipt(example()).slice(1)}`],
    ['topic 0', formatReceipt({ ...example(), topicId: 0 })],
    ['a negative subscription', formatReceipt({ ...example(), subscriptionId: -1 })],
    ['delivery 0', formatReceipt({ ...example(), deliveryNo: 0 })],
    ['sequence 0', formatReceipt({ ...example(), sequence: 0 })],
    ['a sequence that a number cannot hold', formatReceipt({ ...example(), sequence: 2 ** 60 })],
    ['a delivery that a number cannot hold', formatReceipt({ ...example(), deliveryNo: 2 ** 60 })],
  ])('is not read from %s', (_, text) => {
    expect(parseReceipt(text)).toBeNull();
  });
});

function example(): ReceiptParts {
  return { topicId: 1, subscriptionId: 2, deliveryNo: 3, sequence: 4, nonce: 5n };
}
