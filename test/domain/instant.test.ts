// Instants keep the database's microseconds.

import { describe, expect, it } from 'vitest';
import { Instant, isSameInstant, readInstant } from '../../src/domain/instant.ts';

const read = (text: string) => readInstant(text, (seconds) => new Date(seconds));

describe('an instant', () => {
  it.each([
    ['2026-03-17T06:42:11.250417Z', '2026-03-17T06:42:11.250417Z'],
    ['2026-03-17T06:42:11Z', '2026-03-17T06:42:11.000000Z'],
    ['2026-03-17T06:42:11.5Z', '2026-03-17T06:42:11.500000Z'],
    ['2026-03-17T06:42:11.000001Z', '2026-03-17T06:42:11.000001Z'],
    ['2026-03-17T08:42:11.999999+02:00', '2026-03-17T06:42:11.999999Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999Z'],
    ['2026-03-17T06:42:11.2504179Z', '2026-03-17T06:42:11.250417Z'],
  ])('%s is written as %s', (text, written) => {
    expect(read(text).toISOString()).toBe(written);
    expect(JSON.stringify({ at: read(text) })).toBe(`{"at":"${written}"}`);
  });

  it('reads every microsecond of a millisecond as it is', () => {
    for (let micros = 0; micros < 1_000_000; micros += 997) {
      const text = `2026-03-17T06:42:11.${String(micros).padStart(6, '0')}Z`;
      expect(read(text).toISOString()).toBe(text);
    }
  });

  it('is the same as another one only to the microsecond', () => {
    expect(isSameInstant(new Instant(5, 1), new Instant(5, 1))).toBe(true);
    expect(isSameInstant(new Instant(5, 1), new Instant(5, 2))).toBe(false);
    expect(isSameInstant(new Instant(5, 0), new Date(5))).toBe(true);
    expect(isSameInstant(new Instant(5, 0), new Date(6))).toBe(false);
  });
});
