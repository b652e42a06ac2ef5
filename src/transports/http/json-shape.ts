// The shape of a JSON body before it is parsed: how deep it is nested, and how many items it has.
// JSON grows when it is parsed: 16 MiB of brackets, 16 KiB on the wire, become most of a GiB and
// block the process for seconds. The scan skips strings at the speed of a search and ends at the
// first excess.

import { limits } from '../../domain/limits.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const TOO_DEEP = `must be nested at most ${limits.jsonDepthMax} deep`;
const TOO_MANY = `must have at most ${limits.jsonItemsMax} lists, objects and items in them`;

export interface Shape {
  /** What keeps the body from being parsed; null when nothing does, be it JSON or not. */
  readonly fault: string | null;
  /** How many fields its objects have together; what is not JSON may have any number. */
  readonly fields: number;
}

export function scanShape(body: Buffer): Shape {
  let fields = 0;
  let depth = 0;
  let items = 0;
  for (let at = 0; at < body.length; at += 1) {
    switch (body[at]) {
      case QUOTE:
        at = findEndOfString(body, at);
        // The parser says what is wrong with it.
        if (at === -1) return { fault: null, fields };
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        depth += 1;
        items += 1;
        if (depth > limits.jsonDepthMax) return { fault: TOO_DEEP, fields };
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1;
        break;
      case COLON:
        fields += 1;
        break;
      case COMMA:
        items += 1;
        break;
    }
    if (items > limits.jsonItemsMax) return { fault: TOO_MANY, fields };
  }
  return { fault: null, fields };
}

/** Where the string that begins there ends; -1 when it does not. */
export function findEndOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(QUOTE, start + 1); at !== -1; at = body.indexOf(QUOTE, at + 1)) {
    let before = at;
    while (body[before - 1] === BACKSLASH) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
  return -1;
}
