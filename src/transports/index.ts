// The list of transports. A new one costs its own folder and one line here: beside REST if it is
// mounted on the common HTTP listener, beside the listener if it brings its own.

import type { Logger } from '../domain/logger.ts';
import type { Observer } from '../domain/observer.ts';
import type { ByteBudget } from '../engine/fair-use/byte-budget.ts';
import type { Engine } from '../engine/index.ts';
import { tryAddresses } from './http/address.ts';
import { createHttpListener } from './http/listener.ts';
import type { Timeouts } from './http/timeouts.ts';
import { createRestTransport } from './rest/index.ts';
import type { TransportSettings } from './settings.ts';

/** A transport with a listener of its own; the one for HTTP carries the HTTP transports. */
export interface Transport {
  readonly name: string;
  /** Begins to take requests; resolves to the address. */
  start(): Promise<string>;
  /** Refuses new requests at once; resolves when those under way have been answered. */
  stop(): Promise<void>;
}

export interface TransportsOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** Absent: nothing is observed. */
  readonly observer?: Observer | undefined;
  /** The byte budget of the instance, in which every transport counts. */
  readonly byteBudget: ByteBudget;
  readonly settings: TransportSettings;
  /** Of the HTTP listener; absent: its defaults. */
  readonly timeouts?: Timeouts | undefined;
}

/** Throws the system's error where a transport could not listen, before anything is made. */
export async function tryTransports({ http }: TransportSettings): Promise<void> {
  await tryAddresses(http);
}

/** Creates every transport, closed as yet. The address of the first is announced. */
export function createTransports(options: TransportsOptions): readonly [Transport, ...Transport[]] {
  const { engine, logger, observer, byteBudget, settings, timeouts } = options;
  const { host, port } = settings.http;
  const transports = [createRestTransport(engine)];
  return [createHttpListener({ transports, engine, logger, observer, byteBudget, host, port, timeouts })];
}
