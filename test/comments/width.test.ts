// The comment lint finds what is too wide, and takes no string and no code for a comment.

import { expect, test } from 'vitest';
import { COLUMNS_MAX, findBreaches } from './width.ts';

const WIDE = 'x'.repeat(COLUMNS_MAX);

function linesOf(path: string, text: string): number[] {
  return findBreaches(path, text).map(({ line }) => line);
}

test('a comment of 100 columns is allowed, one of 101 is not', () => {
  expect(linesOf('test/a.ts', `// ${WIDE.slice(3)}\n`)).toEqual([]);
  expect(linesOf('test/a.ts', `// ${WIDE.slice(2)}\n`)).toEqual([1]);
});

test('the line is named, in every kind of comment', () => {
  const text = `const a = 1; // ${WIDE}\n/** ${WIDE} */\nfunction f() {\n  /*\n   * ${WIDE}\n   */\n}\n// ${WIDE}\n`;
  expect(linesOf('test/a.ts', text)).toEqual([1, 2, 5, 8]);
});

test('strings and code are as wide as the formatter lets them be', () => {
  expect(linesOf('test/a.ts', `const a = '// ${WIDE}';\nconst b = \`\n// ${WIDE}\n\`;\n`)).toEqual([]);
});

test('SQL is held to the same width', () => {
  expect(linesOf('migrations/a.sql', `select 1;\n  -- ${WIDE}\nselect '${WIDE}';\n`)).toEqual([2]);
});

test('a source file begins with a comment', () => {
  expect(linesOf('src/a.ts', 'export const a = 1;\n')).toEqual([1]);
  expect(linesOf('src/a.ts', '// A constant.\nexport const a = 1;\n')).toEqual([]);
  expect(linesOf('test/a.ts', 'export const a = 1;\n')).toEqual([]);
});
