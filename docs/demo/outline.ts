// JSON for the eye: long texts and long lists are cut with a note of what is missing, lines are
// filled up to a width.

const TEXT_CHARACTERS = 80;
const START_CHARACTERS = 19;
const TOKEN_CHARACTERS = 44;
const LIST_ITEMS = 2;

/**
 * The value as lines no wider than `width`. A Buffer is shown as its first characters and its size.
 */
export function outline(value: unknown, width: number): string[] {
  const short = shorten(value);
  return render(short, width);
}

function shorten(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return new Bare(`${printable(value)}… (${value.length} bytes)`);
  if (typeof value === 'string') return cut(value);
  if (Array.isArray(value)) {
    const items = value.slice(0, LIST_ITEMS).map(shorten);
    return value.length > LIST_ITEMS ? [...items, new Bare(`… and ${value.length - LIST_ITEMS} more`)] : items;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shorten(inner)]));
  }
  return value;
}

/** Text that is printed without quotes. */
class Bare {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function cut(text: string): string {
  const flat = text.replace(/\s+/g, ' ');
  if (/^[\w.+/=-]+$/.test(flat) && flat.length >= TOKEN_CHARACTERS && flat.length <= 2 * TOKEN_CHARACTERS) {
    return `${flat.slice(0, 12)}…${flat.slice(-4)}`;
  }
  const isShort = flat.length <= TEXT_CHARACTERS && !flat.startsWith('<?xml');
  return isShort ? flat : `${flat.slice(0, START_CHARACTERS)}… (${text.length} characters)`;
}

function printable(bytes: Buffer): string {
  const start = bytes.subarray(0, START_CHARACTERS).toString('latin1');
  return start.replace(/[^\x20-\x7e]/g, '·');
}

function compact(value: unknown): string {
  if (value instanceof Bare) return value.text;
  if (Array.isArray(value)) return `[${value.map(compact).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `"${key}": ${compact(inner)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

function render(value: unknown, width: number): string[] {
  const whole = compact(value);
  if (whole.length <= width || typeof value !== 'object' || value === null || value instanceof Bare) return [whole];
  return Array.isArray(value) ? renderList(value, width) : renderObject(value, width);
}

function renderList(items: readonly unknown[], width: number): string[] {
  const lines = items.flatMap((item, at) => {
    const inner = render(item, width - 3);
    const last = inner.length - 1;
    return inner.map((line, row) => `  ${line}${row === last && at < items.length - 1 ? ',' : ''}`);
  });
  return ['[', ...lines, ']'];
}

function renderObject(value: object, width: number): string[] {
  const entries = Object.entries(value);
  const lines: string[] = [];
  let line = '{';
  for (const [at, [key, inner]] of entries.entries()) {
    const end = at < entries.length - 1 ? ',' : '}';
    const text = `"${key}": ${compact(inner)}${end}`;
    const gap = line === '{' || line === ' ' ? '' : ' ';
    if (line.length + gap.length + text.length <= width) {
      line += gap + text;
      continue;
    }
    if (line.trim() !== '' && line !== '{') {
      lines.push(line);
      line = ' ';
    }
    const room = Array.isArray(inner) ? width - 1 : width - key.length - 6;
    const [first = '', ...rest] = render(inner, room);
    const nested = rest.map((row) => ` ${row}`);
    const all = [`${line}"${key}": ${first}`, ...nested];
    all[all.length - 1] += end;
    lines.push(...all.slice(0, -1));
    line = all.at(-1) ?? ' ';
    if (rest.length > 0) {
      lines.push(line);
      line = ' ';
    }
  }
  return line.trim() === '' ? lines : [...lines, line];
}
