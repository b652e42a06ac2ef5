// Function deployment: brings functions to the texts in migrations/functions, and the grants.
// The table function_text keeps each text's sha256. All texts that changed are replaced in one
// transaction, so that a concurrent caller sees either the old functions or the new ones, never a
// mixture. A function that keeps its signature stays the same object, so that instances which call
// it at that moment go on.

import type { Client } from 'pg';
import { codeOf, lineOf, MigrationError, messageOf } from './migration-error.ts';
import type { FunctionFile, MigrationFiles, SqlFile } from './migration-files.ts';

/** Which texts were applied and which files had disappeared, by their names below migrations/. */
export interface FunctionReport {
  applied: string[];
  dropped: string[];
}

interface KnownText {
  name: string;
  sha256: string;
  defines: string[];
}

/**
 * Applies every function file whose text changed, drops what a vanished file had defined, and
 * applies the grants when their text or anything under them changed. The caller holds the migration
 * lock; `client` is outside a transaction.
 */
export async function applyFunctionTexts(
  client: Client,
  schema: string,
  files: Pick<MigrationFiles, 'functions' | 'grants'>,
  objectsChanged: boolean,
): Promise<FunctionReport> {
  const known = await readKnownTexts(client, schema);
  const changed = files.functions.filter((file) => known.get(file.name)?.sha256 !== file.sha256);
  const wanted = new Set([...files.functions, ...(files.grants ? [files.grants] : [])].map((file) => file.name));
  const vanished = [...known.values()].filter((text) => !wanted.has(text.name));
  const grants = files.grants;
  const grantsDue =
    grants !== undefined &&
    (objectsChanged || changed.length > 0 || vanished.length > 0 || known.get(grants.name)?.sha256 !== grants.sha256);
  if (changed.length === 0 && vanished.length === 0 && !grantsDue) return { applied: [], dropped: [] };

  const applied = grantsDue ? [...changed, grants] : changed;
  await inTransaction(client, async () => {
    const before = await listFunctions(client, schema, replacedFunctions(changed, vanished, known));
    // Functions call each other across files in any order, so bodies are checked once all exist.
    await client.query('set local check_function_bodies = off');
    for (const file of changed) await replaceFunctions(client, schema, file);
    await dropFunctions(client, await listUnchanged(client, before));
    await client.query('set local check_function_bodies = on');
    for (const file of changed) await applyText(client, { ...file, text: toReplacing(file.text) });
    if (grantsDue) await applyText(client, grants);
    await forgetTexts(client, schema, vanished);
    for (const file of applied) await recordText(client, schema, file);
  });
  return { applied: applied.map((file) => file.name), dropped: vanished.map((text) => text.name) };
}

/** What the changed files define now and defined before, and what the vanished ones defined. */
function replacedFunctions(changed: FunctionFile[], vanished: KnownText[], known: Map<string, KnownText>): string[] {
  const before = changed.flatMap((file) => known.get(file.name)?.defines ?? []);
  return [
    ...new Set([...changed.flatMap((file) => file.defines), ...before, ...vanished.flatMap((text) => text.defines)]),
  ];
}

async function readKnownTexts(client: Client, schema: string): Promise<Map<string, KnownText>> {
  await client.query(
    `create table if not exists "${schema}".function_text (
       name text constraint function_text_pkey primary key,
       sha256 text not null,
       defines text[] not null,
       applied_at timestamptz not null
     )`,
  );
  const { rows } = await client.query<KnownText>(`select name, sha256, defines from "${schema}".function_text`);
  return new Map(rows.map((row) => [row.name, row]));
}

interface Version {
  readonly signature: string;
  /** A replaced function keeps its oid and gets another place. */
  readonly oid: string;
  readonly place: string;
}

async function listFunctions(client: Client, schema: string, names: string[]): Promise<Version[]> {
  const { rows } = await client.query<Version>(
    `select p.oid::regprocedure::text as signature, p.oid::bigint::text as oid, p.ctid::text as place
       from pg_proc p
       join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = $1
        and p.proname = any ($2)
        and p.prokind = 'f'`,
    [schema, names],
  );
  return rows;
}

/** Functions that no new text has replaced: their file vanished, or their arguments changed. */
async function listUnchanged(client: Client, before: Version[]): Promise<string[]> {
  const { rows } = await client.query<{ signature: string }>(
    `select p.oid::regprocedure::text as signature
       from pg_proc p
       join unnest($1::bigint[], $2::text[]) b (oid, place) on p.oid = b.oid::oid and p.ctid::text = b.place`,
    [before.map(({ oid }) => oid), before.map(({ place }) => place)],
  );
  return rows.map(({ signature }) => signature);
}

async function dropFunctions(client: Client, signatures: string[]): Promise<void> {
  for (const signature of signatures) {
    try {
      await client.query(`drop function ${signature}`);
    } catch (error) {
      throw new MigrationError(
        `The function ${signature} could not be replaced: ${messageOf(error)}. Drop what depends on it and start again.`,
        { cause: error },
      );
    }
  }
}

/** A function's result type and argument names cannot be replaced: then it is made anew. */
const INVALID_FUNCTION_DEFINITION = '42P13';

async function replaceFunctions(client: Client, schema: string, file: FunctionFile): Promise<void> {
  const replacing = toReplacing(file.text);
  await client.query('savepoint text');
  try {
    await client.query(replacing);
    await client.query('release savepoint text');
  } catch (error) {
    await client.query('rollback to savepoint text');
    if (codeOf(error) !== INVALID_FUNCTION_DEFINITION) throw toMigrationError(error, { ...file, text: replacing });
    const old = await listFunctions(client, schema, file.defines);
    await dropFunctions(
      client,
      old.map(({ signature }) => signature),
    );
    await applyText(client, file);
  }
}

function toReplacing(text: string): string {
  return text.replace(/^(\s*create)(?=\s+function\s)/gim, '$1 or replace');
}

async function applyText(client: Client, file: SqlFile): Promise<void> {
  try {
    await client.query(file.text);
  } catch (error) {
    throw toMigrationError(error, file);
  }
}

function toMigrationError(error: unknown, file: SqlFile): MigrationError {
  const line = lineOf(error, file.text);
  const place = line === undefined ? '' : `, line ${line}`;
  return new MigrationError(`migrations/${file.name}${place} failed: ${messageOf(error)}. Nothing of it was kept.`, {
    cause: error,
  });
}

async function recordText(client: Client, schema: string, file: SqlFile | FunctionFile): Promise<void> {
  await client.query(
    `insert into "${schema}".function_text (name, sha256, defines, applied_at)
     values ($1, $2, $3, clock_timestamp())
     on conflict (name) do update
        set sha256 = excluded.sha256,
            defines = excluded.defines,
            applied_at = excluded.applied_at`,
    [file.name, file.sha256, 'defines' in file ? file.defines : []],
  );
}

async function forgetTexts(client: Client, schema: string, texts: KnownText[]): Promise<void> {
  await client.query(`delete from "${schema}".function_text where name = any ($1)`, [texts.map((text) => text.name)]);
}

async function inTransaction(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin');
  try {
    await work();
    await client.query('commit');
  } catch (error) {
    // On a broken connection there is nothing to roll back; the first error is the one to report.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}
