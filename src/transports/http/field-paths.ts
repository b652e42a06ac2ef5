// Paths of fields in a request, as answers name them.

const NAME_CHARACTERS_MAX = 64;

/** `messages[3].body`; a key that is not a plain word stands in brackets: `attributes["a b"]`. */
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
