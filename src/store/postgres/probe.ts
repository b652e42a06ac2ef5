// The probe: asks the database something trivial on a connection of its own, which it keeps while it is used. What only a server
// that lives can say is an answer, a refusal too.

import pg from 'pg';
import { tellsOfLife } from './errors.ts';
import { streamOf } from './streams.ts';

/** Then the server has its place back. */
const KEPT_MS = 5_000;

export interface Probe {
  /** Whether the database answers. Rejects never, and may take for ever until it is dropped. */
  ask(): Promise<boolean>;
  /** Gives up what was asked, and its connection. */
  drop(): void;
}

export interface ProbeOptions {
  readonly connection: pg.ClientConfig;
  /** Asks on a connection that is there already; false when there is none to spare. */
  readonly askElsewhere: () => Promise<boolean>;
  /** Called with every piece that arrives. */
  readonly hear: () => void;
}

export function createProbe({ connection, askElsewhere, hear }: ProbeOptions): Probe {
  const state = { client: null as pg.Client | null, drops: 0, timer: null as NodeJS.Timeout | null };

  const close = (): void => {
    if (state.client !== null) streamOf(state.client).destroy();
    state.client = null;
  };
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(connection);
    state.client = client;
    client.on('error', () => {});
    streamOf(client).on('data', hear);
    await client.connect();
    return client;
  };
  const ask = async (client: () => Promise<pg.Client>): Promise<boolean> => {
    try {
      await (await client()).query('select 1');
      return true;
    } catch (error) {
      close();
      return tellsOfLife(error);
    }
  };

  return {
    ask: async () => {
      const { drops, client } = state;
      if (state.timer !== null) clearTimeout(state.timer);
      state.timer = setTimeout(close, KEPT_MS).unref();
      if (client !== null && (await ask(async () => client))) return true;
      // The kept one may have been lost by itself.
      if (drops === state.drops && (await ask(connect))) return true;
      return drops === state.drops && askElsewhere();
    },
    drop: () => {
      state.drops += 1;
      if (state.timer !== null) clearTimeout(state.timer);
      close();
    },
  };
}
