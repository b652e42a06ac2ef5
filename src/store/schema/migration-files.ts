// Migration files: numbered migrations, function files and grants, as they lie in migrations/.
// They are written against the schema `willcall` and the role `willcall_runtime`; reading them puts
// the configured names in. Nothing here talks to a database.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, MigrationError } from './migration-error.ts';

/** The names to put into the texts. Both must have passed `checkName`. */
export interface SchemaNames {
  schema: string;
  runtimeRole: string;
}

/** One SQL text; `name` is its path below the migrations directory, with forward slashes. */
export interface SqlFile {
  name: string;
  text: string;
  sha256: string;
}

/**
 * A file of migrations/functions with the names, without the schema, of the functions that it
 * defines.
 */
export interface FunctionFile extends SqlFile {
  defines: string[];
}

/** Everything in a migrations directory, each list in file-name order. */
export interface MigrationFiles {
  migrations: SqlFile[];
  functions: FunctionFile[];
  grants: SqlFile | undefined;
}

const OWN_DIRECTORY = fileURLToPath(new URL('../../../migrations', import.meta.url));
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const MIGRATION_FILE = /^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.sql$/;
const GRANTS_FILE = 'grants.sql';

/** Returns the name if it needs no quotes as a schema or a role; else throws a MigrationError. */
export function checkName(what: string, name: string): string {
  if (!NAME.test(name)) {
    throw new MigrationError(
      `The ${what} name ${JSON.stringify(name)} cannot be used: choose one of at most 63 lower-case letters, digits ` +
        'and underscores that does not begin with a digit.',
    );
  }
  return name;
}

/** Reads a migrations directory (the product's own by default) with the configured names put in. */
export async function readMigrationFiles(names: SchemaNames, directory = OWN_DIRECTORY): Promise<MigrationFiles> {
  const top = await listSqlFiles(directory);
  const numbered = top.filter((name) => name !== GRANTS_FILE);
  checkNumbers(numbered);
  const functions = await listFunctionFiles(join(directory, 'functions'));
  return {
    migrations: await Promise.all(numbered.map((name) => readSqlFile(directory, name, names))),
    functions: checkDefinitions(
      await Promise.all(functions.map((name) => readFunctionFile(directory, `functions/${name}`, names))),
    ),
    grants: top.includes(GRANTS_FILE) ? await readSqlFile(directory, GRANTS_FILE, names) : undefined,
  };
}

/** The name by which a migration is recorded in the database: its file name without the ending. */
export function migrationName(file: SqlFile): string {
  return file.name.slice(0, -'.sql'.length);
}

/**
 * Puts the configured names where a text says `willcall.`, `schema willcall` or `willcall_runtime`,
 * in literals too.
 */
export function localize(text: string, { schema, runtimeRole }: SchemaNames): string {
  const inSchema =
    schema === 'willcall'
      ? text
      : text.replace(/(?<![\w$])willcall(?=\.)|(?<=\bschema\s+)willcall(?![\w$])/g, `"${schema}"`);
  return runtimeRole === 'willcall_runtime'
    ? inSchema
    : inSchema.replace(/(?<![\w$])willcall_runtime(?![\w$])/g, `"${runtimeRole}"`);
}

async function listSqlFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Function files lie in folders by subject; their names keep the folder, with a forward slash. */
async function listFunctionFiles(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory, { recursive: true });
    return names
      .filter((name) => name.endsWith('.sql'))
      .map((name) => name.replaceAll(sep, '/'))
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readSqlFile(directory: string, name: string, names: SchemaNames): Promise<SqlFile> {
  return toSqlFile(name, await readFile(join(directory, name), 'utf8'), names);
}

function toSqlFile(name: string, original: string, names: SchemaNames): SqlFile {
  const text = localize(original, names);
  return { name, text, sha256: createHash('sha256').update(text).digest('hex') };
}

async function readFunctionFile(directory: string, name: string, names: SchemaNames): Promise<FunctionFile> {
  const original = await readFile(join(directory, name), 'utf8');
  // The names are looked for before the schema's name is put in, so that one pattern serves every
  // schema.
  const found = original.matchAll(/^\s*create\s+(?:or\s+replace\s+)?function\s+willcall\.([a-z_][a-z0-9_]*)\s*\(/gim);
  const defines = [...new Set([...found].map((match) => (match[1] ?? '').toLowerCase()))];
  if (defines.length === 0) {
    throw new MigrationError(`migrations/${name} defines no function: begin one with "create function willcall.".`);
  }
  return { ...toSqlFile(name, original, names), defines };
}

function checkNumbers(names: string[]): void {
  const byNumber = new Map<string, string>();
  for (const name of names) {
    const number = MIGRATION_FILE.exec(name)?.[1];
    if (number === undefined) {
      throw new MigrationError(`migrations/${name} is not named like 0001-what-it-does.sql: rename it.`);
    }
    const other = byNumber.get(number);
    if (other !== undefined) {
      throw new MigrationError(
        `migrations/${other} and migrations/${name} have the same number: renumber the later one.`,
      );
    }
    byNumber.set(number, name);
  }
}

/**
 * Dropping a changed file's functions drops all their overloads, so one name must live in one file.
 */
function checkDefinitions(files: FunctionFile[]): FunctionFile[] {
  const definedIn = new Map<string, string>();
  for (const file of files) {
    for (const name of file.defines) {
      const other = definedIn.get(name);
      if (other !== undefined) {
        throw new MigrationError(
          `migrations/${other} and migrations/${file.name} both define ${name}: keep one of them.`,
        );
      }
      definedIn.set(name, file.name);
    }
  }
  return files;
}
