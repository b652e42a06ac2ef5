// Health probe: a trivial query on a connection of its own, which is kept while it is used.
// Whatever only a running server can say counts as an answer, a refusal included.

import pg from 'pg';
import { provesServerUp } from './errors.ts';
import { completeSession, type Pooler } from './session.ts';
import { streamOf } from './streams.ts';

/** After so long without a query the connection is closed, to free the server's slot. */
const KEPT_MS = 5_000;

export interface Probe {
  /** Whether the database answers. Never rejects, and may never resolve until it is dropped. */
  query(): Promise<boolean>;
  /** Gives up the query under way, and the connection. */
  drop(): void;
}

export interface ProbeOptions {
  readonly connection: pg.ClientConfig;
  readonly pooler?: Pooler | undefined;
  /** Queries on another connection that is open already; false when none is free. */
  readonly queryElsewhere: () => Promise<boolean>;
  /** Called with every chunk that arrives. */
  readonly onReceived: () => void;
}

export function createProbe({ connection, pooler, queryElsewhere, onReceived }: ProbeOptions): Probe {
  let kept: pg.Client | null = null;
  let drops = 0;
  let timer: NodeJS.Timeout | null = null;

  function close(): void {
    if (kept !== null) streamOf(kept).destroy();
    kept = null;
  }

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client(connection);
    kept = client;
    client.on('error', () => {});
    streamOf(client).on('data', onReceived);
    await client.connect();
    await completeSession(client, pooler);
    return client;
  }

  async function answers(open: () => Promise<pg.Client>): Promise<boolean> {
    try {
      const client = await open();
      await client.query('select 1');
      return true;
    } catch (error) {
      close();
      return provesServerUp(error);
    }
  }

  return {
    async query() {
      const dropsBefore = drops;
      const client = kept;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(close, KEPT_MS).unref();
      if (client !== null && (await answers(async () => client))) return true;
      // The kept connection alone may have been lost.
      if (drops === dropsBefore && (await answers(connect))) return true;
      return drops === dropsBefore && queryElsewhere();
    },
    drop() {
      drops += 1;
      if (timer !== null) clearTimeout(timer);
      close();
    },
  };
}
