// Wakeups between instances: LISTEN/NOTIFY on a connection of its own. A wakeup says only that something may have become
// receivable; losing one costs latency, never a message, because every instance also polls now and then.

import pg from 'pg';
import { connectionOptions, type DbOptions } from './db.ts';
import { streamOf } from './streams.ts';

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;
const BEAT_MS = 30_000;
const GOODBYE_MS_MAX = 500;

export interface WakeupListenerOptions extends Pick<DbOptions, 'runtimeRole' | 'schema' | 'logger'> {
  /** Past any transaction pooler: a pooled connection cannot listen. */
  readonly url: string;
}

export interface WakeupHandlers {
  readonly onWakeup: (payload: string) => void;
  readonly onConnect: () => void;
}

export interface WakeupListener {
  /** Connects and goes on doing so; `onConnect` is called each time, since what was sent before is lost. */
  start(handlers: WakeupHandlers): void;
  /** Connects anew, whatever the present connection looks like; nothing before `start`. */
  renew(): void;
  /** Whether what is sent now arrives. A connection that died unnoticed is noticed later. */
  isListening(): boolean;
  stop(): Promise<void>;
}

/** The channel of a schema: two Willcalls in one database do not wake each other. */
export function wakeupChannel(schema: string): string {
  return `${schema}_wakeup`;
}

export function createWakeupListener(options: WakeupListenerOptions): WakeupListener {
  const state = {
    ...{ client: null as pg.Client | null, timer: null as NodeJS.Timeout | null, stopped: false, failures: 0 },
    ...{ listening: false, again: null as (() => void) | null },
  };

  const connect = async (handlers: WakeupHandlers): Promise<void> => {
    const client = new pg.Client({ ...connectionOptions(options), application_name: 'willcall wakeup' });
    state.client = client;
    let over = false;
    const reconnect = (err?: unknown): void => {
      if (over) return;
      over = true;
      state.listening = false;
      streamOf(client).destroy();
      if (state.stopped) return;
      const pause = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** state.failures) * (0.5 + Math.random() / 2);
      state.failures += 1;
      options.logger.warn({ err }, 'the wakeup connection was lost; polling serves until it is back');
      schedule(() => void connect(handlers), pause);
    };
    state.again = () => {
      over = true;
      state.listening = false;
      streamOf(client).destroy();
      if (state.timer !== null) clearTimeout(state.timer);
      state.failures = 0;
      void connect(handlers);
    };
    /** A connection that only listens would not notice that it is dead. */
    const beat = (): void => {
      client.query('select 1').then(() => {
        if (!over) schedule(beat, BEAT_MS);
      }, reconnect);
    };
    client.on('error', reconnect);
    client.on('end', () => reconnect());
    client.on('notification', (message) => handlers.onWakeup(message.payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${pg.escapeIdentifier(wakeupChannel(options.schema))}`);
      if (over) return;
      state.failures = 0;
      state.listening = true;
      schedule(beat, BEAT_MS);
      handlers.onConnect();
    } catch (error) {
      reconnect(error);
    }
  };
  const schedule = (next: () => void, ms: number): void => {
    if (state.timer !== null) clearTimeout(state.timer);
    if (!state.stopped) state.timer = setTimeout(next, ms);
  };

  return {
    start: (handlers) => void connect(handlers),
    renew: () => {
      if (!state.stopped) state.again?.();
    },
    isListening: () => state.listening,
    stop: async () => {
      state.stopped = true;
      state.listening = false;
      if (state.timer !== null) clearTimeout(state.timer);
      if (state.client !== null) await end(state.client);
    },
  };
}

/** In order, if the other side answers. */
async function end(client: pg.Client): Promise<void> {
  const late = setTimeout(() => streamOf(client).destroy(), GOODBYE_MS_MAX);
  await client.end().catch(() => {});
  clearTimeout(late);
}
