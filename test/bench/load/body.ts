// The document that every benchmark message carries: XML-like, so that it has what JSON must escape
// (quotes, line ends) and characters of more than one byte, and always the same, so that every
// receiver can check what it was given.

const OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<Notification>\n';
const CLOSING = '</Notification>\n';

const FILLER_BYTES = Buffer.byteLength('<!---->\n');
/** Each connection asks for the same one. */
const made = new Map<number, string>();

/** An XML document of exactly that many bytes of UTF-8; at least 200. */
export function makeBody(bytes: number): string {
  const known = made.get(bytes) ?? composeBody(bytes);
  made.set(bytes, known);
  return known;
}

function composeBody(bytes: number): string {
  const entries: string[] = [];
  let length = Buffer.byteLength(OPENING + CLOSING) + FILLER_BYTES;
  for (let line = 1; ; line += 1) {
    const entry = `  <Entry no="${line}" currency="EUR"><Amount>${(line * 7919) % 100_000}.00</Amount><Name>Zürich</Name></Entry>\n`;
    length += Buffer.byteLength(entry);
    if (length > bytes) {
      length -= Buffer.byteLength(entry);
      break;
    }
    entries.push(entry);
  }
  return `${OPENING}${entries.join('')}<!--${'.'.repeat(bytes - length)}-->\n${CLOSING}`;
}
