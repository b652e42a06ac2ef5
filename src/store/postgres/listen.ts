// Wakeup listener: LISTEN on a connection of its own, for wakeups between instances.
// A wakeup says only that something may have become receivable. Losing one costs latency, never a
// message, because every instance also polls now and then.

import pg from 'pg';
import type { DbOptions } from './db.ts';
import { describeError } from './errors.ts';
import { completeSession, sessionConfig } from './session.ts';
import { streamOf } from './streams.ts';

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;
const HEARTBEAT_MS = 30_000;
const END_MS_MAX = 500;

export interface WakeupListenerOptions extends Pick<DbOptions, 'runtimeRole' | 'schema' | 'logger'> {
  /** Bypasses any transaction pooler: a pooled connection cannot listen. */
  readonly url: string;
}

export interface WakeupHandlers {
  readonly onWakeup: (payload: string) => void;
  readonly onConnect: () => void;
}

export interface WakeupListener {
  /**
   * Connects, and reconnects whenever the connection is lost. `onConnect` is called each time,
   * since wakeups sent meanwhile are lost.
   */
  start(handlers: WakeupHandlers): void;
  /** Reconnects, whatever the state of the present connection; does nothing before `start`. */
  renew(): void;
  /** Whether wakeups arrive. A connection that died silently is noticed by the heartbeat alone. */
  isListening(): boolean;
  stop(): Promise<void>;
}

/** The channel of a schema: two Willcalls in one database do not wake each other. */
export function wakeupChannel(schema: string): string {
  return `${schema}_wakeup`;
}

/** Opens no connection before `start`. */
export function createWakeupListener(options: WakeupListenerOptions): WakeupListener {
  return new ReconnectingListener(options);
}

class ReconnectingListener implements WakeupListener {
  readonly #options: WakeupListenerOptions;
  #handlers: WakeupHandlers | null = null;
  #client: pg.Client | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  #listening = false;
  #stopped = false;

  constructor(options: WakeupListenerOptions) {
    this.#options = options;
  }

  start(handlers: WakeupHandlers): void {
    this.#handlers = handlers;
    void this.#connect();
  }

  renew(): void {
    if (this.#stopped || this.#handlers === null) return;
    this.#drop();
    this.#failures = 0;
    void this.#connect();
  }

  isListening(): boolean {
    return this.#listening;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#listening = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#client !== null) await endWithin(this.#client, END_MS_MAX);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ ...sessionConfig(this.#options), application_name: 'willcall wakeup' });
    this.#client = client;
    const lose = (error: unknown) => this.#lose(client, error);
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection ended')));
    client.on('notification', ({ payload }) => this.#handlers?.onWakeup(payload ?? ''));
    try {
      await client.connect();
      await completeSession(client);
      await client.query(`listen ${pg.escapeIdentifier(wakeupChannel(this.#options.schema))}`);
    } catch (error) {
      lose(error);
      return;
    }
    if (this.#client !== client) return;
    if (this.#failures > 0) this.#options.logger.info({}, 'the wakeup connection is back');
    this.#failures = 0;
    this.#listening = true;
    this.#schedule(() => this.#beat(client), HEARTBEAT_MS);
    this.#handlers?.onConnect();
  }

  /** Without it, a connection that only listens would not notice that it is dead. */
  #beat(client: pg.Client): void {
    client.query('select 1').then(
      () => {
        if (this.#client === client) this.#schedule(() => this.#beat(client), HEARTBEAT_MS);
      },
      (error: unknown) => this.#lose(client, error),
    );
  }

  /** Reconnects after a pause; does nothing for a connection that was given up already. */
  #lose(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#drop();
    if (this.#stopped) return;
    const pauseMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** this.#failures);
    this.#failures += 1;
    if (this.#failures === 1) {
      this.#options.logger.warn(
        describeError(error),
        'the wakeup connection was lost; polling serves until it is back',
      );
    }
    this.#schedule(() => void this.#connect(), pauseMs * (0.5 + Math.random() / 2));
  }

  #drop(): void {
    this.#listening = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = null;
    if (client !== null) streamOf(client).destroy();
  }

  #schedule(next: () => void, ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(next, ms);
  }
}

/** Ends it in order if the server answers in time, else at once. */
async function endWithin(client: pg.Client, ms: number): Promise<void> {
  const late = setTimeout(() => streamOf(client).destroy(), ms);
  await client.end().catch(() => {});
  clearTimeout(late);
}
