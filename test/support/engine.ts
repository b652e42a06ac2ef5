// A store and a started engine on a test database: one instance, as the service runs it, without
// transports and jobs. Several on one database are several instances. Upkeep runs when the test
// calls sweep(), retain() or poll().

import { vi } from 'vitest';
import { type FairUse, fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Logger } from '../../src/domain/logger.ts';
import { createEngine } from '../../src/engine/index.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import type { TestDatabase } from './database.ts';
import { type TendedEngine, withUpkeep } from './upkeep.ts';

export interface TestEngine extends TendedEngine {
  /**
   * Stops the engine, then its store. Throws when they warned of something, unless the options
   * allow it.
   */
  stop(): Promise<void>;
}

export interface TestEngineOptions {
  /** Gives the engine another view of the real store: one that holds an answer back, say. */
  readonly wrapStore?: (store: Store) => Store;
  /**
   * Is notified of nothing by other instances: what it is not woken for itself, it does not notice.
   */
  readonly deaf?: boolean;
  /** Over the defaults. */
  readonly fairUse?: Partial<FairUse> | undefined;
  /** What a test makes it warn of. */
  readonly allowedWarning?: string;
}

/** Starts an instance; to be stopped by the test that asked for it. */
export async function createTestEngine(database: TestDatabase, options: TestEngineOptions = {}): Promise<TestEngine> {
  const { logger, warnings } = createRecorder();
  const store = createStore({
    url: database.url,
    schema: 'willcall',
    runtimeRole: 'willcall_runtime',
    connectionsMax: 10,
    logger,
  });
  const engine = withUpkeep(
    createEngine({
      store: options.wrapStore?.(store) ?? store,
      logger,
      fairUse: { ...fairUseDefaults, ...options.fairUse },
    }),
  );
  if (options.deaf !== true) await engine.start();
  return {
    ...engine,
    stop: async () => {
      await engine.stop();
      await store.stop();
      const others = warnings.filter((warning) => warning !== options.allowedWarning);
      if (others.length > 0) throw new Error(`the engine warned: ${others.join('; ')}`);
    },
  };
}

/** A view of the store in which the safety poll finds nothing: wakeups alone are seen. */
export function hideFromPolls(store: Store): Store {
  return { ...store, deliveries: { ...store.deliveries, receivable: async () => [] } };
}

export interface Lookout {
  readonly wrapStore: (store: Store) => Store;
  /** How many looks for messages the instance has been answered. */
  readonly looks: number;
  /** Resolves once it has been answered so many. */
  seeLooks(count: number): Promise<void>;
  /**
   * Holds back the answer to the next look: what the database did is done, the engine does not know
   * it yet.
   */
  holdNext(): HeldAnswer;
}

export interface HeldAnswer {
  /** Resolves when the database has answered. */
  readonly arrived: Promise<void>;
  letGo(): void;
}

/** Stands between an engine and its real store, where looks for messages are answered. */
export function createLookout(): Lookout {
  let looks = 0;
  let held: { arrived: PromiseWithResolvers<void>; gone: PromiseWithResolvers<void> } | null = null;
  return {
    wrapStore: (store) => ({
      ...store,
      deliveries: {
        ...store.deliveries,
        receive: async (...request) => {
          const answer = await store.deliveries.receive(...request);
          const holding = held;
          held = null;
          holding?.arrived.resolve();
          await holding?.gone.promise;
          looks += 1;
          return answer;
        },
      },
    }),
    get looks() {
      return looks;
    },
    seeLooks: (count) =>
      vi.waitFor(
        () => {
          if (looks < count) throw new Error(`${looks} looks instead of ${count}`);
        },
        { interval: 2, timeout: 90_000 },
      ),
    holdNext: () => {
      const holding = { arrived: Promise.withResolvers<void>(), gone: Promise.withResolvers<void>() };
      held = holding;
      return { arrived: holding.arrived.promise, letGo: () => holding.gone.resolve() };
    },
  };
}

/** What retention says of its work, which is what a test asked for that lets messages expire. */
const RETENTION_AT_WORK = 'messages outlived their retention uncollected';

function createRecorder(): { logger: Logger; warnings: string[] } {
  const warnings: string[] = [];
  const ignore = () => {};
  const warn = (fields: object, message: string) => {
    if (message === RETENTION_AT_WORK) return;
    warnings.push('err' in fields ? `${message} (${String(fields.err)})` : message);
  };
  return { logger: { debug: ignore, info: ignore, warn, error: warn }, warnings };
}
