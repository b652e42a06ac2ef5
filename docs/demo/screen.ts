// What the demo prints: chapters, requests and answers, proven claims, tables. Fits 100 columns;
// colours only on a terminal. Bodies are shortened for the eye, never on the wire.

import { outline } from './outline.ts';

const WIDTH = 100;
const codes = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', blue: '34', cyan: '36' } as const;
export type Colour = keyof typeof codes;

/** One line of a table: a cell per column. */
export type Row = readonly (string | number)[];

export interface Screen {
  chapter(title: string): void;
  /** A sentence of the story, wrapped. */
  say(text: string): void;
  request(who: string, line: string, body: unknown): void;
  answer(status: string, ok: boolean, body: unknown): void;
  /** Something that was verified. */
  proven(claim: string): void;
  failed(claim: string): void;
  /** Lines as they are, however wide. */
  verbatim(lines: readonly string[]): void;
  table(columns: readonly string[], rows: readonly Row[]): void;
}

/** Prints to the given stream; `columns` beyond 100 are not used. */
export function createScreen(stream: NodeJS.WriteStream): Screen {
  const paint = (colour: Colour, text: string) => (stream.isTTY ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text);
  let last = '';
  const print = (line: string) => {
    last = line;
    stream.write(`${line}\n`);
  };
  /** Sets what follows apart from what was printed before. */
  const part = () => {
    if (last !== '') print('');
  };
  const body = (value: unknown) => {
    if (value === undefined) return;
    for (const line of outline(value, WIDTH - 4)) print(paint('dim', `    ${line}`));
  };
  let chapters = 0;

  return {
    chapter(title) {
      chapters += 1;
      const heading = `── ${chapters}. ${title} `;
      part();
      print(paint('bold', heading.padEnd(WIDTH, '─')));
      print('');
    },
    say(text) {
      part();
      for (const line of wrap(text, WIDTH)) print(line);
      print('');
    },
    request(who, line, value) {
      part();
      print(`${paint('cyan', '→')} ${paint('bold', line)}${who === '' ? '' : paint('dim', `   (${who})`)}`);
      body(value);
    },
    answer(status, ok, value) {
      print(`${paint(ok ? 'green' : 'yellow', '←')} ${paint(ok ? 'green' : 'yellow', status)}`);
      body(value);
      print('');
    },
    proven(claim) {
      for (const [index, line] of wrap(claim, WIDTH - 2).entries()) {
        print(index === 0 ? `${paint('green', '✓')} ${line}` : `  ${line}`);
      }
    },
    failed(claim) {
      part();
      print(`${paint('red', '✗')} ${claim}`);
    },
    verbatim(lines) {
      for (const line of lines) print(line);
    },
    table(columns, rows) {
      const widths = columns.map((column, at) => Math.max(column.length, ...rows.map((row) => `${row[at]}`.length)));
      const line = (cells: Row) =>
        cells
          .map((cell, at) =>
            typeof cell === 'number' ? `${cell}`.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
          )
          .join('  ')
          .trimEnd();
      print(`  ${paint('bold', line(columns))}`);
      print(`  ${widths.map((width) => '─'.repeat(width)).join('  ')}`);
      for (const row of rows) print(`  ${line(row)}`);
      print('');
    },
  };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
