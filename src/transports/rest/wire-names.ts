// Names of fields on the wire: snake_case, and paths such as `messages[3].body`.

const NAME_CHARACTERS_MAX = 64;

/** `retentionSeconds` to `retention_seconds`. */
export type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : '';

/** `retention_seconds` to `retentionSeconds`. */
export type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function toCamelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `messages[3].body`; a key that is no plain word stands in brackets, as in `attributes["a b"]`. */
export function describePath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(String(part))) text += (text === '' ? '' : '.') + shorten(String(part));
    else text += `[${JSON.stringify(shorten(String(part)))}]`;
  }
  return text === '' ? 'request' : text;
}

/** What a client sent as a name may be long. */
export function shorten(name: string): string {
  return name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX)}…` : name;
}
