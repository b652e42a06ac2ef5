import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/limits.ts';
import { scanShape } from '../../../src/transports/http/json-shape.ts';

const BYTES = limits.requestBytesMax;
const filled = (text: string) => Buffer.from(text.repeat(Math.floor(BYTES / text.length)));
/** Beyond what is small, by spaces that mean nothing. */
const padded = (text: string) => Buffer.from(text + ' '.repeat(70_000));

const measure = (value: unknown): { depth: number; items: number } => {
  if (typeof value !== 'object' || value === null) return { depth: 0, items: 0 };
  const inner = Object.values(value).map(measure);
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    items: 1 + Math.max(0, inner.length - 1) + inner.reduce((sum, { items }) => sum + items, 0),
  };
};

describe('a body that becomes much more than it is', () => {
  it.each([
    ['lists in lists', '['],
    ['lists in lists, with spaces', '[ \n'],
    ['objects in objects', '{"a":'],
    ['lists and objects in turn', '[{"a":'],
  ])('is refused for its depth: %s', (_, text) => {
    expect(scanShape(filled(text)).fault).toBe('must be nested at most 16 deep');
  });

  it.each([
    ['empty objects', '{},'],
    ['empty lists', '[],'],
    ['numbers', '0,'],
    ['texts', '"a",'],
    ['texts of quotes', '"\\"",'],
    ['texts of backslashes', '"\\\\",'],
    ['fields', '"a":1,'],
  ])('is refused for its number of items: %s', (_, text) => {
    expect(scanShape(Buffer.concat([Buffer.from('['), filled(text)])).fault).toMatch(/^must have at most 100000 /);
  });
});

describe('a body that is as large as any may be', () => {
  it('is let through where it has as many messages and attributes as it may', () => {
    const attributes = Object.fromEntries(Array.from({ length: limits.attributesMax }, (_, i) => [`a${i}`, '[{,']));
    const message = { body: '[{"'.repeat(100), content_type: 'a/b', attributes, ordering_key: '{', dedupe_key: '\\"' };
    const messages = Array.from({ length: limits.publishMessagesMax }, () => ({ ...message, delay_seconds: 1 }));
    expect(scanShape(Buffer.from(JSON.stringify({ messages }))).fault).toBeNull();
  });

  it.each([
    ['brackets in a text', `{"messages":[{"body":"${'[{,'.repeat(5_000_000)}"}]}`],
    ['quotes in a text', JSON.stringify({ messages: [{ body: '"[,'.repeat(100_000) }] })],
    ['backslashes in a text', JSON.stringify({ messages: [{ body: '\\[,'.repeat(1_000_000) }] })],
    ['spaces', ' '.repeat(BYTES)],
    ['a text without an end', `"${'['.repeat(BYTES - 1)}`],
    ['what closes and never opened', '}'.repeat(BYTES)],
  ])('is let through to the parser with %s', (_, text) => {
    expect(scanShape(Buffer.from(text)).fault).toBeNull();
  });
});

describe('depth and items', () => {
  it('are counted as the parsed value has them, whatever stands in its texts', () => {
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 20, withCrossShrink: true },
        fc.string({ unit: fc.constantFrom('"', '\\', '[', '{', ',', ']', '}', 'a') }),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(fc.string({ unit: fc.constantFrom('"', '\\', '{', ',') }), tie('json'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(json, (value) => {
        const { depth } = measure(value);
        expect(scanShape(padded(JSON.stringify(value))).fault !== null).toBe(depth > limits.jsonDepthMax);
      }),
      { numRuns: 300 },
    );
  });

  it('may be as many as the bound, and not one more', () => {
    const list = (count: number) => padded(`[${Array.from({ length: count }, () => '0').join()}]`);
    expect(scanShape(list(limits.jsonItemsMax)).fault).toBeNull();
    expect(scanShape(list(limits.jsonItemsMax + 1)).fault).toMatch(/^must have at most/);
    const nested = (depth: number) => padded('['.repeat(depth) + ']'.repeat(depth));
    expect(scanShape(nested(limits.jsonDepthMax)).fault).toBeNull();
    expect(scanShape(nested(limits.jsonDepthMax + 1)).fault).toMatch(/^must be nested/);
  });
});
