// How values of PostgreSQL's types are read: mostly as pg does it.

import pg from 'pg';

const INT8 = 20;
const INT4_ARRAY = 1007;
const INT8_ARRAY = 1016;
const TEXT_ARRAY = 1009;
const TIMESTAMPTZ = 1184;
const TIMESTAMPTZ_ARRAY = 1185;

/** Of how many instants the text is remembered. */
const INSTANTS_MAX = 16;

/** The parser of a type, by its number; 64-bit integers come as numbers: sequences and counts stay far below 2^53. */
export function parserOf(oid: number): (text: string) => unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return parseInstant;
  if (oid === INT4_ARRAY || oid === INT8_ARRAY) return (text) => parsePlainList(text, Number);
  if (oid === TIMESTAMPTZ_ARRAY) return (text) => parsePlainList(text, parseInstant);
  if (oid === TEXT_ARRAY) return parseTexts;
  return pg.types.getTypeParser(oid, 'text') as (text: string) => unknown;
}

const parseAnyTexts = pg.types.getTypeParser(TEXT_ARRAY as number, 'text') as (text: string) => (string | null)[];

/** Quotes are seldom needed, and what has none is much cheaper to read. */
function parseTexts(text: string): (string | null)[] {
  return text.includes('"') ? parseAnyTexts(text) : parsePlainList(text, (one) => one);
}

/** A list of one dimension, whose elements hold no comma, quote or backslash; they may stand in quotes. */
function parsePlainList<T>(text: string, parse: (one: string) => T): (T | null)[] {
  if (text === '{}') return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((one) => {
      if (one === 'NULL') return null;
      return parse(one.startsWith('"') ? one.slice(1, -1) : one);
    });
}

const parseNewInstant = pg.types.getTypeParser(TIMESTAMPTZ, 'text') as (text: string) => unknown;
const instants = new Map<string, unknown>();

/** Messages of one batch were often published, and are always leased, in the same instant: it is read once. */
function parseInstant(text: string): unknown {
  const known = instants.get(text);
  if (known !== undefined) return known;
  if (instants.size === INSTANTS_MAX) instants.clear();
  const instant = parseNewInstant(text);
  instants.set(text, instant);
  return instant;
}
