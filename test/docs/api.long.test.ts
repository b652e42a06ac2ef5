// Every example of the API's guide is run in bash with curl, as a reader would.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Desk, openDesk, readBashBlocks, readDocument, startMs } from './pasting.ts';

const description = await readDocument('docs/api/README.md');
const [preamble = '', ...blocks] = readBashBlocks(description);
/** What deletes comes last, from the bottom of the page to its top. */
const examples = [...blocks.filter((block) => !isDelete(block)), ...blocks.filter(isDelete).reverse()].map((block) => ({
  call: `${/-X (\w+)/.exec(block)?.[1] ?? (block.includes(' -d') ? 'POST' : 'GET')} ${/WILLCALL([^"?]+)/.exec(block)?.[1]}`,
  block,
}));

let desk: Desk;

beforeAll(async () => {
  desk = await openDesk();
}, startMs);

afterAll(() => desk?.stop(), startMs);

/**
 * The page's id of a key is nobody's: the examples that follow use that of the key which was made.
 */
const documentedKeyId = /wk_[0-9a-f]{20}/g;
let keyId: string | undefined;

function isDelete(block: string): boolean {
  return block.includes('-X DELETE');
}

/** What the page says of the example's call: the settle calls use a receipt that is nobody's. */
function expectedStatus(example: string): string {
  if (isDelete(example)) return '204';
  if (/\/(acknowledge|release|extend|reject)"/.test(example)) return '409';
  return example.includes('-X PUT') || /\/(messages(\/raw)?|keys)"/.test(example) ? '201' : '200';
}

describe('the description of the API', () => {
  // In the order of the page, since each builds on what went before.
  it.each(examples)('has an example that works: $call', async ({ block }) => {
    const once = block
      // The last call is the one that the example is about.
      .replace(/curl -sS(?![\s\S]*curl -sS)/, 'curl -sS -o answer -w "%{http_code}\\n"')
      .replace(' -o message.xml', '')
      .replace(documentedKeyId, (id) => keyId ?? id)
      .replace('"wait_seconds": 30', '"wait_seconds": 0, "visibility_timeout_seconds": 1');
    const output = await desk.paste(`${preamble}${once}`);
    const answer = await readFile(path.join(desk.folder, 'answer'), 'utf8').catch(() => '');
    expect(output.trim().split('\n').at(-1), answer).toBe(expectedStatus(block));
    keyId ??= /"key":"(wk_[0-9a-f]{20})_/.exec(answer)?.[1];
  });
});
