// Wakeups between instances: LISTEN/NOTIFY on a connection of its own. A wakeup says only that something may have become
// receivable; losing one costs latency, never a message, because every instance also polls now and then.

import pg from 'pg';
import { connectionOptions, type DbOptions } from './db.ts';

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;

export interface WakeupListenerOptions extends Pick<DbOptions, 'runtimeRole' | 'schema' | 'logger'> {
  /** Past any transaction pooler: a pooled connection cannot listen. */
  readonly url: string;
}

export interface WakeupListener {
  /** Connects and goes on doing so; `onConnect` is called each time, since what was sent before is lost. */
  start(handlers: { onWakeup: (payload: string) => void; onConnect: () => void }): void;
  stop(): Promise<void>;
}

/** The channel of a schema: two Willcalls in one database do not wake each other. */
export function wakeupChannel(schema: string): string {
  return `${schema}_wakeup`;
}

export function createWakeupListener(options: WakeupListenerOptions): WakeupListener {
  const state = { client: null as pg.Client | null, timer: null as NodeJS.Timeout | null, stopped: false, failures: 0 };

  const connect = async (handlers: Parameters<WakeupListener['start']>[0]): Promise<void> => {
    const client = new pg.Client({ ...connectionOptions(options), application_name: 'willcall wakeup' });
    state.client = client;
    let over = false;
    const reconnect = (err?: unknown): void => {
      if (over) return;
      over = true;
      void client.end().catch(() => {});
      if (state.stopped) return;
      const pause = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** state.failures) * (0.5 + Math.random() / 2);
      state.failures += 1;
      options.logger.warn({ err }, 'the wakeup connection was lost; polling serves until it is back');
      state.timer = setTimeout(() => void connect(handlers), pause);
    };
    client.on('error', reconnect);
    client.on('end', () => reconnect());
    client.on('notification', (message) => handlers.onWakeup(message.payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${pg.escapeIdentifier(wakeupChannel(options.schema))}`);
      state.failures = 0;
      handlers.onConnect();
    } catch (error) {
      reconnect(error);
    }
  };

  return {
    start: (handlers) => void connect(handlers),
    stop: async () => {
      state.stopped = true;
      if (state.timer !== null) clearTimeout(state.timer);
      await state.client?.end().catch(() => {});
    },
  };
}
