// Receiving: one statement hands out messages to the waiters of many subscriptions.

import type { Db } from './db.ts';
import { plainFirst } from './plain-first.ts';

export interface WaiterRow {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly visibilityTimeoutSeconds: number | null;
  readonly nonce: bigint;
  readonly principal: string;
  /** Whose key and which; null: the answer cannot be asked for again. */
  readonly receiveKey: string | null;
}

export interface ReceiveGroup {
  readonly topicId: number;
  readonly subscriptionId: number;
  /** Nothing deferred up to there is left; null: unknown, look at everything. */
  readonly deferredFloor: Date | null;
  /** No lease of an older delivery lives; 0: unknown. */
  readonly leaseFloor: number;
  readonly waiters: readonly WaiterRow[];
}

export interface HandedMessage {
  readonly deliveryNo: number;
  readonly sequence: number;
  readonly attempt: number;
  readonly publishedAt: Date;
  readonly expiresAt: Date;
  readonly messageId: Buffer;
  /** The delivery's, where it is an earlier one that was asked for again; null: the waiter's. */
  readonly nonce: bigint | null;
  readonly contentType: string | null;
  readonly attributes: Record<string, string> | null;
  readonly orderingKey: string | null;
  readonly body: Buffer;
}

export interface ReceiveOutcome {
  readonly outcome: 'received' | 'busy' | 'subscription_not_found';
  /** The database's clock when it looked. */
  readonly checkedAt: Date | null;
  /** Everything deferred that was due then has been handed out. */
  readonly deferredDrained: boolean;
  /** Which transactions it saw, as PostgreSQL writes a pg_snapshot; null: not said. */
  readonly snapshot: string | null;
  /** Its own, given after its clock was read; null where it handed out nothing, or not said. */
  readonly transactionNo: number | null;
  readonly inFlightFull: boolean;
  readonly leaseFloor: number;
  /** When something that is already there falls due; null when nothing is known to, or nobody was left unserved. */
  readonly nextAt: Date | null;
  /** By index of the waiter; those that got nothing are empty. */
  readonly handed: readonly (readonly HandedMessage[])[];
}

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

/** What may be missing is not said of the plain. */
interface Row {
  grp: number;
  outcome: ReceiveOutcome['outcome'] | null;
  checked_at: Date | null;
  deferred_drained?: boolean | null;
  in_flight_full?: boolean | null;
  lease_floor?: number | null;
  snapshot?: string | null;
  transaction_no?: number | null;
  next_at: Date | null;
  waiter: number;
  delivery_no: number;
  seq: number;
  attempt?: number;
  published_at: Date;
  expires_at: Date;
  message_id: Buffer;
  nonce?: string | null;
  content_type: string | null;
  attributes: string | null;
  ordering_key: string | null;
  body: Buffer;
}

export function createDeliveryStore(db: Db) {
  const receive = db.prepare(
    'receive',
    `select g.no::integer as grp, r.*
     from unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::bigint[], $5::integer[], $6::integer[])
       with ordinality g (topic_id, subscription_id, deferred_floor, lease_floor, first, last, no)
     cross join lateral willcall.receive(
       g.topic_id, g.subscription_id, $7::boolean, coalesce(g.deferred_floor, '-infinity'), g.lease_floor, g.first,
       g.last, $8::integer[], $9::bigint[], $10::integer[], $11::bigint[], $12::text[], $13::bigint, $14::text[]
     ) r`,
  );
  const receivePlain = db.prepare(
    'receive_plain',
    `select r.*
     from willcall.receive_plain(
       $1::integer[], $2::integer[], $3::timestamptz[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
       $8::bigint[], $9::integer[], $10::bigint[], $11::text[], $12::bigint
     ) r`,
  );
  /** What the statement leaves out has no outcome. */
  const receivePlainly = async (groups: readonly ReceiveGroup[], bytesMax: number) => {
    const { waiters, firsts, lasts, places } = packWaiters(groups);
    const rows = await db.call<Row>(receivePlain, [
      groups.map((g) => g.topicId),
      groups.map((g) => g.subscriptionId),
      groups.map((g) => g.deferredFloor),
      ...[firsts, lasts, places],
      waiters.map((w) => w.maxMessages),
      waiters.map((w) => w.maxBytes),
      waiters.map((w) => w.visibilityTimeoutSeconds),
      waiters.map((w) => w.nonce),
      waiters.map((w) => w.principal),
      bytesMax,
    ]);
    return toOutcomes(groups, lasts, rows);
  };

  const receiveEach = async (groups: readonly ReceiveGroup[], wait: boolean, bytesMax: number) => {
    const { waiters, firsts, lasts } = packWaiters(groups);
    const rows = await db.call<Row>(receive, [
      groups.map((g) => g.topicId),
      groups.map((g) => g.subscriptionId),
      groups.map((g) => g.deferredFloor),
      groups.map((g) => g.leaseFloor),
      ...[firsts, lasts, wait],
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

  return {
    /** Groups in order of topic id, then subscription id. `bytesMax` bounds the bodies of each group. */
    receive: (groups: readonly ReceiveGroup[], wait: boolean, bytesMax: number): Promise<ReceiveOutcome[]> =>
      plainFirst({
        ...{ groups, wait },
        isPlain: ({ waiters }) => waiters.every(({ receiveKey }) => receiveKey === null),
        plainly: (plain) => receivePlainly(plain, bytesMax),
        each: (others) => receiveEach(others, wait, bytesMax),
      }),

    receivable: createReceivable(db),
  };
}

/**
 * Which of these have something to receive; a hint, for the safety poll. Of what was deferred, only what fell due within
 * the last `floorMs` is looked for; null: everything.
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

/** The waiters of all groups in one list, each group's part of it, and where in its group's messages each one begins. */
function packWaiters(groups: readonly ReceiveGroup[]) {
  const waiters = groups.flatMap((group) => group.waiters);
  const lasts = runningTotals(groups.map((group) => group.waiters.length));
  const places = groups.flatMap((group) => firstsOf(group.waiters.map(({ maxMessages }) => maxMessages)));
  return { waiters, firsts: groups.map((g, i) => (lasts[i] ?? 0) - g.waiters.length + 1), lasts, places };
}

/** [2, 1, 3] becomes [2, 3, 6]. */
export function runningTotals(counts: readonly number[]): number[] {
  let total = 0;
  return counts.map((count) => {
    total += count;
    return total;
  });
}

/** [2, 1, 3] becomes [1, 3, 4]: where each run begins, counted from 1. */
export function firstsOf(counts: readonly number[]): number[] {
  return runningTotals(counts).map((last, i) => last - (counts[i] ?? 0) + 1);
}

function toOutcomes(
  groups: readonly ReceiveGroup[],
  lasts: readonly number[],
  rows: readonly Row[],
): (ReceiveOutcome | undefined)[] {
  const handed = groups.map((group) => group.waiters.map((): HandedMessage[] => []));
  const outcomes: ReceiveOutcome[] = [];
  for (const row of rows) {
    const index = row.grp - 1;
    if (row.outcome !== null) {
      outcomes[index] = {
        outcome: row.outcome,
        checkedAt: row.checked_at,
        deferredDrained: row.deferred_drained ?? true,
        snapshot: row.snapshot ?? null,
        transactionNo: row.transaction_no ?? null,
        inFlightFull: row.in_flight_full ?? false,
        leaseFloor: row.lease_floor ?? groups[index]?.leaseFloor ?? 0,
        nextAt: row.next_at,
        handed: handed[index] ?? [],
      };
    } else {
      const first = (lasts[index] ?? 0) - (groups[index]?.waiters.length ?? 0) + 1;
      handed[index]?.[row.waiter - first]?.push(toHanded(row));
    }
  }
  return outcomes;
}

function toHanded(row: Row): HandedMessage {
  return {
    deliveryNo: row.delivery_no,
    sequence: row.seq,
    attempt: row.attempt ?? 1,
    publishedAt: row.published_at,
    expiresAt: row.expires_at,
    messageId: row.message_id,
    nonce: row.nonce ? BigInt(row.nonce) : null,
    contentType: row.content_type,
    attributes: row.attributes === null ? null : (JSON.parse(row.attributes) as Record<string, string>),
    orderingKey: row.ordering_key,
    body: row.body,
  };
}
