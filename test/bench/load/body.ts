// The document that every benchmark message carries: XML-like, so that it has what JSON must escape (quotes, line ends)
// and characters of more than one byte, and always the same, so that every receiver can check what it was given.

const OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<Notification>\n';
const CLOSING = '</Notification>\n';

/** An XML document of exactly that many bytes of UTF-8; at least 200. */
export function makeBody(bytes: number): string {
  let inner = '';
  for (let line = 1; ; line += 1) {
    const entry = `  <Entry no="${line}" currency="EUR"><Amount>${(line * 7919) % 100_000}.00</Amount><Name>Zürich</Name></Entry>\n`;
    if (Buffer.byteLength(OPENING + inner + entry + CLOSING) > bytes - '<!---->\n'.length) {
      break;
    }
    inner += entry;
  }
  const missing = bytes - Buffer.byteLength(`${OPENING}${inner}<!---->\n${CLOSING}`);
  return `${OPENING}${inner}<!--${'.'.repeat(missing)}-->\n${CLOSING}`;
}
