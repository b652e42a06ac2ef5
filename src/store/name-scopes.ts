// Scopes of a list as a condition: whole names, and beginnings of names.

import type { ExpressionBuilder, ExpressionWrapper, SqlBool } from 'kysely';
import { sql } from 'kysely';
import type { Tables } from './postgres/tables.ts';

/** One page of a list by name: at most `limit` rows, from the first one after `after`. */
export interface NamePage {
  readonly after: string;
  readonly limit: number;
  /** Each a whole name, or the beginning of names and `*`; without any the page is empty. */
  readonly scopes: readonly string[];
}

/** True where one of the scopes covers the name, compared byte by byte. */
export function isInScopes<Table extends keyof Tables>(
  eb: ExpressionBuilder<Tables, Table>,
  column: 'topic.name' | 'subscription.name' | 'journal.name',
  scopes: readonly string[],
): ExpressionWrapper<Tables, Table, SqlBool> {
  const name = sql.ref<string>(column);
  return eb.or(
    scopes.map((scope) =>
      scope.endsWith('*')
        ? sql<SqlBool>`starts_with(${name}, ${scope.slice(0, -1)})`
        : sql<SqlBool>`${name} = ${scope}`,
    ),
  );
}
