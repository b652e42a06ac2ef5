// How values of PostgreSQL's types are read: mostly as pg does it.

import pg from 'pg';

const INT8 = 20;
const INT8_ARRAY = 1016;
const TIMESTAMPTZ = 1184;

/** Of how many instants the text is remembered. */
const INSTANTS_MAX = 16;

/** The parser of a type, by its number; 64-bit integers come as numbers: sequences and counts stay far below 2^53. */
export function parserOf(oid: number): (text: string) => unknown {
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return parseInstant;
  const parser = pg.types.getTypeParser(oid, 'text') as (text: string) => unknown;
  if (oid === INT8_ARRAY) {
    return (text) => (parser(text) as (string | null)[]).map((one) => (one === null ? null : Number(one)));
  }
  return parser;
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
