// Names of fields on the wire: snake_case, and paths such as `messages[3].body`.

const NAME_CHARACTERS_MAX = 64;

/** The subscription's back-off stands in an object of its own on the wire. */
const nested: Readonly<Record<string, readonly string[]>> = {
  minBackoffSeconds: ['retry', 'min_backoff_seconds'],
  maxBackoffSeconds: ['retry', 'max_backoff_seconds'],
};

export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Where the wire has the field that the domain knows by this path. */
export function wirePath(path: readonly (string | number)[]): string {
  return describePath(path.flatMap((part) => (typeof part === 'number' ? [part] : wireNames(part))));
}

function wireNames(name: string): readonly (string | number)[] {
  return nested[name] ?? [toSnakeCase(name)];
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
