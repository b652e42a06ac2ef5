// Type parsers: how values of PostgreSQL's types are read, mostly as pg reads them.

import pg from 'pg';
import { readInstant } from '../../domain/instant.ts';

const INT8 = 20;
const INT4_ARRAY = 1007;
const INT8_ARRAY = 1016;
const TEXT_ARRAY = 1009;
const TIMESTAMPTZ = 1184;
const TIMESTAMPTZ_ARRAY = 1185;

/** How many instants are remembered by their text. */
const INSTANTS_MAX = 16;

type Parser<T> = (text: string) => T;

/** Gives the parser of a type, by the type's number (oid). */
export type TypeParser = (oid: number) => Parser<unknown>;

/**
 * Makes the type parsers of one store. 64-bit integers are read as numbers: sequences and counts
 * stay far below 2^53.
 */
export function createTypeParser(): TypeParser {
  const parseInstant = createInstantParser();
  const parseTexts = createTextsParser();
  return function parserOf(oid) {
    if (oid === INT8) return Number;
    if (oid === TIMESTAMPTZ) return parseInstant;
    if (oid === INT4_ARRAY || oid === INT8_ARRAY) return (text) => parsePlainList(text, Number);
    if (oid === TIMESTAMPTZ_ARRAY) return (text) => parsePlainList(text, parseInstant);
    if (oid === TEXT_ARRAY) return parseTexts;
    return parserOfPg(oid);
  };
}

function parserOfPg(oid: number): Parser<unknown> {
  return pg.types.getTypeParser(oid, 'text') as Parser<unknown>;
}

/** Quotes are seldom needed, and a list without them is much cheaper to read. */
function createTextsParser(): Parser<unknown> {
  const parseQuoted = parserOfPg(TEXT_ARRAY);
  return (text) => (text.includes('"') ? parseQuoted(text) : parsePlainList(text, (item) => item));
}

/** A list of one dimension whose items hold no comma, quote or backslash; items may be quoted. */
function parsePlainList<T>(text: string, parse: Parser<T>): (T | null)[] {
  if (text === '{}') return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((item) => {
      if (item === 'NULL') return null;
      return parse(item.startsWith('"') ? item.slice(1, -1) : item);
    });
}

/** Messages of a batch were often published, and are always leased, at one instant: read once. */
function createInstantParser(): Parser<unknown> {
  const parseDate = parserOfPg(TIMESTAMPTZ) as Parser<Date>;
  const known = new Map<string, unknown>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size === INSTANTS_MAX) known.clear();
    // 'infinity' is no date.
    const instant = /^\d/.test(text) ? readInstant(text, parseDate) : parseDate(text);
    known.set(text, instant);
    return instant;
  };
}
