// Fields that stand twice in a JSON object. JSON.parse keeps the last, other readers keep the
// first: what a proxy checked would not be what is done (RFC 8259, section 4). So such a body is
// refused.

import { findEndOfString } from './json-shape.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type Path = readonly (string | number)[];

/**
 * Where a field stands for the second time; null where none does. `value` is what the body was
 * parsed to: it has fewer fields than the body's text, `fields`, where one stood twice.
 */
export function findRepeatedField(body: Buffer, fields: number, value: unknown): Path | null {
  return countFields(value) === fields ? null : locateRepeatedField(body);
}

/** Bodies are nested at most `limits.jsonDepthMax` deep by now. */
function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let fields = 0;
  if (Array.isArray(value)) {
    for (const item of value) fields += countFields(item);
    return fields;
  }
  for (const item of Object.values(value)) fields += 1 + countFields(item);
  return fields;
}

/** Inside of an object the names that it has had, inside of a list null; and where we are in it. */
interface Level {
  readonly names: Set<string> | null;
  place: string | number;
}

function locateRepeatedField(body: Buffer): Path | null {
  const levels: Level[] = [];
  let string = '';
  for (let at = 0; at < body.length; at += 1) {
    const level = levels.at(-1);
    switch (body[at]) {
      case QUOTE: {
        const end = findEndOfString(body, at);
        string = body.toString('utf8', at, end + 1);
        at = end;
        break;
      }
      case COLON: {
        const name: string = JSON.parse(string);
        if (level === undefined) return null;
        level.place = name;
        if (level.names?.has(name) === true) return levels.map(({ place }) => place);
        level.names?.add(name);
        break;
      }
      case COMMA:
        if (typeof level?.place === 'number') level.place += 1;
        break;
      case OPEN_OBJECT:
        levels.push({ names: new Set(), place: '' });
        break;
      case OPEN_LIST:
        levels.push({ names: null, place: 0 });
        break;
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        levels.pop();
        break;
    }
  }
  return null;
}
