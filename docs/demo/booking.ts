// What a vendor's own system does with a document, in small: it decodes it, finds the sender's
// reference and checks the sums. No more XML than that: the demo is about the transport.

/** A document that this system took over; `reference` is its own transaction number. */
export interface Booked {
  readonly booked: true;
  readonly reference: string;
  readonly document: string;
}

/** A document that this system cannot take over, in its own words. */
export interface Refused {
  readonly booked: false;
  readonly code: string;
  readonly message: string;
}

/** Books one document, or says why not. `prefix` marks the vendor's transaction numbers. */
export function book(body: Buffer, prefix: string): Booked | Refused {
  const text = decode(body);
  const document = /<([A-Za-z]+)\s+xmlns="[^"]*?(?:xsd:)?([\w.-]+)"/.exec(text)?.[2] ?? 'unknown';
  const sendersId = /<(?:MsgId|cbc:ID)>([^<]+)</.exec(text)?.[1];
  if (sendersId === undefined) {
    return { booked: false, code: 'NO_IDENTIFIER', message: 'The document names itself nowhere.' };
  }
  const total = sumCents(text, /<TtlNtries>\s*<NbOfNtries>\d+<\/NbOfNtries>\s*<Sum>([\d.]+)</g);
  const entries = sumCents(text, /<NtryRef>[^<]*<\/NtryRef>\s*<Amt Ccy="[A-Z]{3}">([\d.]+)</g);
  if (document.startsWith('camt.054') && total !== entries) {
    const message = `Total ${euros(total)}, but the entries add up to ${euros(entries)}.`;
    return { booked: false, code: 'CONTROL_SUM', message };
  }
  return { booked: true, reference: `${prefix}-${sendersId}`, document };
}

/**
 * Decodes as the byte order mark or the prolog says (XML 1.0, appendix F), which the transport left
 * alone.
 */
function decode(body: Buffer): string {
  if (body[0] === 0xff && body[1] === 0xfe) return new TextDecoder('utf-16le').decode(body);
  const declared = /encoding="([^"]+)"/.exec(body.subarray(0, 100).toString('latin1'))?.[1];
  return new TextDecoder(declared ?? 'utf-8').decode(body);
}

function sumCents(text: string, amounts: RegExp): number {
  return [...text.matchAll(amounts)].reduce((sum, match) => sum + Math.round(Number(match[1]) * 100), 0);
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
