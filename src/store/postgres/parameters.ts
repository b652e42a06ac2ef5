// Parameter encoding of hot statements, as PostgreSQL's text format. Their arrays are long and
// mostly of numbers, which need no quotes.

/** Encodes one parameter. Throws for an array item of a type that no hot statement passes. */
export function encodeParameter(value: unknown): unknown {
  if (Array.isArray(value)) return encodeList(value);
  if (value instanceof Date) return value.toISOString();
  if (value === null || value === undefined || Buffer.isBuffer(value)) return value;
  return String(value);
}

function encodeList(list: readonly unknown[]): string {
  let text = '{';
  for (let i = 0; i < list.length; i += 1) {
    if (i > 0) text += ',';
    text += encodeItem(list[i]);
  }
  return `${text}}`;
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function encodeItem(item: unknown): string {
  if (item === null || item === undefined) return 'NULL';
  switch (typeof item) {
    case 'number':
    case 'bigint':
      return String(item);
    case 'string':
      return quote(item);
    default:
      if (item instanceof Date) return quote(item.toISOString());
      throw new TypeError(`a list cannot hold ${Object.prototype.toString.call(item)}`);
  }
}

function quote(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;
}
