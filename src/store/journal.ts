// The journal: entries are added in the transaction of their act, and read page by page.

import { type Kysely, type SqlBool, sql } from 'kysely';
import type { JournalScopes } from '../domain/access.ts';
import type { Act, Actor, JournalAction, JournalEntry, JournalSubject, JournalValues } from '../domain/journal.ts';
import { isInScopes } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import type { Tables } from './postgres/tables.ts';

/** An act on a noun that may not be as its actor expects; `judge` throws where it is not. */
export interface JudgedAct<Noun> {
  readonly actor: Actor;
  readonly judge: (current: Noun) => void;
}

/** What an act made, and what it entered into the journal. */
export interface Recorded<Value> {
  readonly value: Value;
  readonly acts: readonly Act[];
}

export interface JournalFilter {
  readonly after: number;
  readonly limit: number;
  readonly scopes: JournalScopes;
  /** Inclusive. */
  readonly from: Date | null;
  /** Exclusive. */
  readonly until: Date | null;
  readonly actedBy: string | null;
  readonly subject: JournalSubject | null;
  readonly action: JournalAction | null;
  readonly name: string | null;
}

const columns = [
  'entryNo',
  'actedAt',
  'actedBy',
  'keyId',
  'subject',
  'action',
  'name',
  'subjectId',
  'topic',
  'before',
  'after',
] as const satisfies (keyof JournalEntry)[];

/** Enters the acts; to be called last in their transaction. */
export async function record<Value>(
  trx: Kysely<Tables>,
  { schema }: Pick<Db, 'schema'>,
  actor: Actor,
  recorded: Recorded<Value>,
): Promise<Recorded<Value>> {
  if (recorded.acts.length === 0) return recorded;
  const entries = JSON.stringify(recorded.acts.map(toRow));
  await sql`select ${sql.id(schema, 'append_journal')}(
    ${actor.principal}::text, ${actor.keyId}::text, ${entries}::jsonb
  )`.execute(trx);
  return recorded;
}

export type JournalStore = ReturnType<typeof createJournalStore>;

export function createJournalStore(db: Db) {
  /** In order of entryNo. */
  function list({ after, limit, scopes, ...filter }: JournalFilter): Promise<JournalEntry[]> {
    const { from, until, actedBy, subject, action, name } = filter;
    return db.run(async (kysely) => {
      const rows = await kysely
        .selectFrom('journal')
        .select(columns)
        .where('entryNo', '>', after)
        .where((eb) =>
          eb.or([
            eb.and([eb('subject', '=', 'topic'), isInScopes(eb, 'journal.name', scopes.topics)]),
            eb.and([eb('subject', '=', 'subscription'), isInScopes(eb, 'journal.name', scopes.subscriptions)]),
            eb.and([eb('subject', '=', 'key'), sql<SqlBool>`${scopes.keys}`]),
          ]),
        )
        .$if(from !== null, (query) => query.where('actedAt', '>=', from))
        .$if(until !== null, (query) => query.where('actedAt', '<', until))
        .$if(actedBy !== null, (query) => query.where('actedBy', '=', actedBy))
        .$if(subject !== null, (query) => query.where('subject', '=', subject))
        .$if(action !== null, (query) => query.where('action', '=', action))
        .$if(name !== null, (query) => query.where('name', '=', name))
        .orderBy('entryNo')
        .limit(limit)
        .execute();
      return rows.map(({ before, after: now, ...row }) => ({
        ...row,
        before: renameAll(before, toDomainName),
        after: renameAll(now, toDomainName),
      }));
    });
  }

  return { list };
}

function toRow({ subjectId, before, after, ...act }: Act) {
  return {
    ...act,
    subject_id: subjectId,
    before: renameAll(before, toColumnName),
    after: renameAll(after, toColumnName),
  };
}

function renameAll(values: JournalValues | null, rename: (name: string) => string): JournalValues | null {
  if (values === null) return null;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), value]));
}

function toColumnName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function toDomainName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
