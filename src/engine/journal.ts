// The journal of administrative acts: one log line for each when it is done, and reading it page by
// page.

import type { JournalScopes, Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import type { Actor, JournalAction, JournalEntry, JournalSubject } from '../domain/journal.ts';
import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';
import type { Recorded } from '../store/journal.ts';

const CURSOR = 'journal ';
const CURSOR_TEXT = /^journal (\d{1,16})$/;

/** Of a request that changes something: who asks, and with which key. */
export interface ActRequest {
  readonly caller: Principal;
  /** Absent or null: the admin key. */
  readonly keyId?: string | null | undefined;
}

export interface JournalQuery {
  readonly limit: number;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly scopes: JournalScopes;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
  readonly actedBy?: Principal | undefined;
  readonly subject?: JournalSubject | undefined;
  readonly action?: JournalAction | undefined;
  /** Of a topic or subscription, or the client of a key. */
  readonly name?: string | undefined;
}

export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  /** Where to read on, also after the last page: later acts come after it. */
  readonly next: string;
  readonly hasMore: boolean;
}

export interface JournalVerbs {
  /** In the order of the acts. Throws `invalid_request` for a cursor of another list. */
  listJournal(query: JournalQuery): Promise<JournalPage>;
}

export function createJournal(store: Store): JournalVerbs {
  async function listJournal({ limit, scopes, ...query }: JournalQuery): Promise<JournalPage> {
    const after = query.after === undefined ? 0 : parseCursor(query.after);
    const found = await store.journal.list({
      after,
      limit: limit + 1,
      scopes,
      from: query.from ?? null,
      until: query.until ?? null,
      actedBy: query.actedBy ?? null,
      subject: query.subject ?? null,
      action: query.action ?? null,
      name: query.name ?? null,
    });
    const entries = found.slice(0, limit);
    return { entries, next: formatCursor(entries.at(-1)?.entryNo ?? after), hasMore: found.length > limit };
  }

  return { listJournal };
}

/** Opaque to callers. */
function formatCursor(entryNo: number): string {
  return Buffer.from(`${CURSOR}${entryNo}`).toString('base64url');
}

function parseCursor(cursor: string): number {
  const [, digits] = CURSOR_TEXT.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  const entryNo = Number(digits);
  if (Number.isSafeInteger(entryNo) && formatCursor(entryNo) === cursor) return entryNo;
  throw new WillcallError('invalid_request', { fields: [{ path: ['after'], rule: 'cursor' }] });
}

export function actorOf({ caller, keyId }: ActRequest): Actor {
  return { principal: caller, keyId: keyId ?? null };
}

/** Logs each act, which is in the journal by then, and gives what was made. */
export function logActs<Value>(logger: Logger, actor: Actor, { value, acts }: Recorded<Value>): Value {
  for (const { subject, action, name, subjectId, topic, before, after } of acts) {
    const names = { name, ...(subjectId !== null && { id: subjectId }), ...(topic !== null && { topic }) };
    logger.info(
      { act: `${subject}.${action}`, ...names, by: actor.principal, keyId: actor.keyId, before, after },
      'an administrative act',
    );
  }
  return value;
}
