// Cursors of a ledger's lists: a place after which to read on, bound to one ledger.
// They are opaque to callers: base64url of the ledger's id, a dot, and a number.

const CURSOR = /^(sub_[0-9a-f]{32})\.(\d{1,16})$/;
const NUMBER = /^\d{1,16}$/;

export interface Cursor {
  /** The public id of the ledger; null for a plain number, which says nothing of it. */
  readonly ledger: string | null;
  /** The number of the last item that was read; 0 before the first. */
  readonly position: number;
}

export const startCursor: Cursor = { ledger: null, position: 0 };

export function formatCursor(ledger: string, position: number): string {
  return Buffer.from(`${ledger}.${position}`).toString('base64url');
}

/** Null for a text that is no cursor. A plain number is one, for callers that count themselves. */
export function parseCursor(text: string): Cursor | null {
  if (NUMBER.test(text)) return toCursor(null, text);
  const [, ledger, position] = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (ledger === undefined || position === undefined) return null;
  return formatCursor(ledger, Number(position)) === text ? toCursor(ledger, position) : null;
}

function toCursor(ledger: string | null, digits: string): Cursor | null {
  const position = Number(digits);
  return Number.isSafeInteger(position) ? { ledger, position } : null;
}
