// One execution of a hot statement, as something that pg's client can be given to run, like a cursor. pg's own query describes
// the rows of a prepared statement anew each time and copies its settings; this asks for the description once per
// connection, since the rows of a prepared statement cannot change (PostgreSQL refuses to run it then).

import type pg from 'pg';
import { encodeParameter } from './parameters.ts';

/** A static statement, prepared once per connection under its name. */
export interface HotStatement {
  readonly name: string;
  readonly text: string;
  /** Of columns that are read otherwise than their type says, by name. */
  readonly readers?: ColumnReaders;
}

export type ColumnReaders = Readonly<Record<string, (text: string) => unknown>>;

type Row = Record<string, unknown>;
type Callback = (error: Error | null, rows?: Row[]) => void;

/** How to read the columns of a statement's rows. */
interface Shape {
  readonly names: readonly string[];
  readonly parsers: readonly ((text: string) => unknown)[];
  /** A row with every field in its place. */
  readonly empty: Row;
}

/** What of pg's connection is used here. */
interface Connection {
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

/** By the number of a type. */
export type TypeParser = (oid: number) => (text: string) => unknown;

const shapes = new WeakMap<Connection, Map<string, Shape>>();

/** Runs the statement. The parsers are those that the client was made with. */
export function runHot(
  client: pg.PoolClient,
  statement: HotStatement,
  values: readonly unknown[],
  parserOf: TypeParser,
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const call = new HotCall(statement, values, parserOf, (error, rows) => {
      if (error === null) resolve(rows ?? []);
      else reject(error);
    });
    client.query(call);
  });
}

/** The names are those that pg's client calls. */
class HotCall implements pg.Submittable {
  readonly name: string;
  readonly text: string;
  /** pg replaces it by one that ends its timer. */
  callback: Callback;
  readonly #values: readonly unknown[];
  readonly #readers: ColumnReaders;
  readonly #parserOf: TypeParser;
  readonly #rows: Row[] = [];
  #connection: Connection | null = null;
  #shape: Shape | null = null;
  #fault: Error | null = null;

  constructor(
    { name, text, readers }: HotStatement,
    values: readonly unknown[],
    parserOf: TypeParser,
    callback: Callback,
  ) {
    this.name = name;
    this.text = text;
    this.callback = callback;
    this.#values = values;
    this.#readers = readers ?? {};
    this.#parserOf = parserOf;
  }

  /** What it returns is the error of a call that was not sent. */
  submit(pgConnection: pg.Connection): Error | null {
    const connection = pgConnection as unknown as Connection;
    this.#connection = connection;
    const isPrepared = connection.parsedStatements[this.name] !== undefined;
    this.#shape = (isPrepared && shapes.get(connection)?.get(this.name)) || null;
    let values: readonly unknown[];
    try {
      values = this.#values.map(encodeParameter);
    } catch (error) {
      return error as Error;
    }
    connection.stream.cork();
    if (!isPrepared) connection.parse({ name: this.name, text: this.text });
    connection.bind({ statement: this.name, values });
    if (this.#shape === null) connection.describe({ type: 'P', name: '' });
    connection.execute({});
    connection.sync();
    connection.stream.uncork();
    return null;
  }

  handleRowDescription({ fields }: RowDescription): void {
    const names = fields.map(({ name }) => name);
    this.#shape = {
      names,
      parsers: fields.map(({ name, dataTypeID }) => this.#readers[name] ?? this.#parserOf(dataTypeID)),
      empty: Object.fromEntries(names.map((name) => [name, null])),
    };
    if (this.#connection === null) return;
    const ofConnection = shapes.get(this.#connection);
    if (ofConnection === undefined) shapes.set(this.#connection, new Map([[this.name, this.#shape]]));
    else ofConnection.set(this.name, this.#shape);
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
