// Receiving: one statement delivers messages to the waiters of many subscriptions.

import { type DeliveryRow, deliveryReaders, type HandedMessage, unpackDelivery } from './packing/handed-messages.ts';
import { firstsOf, runningTotals } from './packing/slices.ts';
import { plainFirst } from './plain-first.ts';
import type { Db } from './postgres/db.ts';

export interface WaiterRow {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly visibilityTimeoutSeconds: number | null;
  readonly nonce: bigint;
  readonly principal: string;
  /** With its owner; null: the answer cannot be asked for again. */
  readonly receiveKey: string | null;
}

export interface ReceiveGroup {
  readonly topicId: number;
  readonly subscriptionId: number;
  /** Nothing deferred up to then is left; null: unknown. */
  readonly deferredFloor: Date | null;
  /** No lease of an older delivery lives; 0: unknown. */
  readonly leaseFloor: number;
  readonly waiters: readonly WaiterRow[];
}

export interface ReceiveOutcome {
  readonly outcome: 'received' | 'busy' | 'subscription_not_found';
  /** The database's clock, read under the lock. */
  readonly checkedAt: Date | null;
  /** Everything deferred that was due then has been delivered. */
  readonly deferredDrained: boolean;
  /** A pg_snapshot in PostgreSQL's text form; null: not returned. */
  readonly snapshot: string | null;
  /** Assigned after `checkedAt` was read; null: nothing was delivered, or not returned. */
  readonly transactionNo: number | null;
  readonly inFlightFull: boolean;
  readonly leaseFloor: number;
  /** When something that is already there falls due; null: unknown, or every waiter was served. */
  readonly nextAt: Date | null;
  /** By index of the waiter; those that got nothing are empty. */
  readonly handed: readonly (readonly HandedMessage[])[];
}

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

/** A group's first row; receive_plain leaves out the optional columns. */
interface HeadRow {
  readonly outcome: ReceiveOutcome['outcome'];
  readonly checked_at: Date | null;
  readonly deferred_drained?: boolean | null;
  readonly in_flight_full?: boolean | null;
  readonly lease_floor?: number | null;
  readonly snapshot?: string | null;
  readonly transaction_no?: number | null;
  readonly next_at: Date | null;
}

type Row = { readonly grp: number } & (HeadRow | ({ readonly outcome: null } & DeliveryRow));

/** Bodies travel as base64: shorter than PostgreSQL's hexadecimal, and faster to read. */
const DELIVERY_COLUMNS = `r.waiter, r.delivery_no, r.expires_at, r.messages, r.seqs, r.published_ats, r.message_ids,
       r.content_types, r.attributes, r.ordering_keys, r.body_sizes, encode(r.bodies, 'base64') as bodies`;

export function createDeliveryStore(db: Db) {
  const receiveTogether = createReceiveTogether(db);
  const receiveEach = createReceiveEach(db);

  return {
    /**
     * Groups in order of topic id, then subscription id. Without `wait`, a group whose lock is busy
     * is 'busy'. `bytesMax` bounds the bodies of each group.
     */
    receive: (groups: readonly ReceiveGroup[], wait: boolean, bytesMax: number): Promise<ReceiveOutcome[]> =>
      plainFirst({
        groups,
        wait,
        isPlain: ({ waiters }) => waiters.every(({ receiveKey }) => receiveKey === null),
        fastPath: (plain) => receiveTogether(plain, bytesMax),
        perGroup: (others) => receiveEach(others, wait, bytesMax),
      }),

    receivable: createReceivable(db),
  };
}

/** The plain statement for many subscriptions; a group that it leaves out has no outcome. */
function createReceiveTogether(db: Db) {
  const receivePlain = db.prepare(
    'receive_plain',
    `select
       r.grp, r.outcome, r.checked_at, r.next_at, r.snapshot, r.transaction_no, ${DELIVERY_COLUMNS}
     from willcall.receive_plain(
       $1::integer[], $2::integer[], $3::timestamptz[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
       $8::bigint[], $9::integer[], $10::bigint[], $11::text[], $12::bigint
     ) r`,
    deliveryReaders,
  );

  return async (groups: readonly ReceiveGroup[], bytesMax: number) => {
    const { waiters, firsts, lasts, positions } = packWaiters(groups);
    const rows = await db.call<Row>(receivePlain, [
      groups.map((g) => g.topicId),
      groups.map((g) => g.subscriptionId),
      groups.map((g) => g.deferredFloor),
      firsts,
      lasts,
      positions,
      waiters.map((w) => w.maxMessages),
      waiters.map((w) => w.maxBytes),
      waiters.map((w) => w.visibilityTimeoutSeconds),
      waiters.map((w) => w.nonce),
      waiters.map((w) => w.principal),
      bytesMax,
    ]);
    return toOutcomes(groups, lasts, rows);
  };
}

/** The general statement: a function call for each subscription. */
function createReceiveEach(db: Db) {
  const receive = db.prepare(
    'receive',
    `select
       g.no::integer as grp, r.outcome, r.checked_at, r.deferred_drained, r.in_flight_full, r.lease_floor, r.next_at,
       ${DELIVERY_COLUMNS}, r.nonce, r.attempts
     from unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::bigint[], $5::integer[], $6::integer[])
       with ordinality g (topic_id, subscription_id, deferred_floor, lease_floor, first, last, no)
     cross join lateral willcall.receive(
       g.topic_id, g.subscription_id, $7::boolean, coalesce(g.deferred_floor, '-infinity'), g.lease_floor, g.first,
       g.last, $8::integer[], $9::bigint[], $10::integer[], $11::bigint[], $12::text[], $13::bigint, $14::text[]
     ) r`,
    deliveryReaders,
  );

  return async (groups: readonly ReceiveGroup[], wait: boolean, bytesMax: number) => {
    const { waiters, firsts, lasts } = packWaiters(groups);
    const rows = await db.call<Row>(receive, [
      groups.map((g) => g.topicId),
      groups.map((g) => g.subscriptionId),
      groups.map((g) => g.deferredFloor),
      groups.map((g) => g.leaseFloor),
      firsts,
      lasts,
      wait,
      waiters.map((w) => w.maxMessages),
      waiters.map((w) => w.maxBytes),
      waiters.map((w) => w.visibilityTimeoutSeconds),
      waiters.map((w) => w.nonce),
      waiters.map((w) => w.principal),
      bytesMax,
      waiters.some((w) => w.receiveKey !== null) ? waiters.map((w) => w.receiveKey) : null,
    ]);
    return toOutcomes(groups, lasts, rows) as ReceiveOutcome[];
  };
}

/**
 * Which of these have something to receive; a hint, for the safety poll. Of deferred messages it
 * finds only those that fell due within the last `floorMs`; null: all.
 */
function createReceivable(db: Db) {
  const receivable = db.prepare(
    'receivable',
    `select * from willcall.receivable(
       $1::integer[], $2::integer[],
       coalesce(clock_timestamp() - $3::double precision * interval '1 millisecond', '-infinity')
     )`,
  );

  return async (
    keys: readonly { topicId: number; subscriptionId: number }[],
    floorMs: number | null,
  ): Promise<{ topicId: number; subscriptionId: number }[]> => {
    const rows = await db.call<{ topic_id: number; subscription_id: number }>(receivable, [
      keys.map((key) => key.topicId),
      keys.map((key) => key.subscriptionId),
      floorMs,
    ]);
    return rows.map((row) => ({ topicId: row.topic_id, subscriptionId: row.subscription_id }));
  };
}

/** All groups' waiters in one list, each group's slice of it, and each waiter's first position. */
function packWaiters(groups: readonly ReceiveGroup[]) {
  const waiters = groups.flatMap((group) => group.waiters);
  const lasts = runningTotals(groups.map((group) => group.waiters.length));
  const positions = groups.flatMap((group) => firstsOf(group.waiters.map(({ maxMessages }) => maxMessages)));
  return { waiters, firsts: groups.map((g, i) => (lasts[i] ?? 0) - g.waiters.length + 1), lasts, positions };
}

function toOutcomes(
  groups: readonly ReceiveGroup[],
  lasts: readonly number[],
  rows: readonly Row[],
): (ReceiveOutcome | undefined)[] {
  const handed = groups.map((group) => group.waiters.map((): readonly HandedMessage[] => []));
  const outcomes: ReceiveOutcome[] = [];
  for (const row of rows) {
    const index = row.grp - 1;
    const ofGroup = handed[index] ?? [];
    if (row.outcome === null) {
      const first = (lasts[index] ?? 0) - ofGroup.length + 1;
      ofGroup[row.waiter - first] = unpackDelivery(row);
      continue;
    }
    outcomes[index] = {
      outcome: row.outcome,
      checkedAt: row.checked_at,
      deferredDrained: row.deferred_drained ?? true,
      snapshot: row.snapshot ?? null,
      transactionNo: row.transaction_no ?? null,
      inFlightFull: row.in_flight_full ?? false,
      leaseFloor: row.lease_floor ?? groups[index]?.leaseFloor ?? 0,
      nextAt: row.next_at,
      handed: ofGroup,
    };
  }
  return outcomes;
}
