// The store: everything that speaks SQL, composed on one pool. Its only state is connections.

import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { Observer } from '../domain/observer.ts';
import { createDeliveryStore } from './deliveries.ts';
import { createFallingDueStore } from './due.ts';
import { createJournalStore } from './journal.ts';
import { createKeyStore } from './keys.ts';
import { createLedgerStore } from './ledger.ts';
import { createMessageStore } from './messages.ts';
import { createDb } from './postgres/db.ts';
import { createWakeupListener, type WakeupHandlers, wakeupChannel } from './postgres/listen.ts';
import { checkSession, type Pooler, SESSION_STATE, type SettingRow, sessionStateValues } from './postgres/session.ts';
import { createRetentionStore } from './retention.ts';
import { createSearches } from './searches.ts';
import { createSecretStore } from './secrets.ts';
import { createSettlingStore } from './settling.ts';
import { createSubscriptionStore } from './subscriptions.ts';
import { createTopicStore } from './topics.ts';

export interface StoreOptions {
  /** Where the service logs in. */
  readonly url: string;
  readonly schema: string;
  /** The role to take on after login; null keeps the login's own. */
  readonly runtimeRole: string | null;
  readonly connectionsMax: number;
  /** What `url` leads through; with `transaction`, the login itself is the service's role. */
  readonly pooler?: Pooler;
  /** Where LISTEN works, when `url` leads through a transaction pooler. */
  readonly directUrl?: string | null;
  readonly logger: Logger;
  /** Absent: nothing is observed. */
  readonly observer?: Observer | undefined;
}

/** What the database lets the service's role do. */
export interface Rights {
  readonly role: string;
  readonly complete: boolean;
  readonly altersLedger: boolean;
  /** Whether the login could, by leaving the role that it took on. */
  readonly loginOwnsLedger: boolean;
}

export type Store = ReturnType<typeof createStore>;

/** Opens no connection yet; `stop` closes what was opened. */
export function createStore(options: StoreOptions) {
  const listener = createWakeupListener({ ...options, url: options.directUrl ?? options.url });
  const pooler = options.pooler ?? 'none';
  // A connection that only listens does not notice that it is dead.
  const db = createDb(options, () => listener.renew());
  options.observer?.gauge('database_available', () => (db.health.isAvailable() ? 1 : 0));
  // Losing a wakeup in a crash does no harm, so its transaction does not wait for the disk.
  const notify = db.prepare(
    'notify',
    "select set_config('synchronous_commit', 'off', true), pg_notify($1::text, $2::text)",
  );
  const ping = db.prepare('ping', 'select pg_is_in_recovery() as standby');
  const session = db.prepare('session', SESSION_STATE);
  const rights = db.prepare(
    'rights',
    // By oid: naming a table needs the right to use its schema, which is what is checked here.
    `select
       current_user::text as role,
       bool_and(
         has_schema_privilege(n.oid, 'usage')
         and has_table_privilege(c.oid, case c.relname when 'lease' then 'update' else 'insert' end)
       ) as complete,
       bool_or(
         c.relname = 'acknowledgment'
         and (has_table_privilege(c.oid, 'update, delete, truncate, trigger') or pg_has_role(c.relowner, 'member'))
       ) as "altersLedger",
       bool_or(c.relname = 'acknowledgment' and pg_has_role(session_user, c.relowner, 'member')) as "loginOwnsLedger"
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname in ('acknowledgment', 'lease') and c.relkind = 'r'`,
  );

  return {
    connectionsMax: options.connectionsMax,
    health: db.health,
    /** 64 bits that cannot be guessed, such as the nonce of a delivery. */
    random64: db.random64,
    topics: createTopicStore(db),
    subscriptions: createSubscriptionStore(db),
    messages: createMessageStore(db),
    deliveries: createDeliveryStore(db),
    settling: createSettlingStore(db),
    fallingDue: createFallingDueStore(db),
    retention: createRetentionStore(db),
    secrets: createSecretStore(db),
    journal: createJournalStore(db),
    ledger: createLedgerStore(db),
    searches: createSearches(db),
    keys: createKeyStore(db),
    wakeups: {
      listen: (handlers: WakeupHandlers): void => listener.start(handlers),
      isListening: (): boolean => listener.isListening(),
      /** At most 7,900 bytes. */
      send: async (payload: string): Promise<void> => {
        await db.call(notify, [wakeupChannel(options.schema), payload]);
      },
    },
    /**
     * Throws `database_unavailable`, also for a server that takes no writes, or `database_timeout`.
     */
    ping: async (): Promise<void> => {
      const [row] = await db.call<{ standby: boolean }>(ping, []);
      if (row?.standby === true) {
        throw new WillcallError('database_unavailable', 'The database is a standby, which takes no writes, for now.');
      }
    },
    /** Throws a DatabaseSetupError unless the sessions have the settings that they need. */
    checkSession: async (): Promise<void> => {
      checkSession(await db.call<SettingRow>(session, sessionStateValues()), pooler);
    },
    /** Whether the service's role may do its work, and whether it could alter the ledger. */
    checkRights: async (): Promise<Rights> => {
      const rows = await db.call<Rights>(rights, [options.schema]);
      return { role: '', complete: false, altersLedger: false, loginOwnsLedger: false, ...rows[0] };
    },
    stop: async (): Promise<void> => {
      await listener.stop();
      await db.stop();
    },
  };
}
