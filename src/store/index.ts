// The store: everything that speaks SQL, put together on one pool. It holds no state of its own besides connections.

import type { Logger } from '../domain/logger.ts';
import { createDb } from './db.ts';
import { createDeliveryStore } from './deliveries.ts';
import { createFallingDueStore } from './falling-due.ts';
import { createLedgerStore } from './ledger.ts';
import { createMessageStore } from './messages.ts';
import { createRetentionStore } from './retention.ts';
import { createSettlingStore } from './settling.ts';
import { createSubscriptionStore } from './subscriptions.ts';
import { createTopicStore } from './topics.ts';
import { createWakeupListener, wakeupChannel } from './wakeup.ts';

export interface StoreOptions {
  /** Where the service logs in. */
  readonly url: string;
  readonly schema: string;
  /** The role to take on after login; null keeps the login's own. */
  readonly runtimeRole: string | null;
  readonly connectionsMax: number;
  /** Where LISTEN works, when `url` leads through a transaction pooler. */
  readonly directUrl?: string | null;
  readonly logger: Logger;
}

export type Store = ReturnType<typeof createStore>;

/** Opens no connection yet; `stop` closes what was opened. */
export function createStore(options: StoreOptions) {
  const db = createDb(options);
  const listener = createWakeupListener({ ...options, url: options.directUrl ?? options.url });
  const notify = db.prepare('notify', 'select pg_notify($1::text, $2::text)');
  const ping = db.prepare('ping', 'select 1 as one');

  return {
    topics: createTopicStore(db),
    subscriptions: createSubscriptionStore(db),
    messages: createMessageStore(db),
    deliveries: createDeliveryStore(db),
    settling: createSettlingStore(db),
    fallingDue: createFallingDueStore(db),
    retention: createRetentionStore(db),
    ledger: createLedgerStore(db),
    wakeups: {
      listen: listener.start,
      /** At most 7,900 bytes. */
      send: async (payload: string): Promise<void> => {
        await db.call(notify, [wakeupChannel(options.schema), payload]);
      },
    },
    /** Throws `database_unavailable` or `database_timeout`. */
    ping: async (): Promise<void> => {
      await db.call(ping, []);
    },
    stop: async (): Promise<void> => {
      await listener.stop();
      await db.stop();
    },
  };
}
