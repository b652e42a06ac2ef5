// Hot calls: executions of prepared statements, as submittables that pg's client runs like a
// cursor. pg's own query describes the rows of a prepared statement anew each time and copies its
// settings. This asks for the description once per connection, because the rows of a prepared
// statement cannot change: PostgreSQL refuses to run it then. It leans on inner members of pg's
// connection (`PgConnection` below), so package.json pins pg to a minor version.

import type pg from 'pg';
import { encodeParameter } from './parameters.ts';
import type { Pooler } from './session.ts';
import type { TypeParser } from './types.ts';

/** A static statement, prepared once per connection under its name. */
export interface HotStatement {
  readonly name: string;
  readonly text: string;
  /** Of columns that are read otherwise than their type says, by name. */
  readonly readers?: ColumnReaders;
}

export type ColumnReaders = Readonly<Record<string, (text: string) => unknown>>;

/** Runs a hot statement on a client. */
export type RunHot = (client: pg.PoolClient, statement: HotStatement, values: readonly unknown[]) => Promise<Row[]>;

type Row = Record<string, unknown>;
type Callback = (error: Error | null, rows?: Row[]) => void;

/** How to read the columns of a statement's rows. */
interface Shape {
  readonly names: readonly string[];
  readonly parsers: readonly ((text: string) => unknown)[];
  /** A row with every field in its place. */
  readonly empty: Row;
}

/** The shapes of the statements that a connection has described, by the statement's name. */
type Shapes = WeakMap<PgConnection, Map<string, Shape>>;

/** The members of pg's connection that are used here. */
interface PgConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts by name, as far as the server knows them. */
  readonly parsedStatements: Record<string, string | undefined>;
  parse(statement: HotStatement): void;
  bind(to: { statement: string; values: readonly unknown[] }): void;
  describe(what: { type: 'P'; name: string }): void;
  execute(what: object): void;
  sync(): void;
}

interface RowDescription {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

interface HotCallOptions {
  readonly statement: HotStatement;
  readonly values: readonly unknown[];
  /** Whether the statement stays prepared on its connection, under its name. */
  readonly isKept: boolean;
  readonly parserOf: TypeParser;
  readonly shapes: Shapes;
  readonly callback: Callback;
}

/**
 * The parsers are those that the clients were made with. Behind a transaction pooler a statement is
 * prepared anew each time and without a name: the next transaction may have another session.
 */
export function createHotRunner(parserOf: TypeParser, pooler: Pooler = 'none'): RunHot {
  const shapes: Shapes = new WeakMap();
  return function runHot(client, statement, values) {
    return new Promise((resolve, reject) => {
      const callback: Callback = (error, rows) => {
        if (error === null) resolve(rows ?? []);
        else reject(error);
      };
      const isKept = pooler === 'none';
      client.query(new HotCall({ statement, values, isKept, parserOf, shapes, callback }));
    });
  };
}

/** The names of its methods are those that pg's client calls. */
class HotCall implements pg.Submittable {
  readonly name: string;
  readonly text: string;
  /** pg replaces it by one that ends its timer. */
  callback: Callback;
  readonly #options: HotCallOptions;
  readonly #rows: Row[] = [];
  #connection: PgConnection | null = null;
  #shape: Shape | null = null;
  #fault: Error | null = null;

  constructor(options: HotCallOptions) {
    this.name = options.isKept ? options.statement.name : '';
    this.text = options.statement.text;
    this.callback = options.callback;
    this.#options = options;
  }

  /** Returns the error of a call that was not sent. */
  submit(pgConnection: pg.Connection): Error | null {
    const { values, shapes, isKept } = this.#options;
    const connection = pgConnection as unknown as PgConnection;
    this.#connection = connection;
    const isPrepared = isKept && connection.parsedStatements[this.name] !== undefined;
    this.#shape = (isPrepared && shapes.get(connection)?.get(this.name)) || null;
    let encoded: readonly unknown[];
    try {
      encoded = values.map(encodeParameter);
    } catch (error) {
      return error as Error;
    }
    connection.stream.cork();
    if (!isPrepared) connection.parse({ name: this.name, text: this.text });
    connection.bind({ statement: this.name, values: encoded });
    if (this.#shape === null) connection.describe({ type: 'P', name: '' });
    connection.execute({});
    connection.sync();
    connection.stream.uncork();
    return null;
  }

  handleRowDescription({ fields }: RowDescription): void {
    const { statement, isKept, parserOf, shapes } = this.#options;
    const names = fields.map(({ name }) => name);
    this.#shape = {
      names,
      parsers: fields.map(({ name, dataTypeID }) => statement.readers?.[name] ?? parserOf(dataTypeID)),
      empty: Object.fromEntries(names.map((name) => [name, null])),
    };
    if (this.#connection === null || !isKept) return;
    const known = shapes.get(this.#connection);
    if (known === undefined) shapes.set(this.#connection, new Map([[this.name, this.#shape]]));
    else known.set(this.name, this.#shape);
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this.#shape === null || this.#fault !== null) return;
    const { names, parsers, empty } = this.#shape;
    const row = { ...empty };
    try {
      for (let i = 0; i < names.length; i += 1) {
        const text = fields[i];
        if (text !== null && text !== undefined) row[names[i] as string] = parsers[i]?.(text);
      }
      this.#rows.push(row);
    } catch (error) {
      this.#fault = error as Error;
    }
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#fault, this.#rows);
  }

  handleError(error: Error): void {
    this.callback(error);
  }
}
