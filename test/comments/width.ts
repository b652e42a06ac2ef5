// Comment lint: comments have at most 100 columns, and each file of src begins with one.
// The formatter does not wrap comments, so this is the only thing that holds them to a width.
// TypeScript is read by its own parser, so that a `//` in a string is no comment; SQL line by line.

import ts from 'typescript';

export const COLUMNS_MAX = 100;

/** A line that breaks a rule; `line` counts from 1. */
export interface Breach {
  line: number;
  rule: string;
}

/**
 * The breaches of one file, in order of their lines. `path` is relative to the repository's root.
 */
export function findBreaches(path: string, text: string): Breach[] {
  const lines = text.split('\n');
  const commented = path.endsWith('.sql') ? sqlCommentLines(lines) : typescriptCommentLines(text);
  const breaches = [...commented]
    .sort((first, second) => first - second)
    .filter((line) => (lines[line] ?? '').length > COLUMNS_MAX)
    .map((line) => ({
      line: line + 1,
      rule: `a comment has at most ${COLUMNS_MAX} columns, this line has ${(lines[line] ?? '').length}`,
    }));
  if (path.startsWith('src/') && !/^(\/\/|\/\*\*)/.test(lines[0] ?? ''))
    breaches.unshift({ line: 1, rule: 'the first line of a source file is a comment that says what it is' });
  return breaches;
}

/** Lines that a comment touches, counted from 0. */
function typescriptCommentLines(text: string): Set<number> {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, false);
  const touched = new Set<number>();
  function collect(ranges: readonly ts.CommentRange[] | undefined): void {
    for (const range of ranges ?? []) {
      const last = file.getLineAndCharacterOfPosition(range.end).line;
      for (let line = file.getLineAndCharacterOfPosition(range.pos).line; line <= last; line++) touched.add(line);
    }
  }
  function visit(node: ts.Node): void {
    if (ts.isTokenKind(node.kind) || node.getChildCount(file) === 0) {
      collect(ts.getLeadingCommentRanges(text, node.pos));
      collect(ts.getTrailingCommentRanges(text, node.end));
    }
    for (const child of node.getChildren(file)) visit(child);
  }
  visit(file);
  return touched;
}

function sqlCommentLines(lines: readonly string[]): Set<number> {
  return new Set([...lines.keys()].filter((line) => /(^|\s)--(\s|$)/.test(lines[line] ?? '')));
}
