// The samples are what their README says: encoded as they declare, well-formed, with check digits
// and sums that hold.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const folder = new URL('../../docs/samples/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.xml'));
const poison = 'camt.054-wrong-control-sum.xml';

const byteOrderMarks: Readonly<Record<string, readonly number[]>> = { 'UTF-16': [0xff, 0xfe] };

/**
 * The text of a sample, decoded as its prolog declares; throws where the bytes say something else.
 */
function decode(bytes: Buffer): { encoding: string; text: string } {
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe;
  const prolog = bytes.subarray(0, 160).toString(wide ? 'utf16le' : 'latin1');
  const encoding = /^\uFEFF?<\?xml version="1\.0" encoding="([^"]+)"\?>\n/.exec(prolog)?.[1] ?? 'none';
  const text = new TextDecoder(wide ? 'utf-16le' : encoding, { fatal: true }).decode(bytes);
  return { encoding, text };
}

/**
 * What is wrong with the nesting of elements, or null. Enough for documents without CDATA, comments
 * and entities of their own.
 */
function findNestingFault(text: string): string | null {
  const open: string[] = [];
  const content = text.replace(/^<\?xml[^>]*\?>\s*/, '');
  for (const [whole, closing, name] of content.matchAll(/<(\/?)([A-Za-z][\w:.-]*)(?:\s+[\w:.-]+="[^"<]*")*\s*>/g)) {
    if (closing === '') open.push(name ?? '');
    else if (open.pop() !== name) return `${whole} closes another element`;
  }
  if (open.length > 0) return `${open.join(', ')} stay open`;
  const bare = content.replace(/<[^<>]+>/g, '');
  return /[<>]|&(?!(amp|lt|gt|quot|apos);)/.test(bare) ? 'a bare <, > or & in the text' : null;
}

/**
 * ISO 7064, modulus 97-10, as IBAN, RF references and LEI use it: the remainder of a valid one is
 * 1.
 */
function remainder97(digitsAndLetters: string): number {
  const digits = [...digitsAndLetters].map((character) => Number.parseInt(character, 36)).join('');
  return Number(BigInt(digits) % 97n);
}

function collect(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

function sumCents(amounts: readonly string[]): number {
  return amounts.reduce((sum, amount) => sum + Math.round(Number(amount) * 100), 0);
}

describe('the sample documents', () => {
  it('are the ones that the README of the folder names', () => {
    const readme = readFileSync(new URL('README.md', folder), 'utf8');
    expect(collect(readme, /^\| `([^`]+\.xml)`/gm).sort()).toEqual([...names].sort());
  });

  it.each(names)('%s is encoded as its prolog declares', (name) => {
    const bytes = readFileSync(new URL(name, folder));
    const { encoding, text } = decode(bytes);
    const declared = { 'iso-8859-1': 'ISO-8859-1', 'utf-16': 'UTF-16' }[name.split('.').at(-2) ?? ''] ?? 'UTF-8';
    expect(encoding).toBe(declared);
    const mark = byteOrderMarks[encoding] ?? [];
    expect([...bytes.subarray(0, mark.length)]).toEqual(mark);
    expect(text).not.toContain('\uFFFD');
    if (encoding !== 'UTF-8') expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow();
  });

  it.each(names)('%s is well-formed', (name) => {
    expect(findNestingFault(decode(readFileSync(new URL(name, folder))).text)).toBeNull();
  });

  it.each(names)('%s has identifiers with correct check digits', (name) => {
    const { text } = decode(readFileSync(new URL(name, folder)));
    const ibans = collect(text, />([A-Z]{2}\d{18,20})</g);
    const references = collect(text, />(RF\d{2}\d{10})</g);
    for (const id of [...ibans, ...references]) expect(remainder97(id.slice(4) + id.slice(0, 4)), id).toBe(1);
    for (const lei of collect(text, /<LEI>(\w+)</g)) expect(remainder97(lei), lei).toBe(1);
    for (const number of collect(text, /schemeID="0(?:088|160)">(\d{13})</g)) {
      const weighted = [...number].map((digit, index) => Number(digit) * (index % 2 === 0 ? 1 : 3));
      expect(weighted.reduce((sum, digit) => sum + digit, 0) % 10, number).toBe(0);
    }
  });

  it.each(names.filter((name) => name.startsWith('camt')))(
    '%s: the control sum holds, unless it is the poison',
    (name) => {
      const { text } = decode(readFileSync(new URL(name, folder)));
      const entries = collect(text, /<\/NtryRef>\s*<Amt Ccy="EUR">([\d.]+)</g);
      const total = collect(text, /<TtlNtries>\s*<NbOfNtries>\d+<\/NbOfNtries>\s*<Sum>([\d.]+)</g);
      expect(entries.length).toBe(Number(collect(text, /<TtlNtries>\s*<NbOfNtries>(\d+)</g)[0]));
      if (name === poison) expect(sumCents(entries)).not.toBe(sumCents(total));
      else expect(sumCents(entries)).toBe(sumCents(total));
    },
  );

  it('the status report adds up per status and in all', () => {
    const { text } = decode(readFileSync(new URL('pain.002-status.xml', folder)));
    const amounts = sumCents(collect(text, /<InstdAmt Ccy="EUR">([\d.]+)</g));
    expect(sumCents(collect(text, /<DtldCtrlSum>([\d.]+)</g))).toBe(amounts);
    for (const total of collect(text, /<OrgnlCtrlSum>([\d.]+)</g)) expect(sumCents([total])).toBe(amounts);
  });

  it('the invoice adds up: lines, tax, total', () => {
    const { text } = decode(readFileSync(new URL('ubl-invoice.xml', folder)));
    const [net, ...lines] = collect(text, /<cbc:LineExtensionAmount currencyID="EUR">([\d.]+)</g);
    const tax = collect(text, /<cbc:TaxAmount currencyID="EUR">([\d.]+)</g)[0];
    expect(sumCents(lines)).toBe(sumCents([net ?? '']));
    expect(Math.round(sumCents([net ?? '']) * 0.19)).toBe(sumCents([tax ?? '']));
    expect(sumCents(collect(text, /<cbc:PayableAmount currencyID="EUR">([\d.]+)</g))).toBe(
      sumCents([net ?? '', tax ?? '']),
    );
  });
});
