// Settling: one statement per verb settles receipts of many callers and subscriptions. Receipts of one delivery go
// together (a group), because they share a nonce and a lease.

import type { ConsumerError, Outcome } from '../domain/settling.ts';
import type { Db, HotStatement } from './db.ts';

/** One receipt of a call; fields that the verb does not use are null. */
export interface SettleItem {
  readonly deliveryNo: number;
  readonly nonce: bigint;
  readonly sequence: number;
  readonly reference: string | null;
  readonly delaySeconds: number | null;
  readonly error: ConsumerError | null;
}

export interface SettleCall {
  readonly principal: string;
  readonly items: readonly SettleItem[];
  /** Only for extend; null: the subscription's own. */
  readonly visibilityTimeoutSeconds: number | null;
}

export interface SettleBatch {
  readonly topicId: number;
  readonly subscriptionId: number;
  readonly calls: readonly SettleCall[];
}

export interface ItemOutcome {
  readonly outcome: Outcome;
  readonly messageId: Buffer | null;
  readonly ackNo: number | null;
  readonly acknowledgedAt: Date | null;
  /** After extend the end of the lease; after release when the message may be handed out again (null: never). */
  readonly dueAt: Date | null;
}

/** By call, then by item. */
export type SettleOutcome =
  | { readonly outcome: 'settled'; readonly calls: readonly (readonly ItemOutcome[])[] }
  | { readonly outcome: 'busy' | 'subscription_not_found' };

export type SettlingStore = ReturnType<typeof createSettlingStore>;

interface Row {
  batch: number;
  outcome: Outcome | 'busy' | 'subscription_not_found';
  /** Of an acknowledged run: the group and its sequences; null for single entries. */
  grp?: number | null;
  seqs?: number[] | null;
  message_ids?: (Buffer | null)[] | null;
  entry: number | null;
  message_id?: Buffer | null;
  ack_no: number | null;
  acknowledged_at: Date | null;
  due_at?: Date | null;
}

const GROUPS = `from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[])
  with ordinality b (topic_id, subscription_id, first, last, no)`;

export function createSettlingStore(db: Db) {
  const acknowledge = db.prepare(
    'acknowledge',
    `select b.no::integer as batch, r.outcome, r.grp, r.entry, r.seqs, r.message_ids, r.ack_no, r.acknowledged_at
     ${GROUPS}
     cross join lateral willcall.acknowledge(
       b.topic_id, b.subscription_id, $5::boolean, $6::boolean, b.first, b.last, $7::bigint[], $8::bigint[], $9::text[],
       $10::integer[], $11::integer[], $12::bigint[], $13::text[]
     ) r`,
  );
  const acknowledgePlain = db.prepare(
    'acknowledge_plain',
    `select r.batch, r.outcome, r.grp, null::integer as entry, r.seqs, r.message_ids, r.ack_no, r.acknowledged_at
     from willcall.acknowledge_plain(
       $1::integer[], $2::integer[], $3::integer[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[],
       $8::integer[], $9::integer[], $10::bigint[], $11::text[]
     ) r`,
  );
  const release = db.prepare(
    'release',
    `select b.no::integer as batch, r.outcome, r.entry, r.message_id, r.ack_no, r.acknowledged_at, r.available_at as due_at
     ${GROUPS}
     cross join lateral willcall.release(
       b.topic_id, b.subscription_id, $5::boolean, b.first, b.last, $6::bigint[], $7::bigint[], $8::text[],
       $9::integer[], $10::integer[], $11::bigint[], $12::double precision[], $13::text[], $14::text[]
     ) r`,
  );
  const reject = db.prepare(
    'reject',
    `select b.no::integer as batch, r.outcome, r.entry, r.message_id, r.ack_no, r.acknowledged_at
     ${GROUPS}
     cross join lateral willcall.reject(
       b.topic_id, b.subscription_id, $5::boolean, b.first, b.last, $6::bigint[], $7::bigint[], $8::text[],
       $9::integer[], $10::integer[], $11::bigint[], $12::text[], $13::text[]
     ) r`,
  );
  const extend = db.prepare(
    'extend',
    `select b.no::integer as batch, r.outcome, r.entry, r.message_id, r.ack_no, r.acknowledged_at, r.expires_at as due_at
     ${GROUPS}
     cross join lateral willcall.extend(
       b.topic_id, b.subscription_id, $5::boolean, b.first, b.last, $6::bigint[], $7::bigint[], $8::integer[],
       $9::integer[], $10::integer[], $11::bigint[]
     ) r`,
  );

  /** Batches must be in order of topic id, then subscription id. */
  const settle = async (
    statement: HotStatement,
    batches: readonly SettleBatch[],
    valuesOf: (packed: Packed) => unknown[],
  ): Promise<SettleOutcome[]> => {
    if (batches.length === 0) return [];
    const packed = pack(batches);
    const rows = await db.call<Row>(statement, [
      batches.map((batch) => batch.topicId),
      batches.map((batch) => batch.subscriptionId),
      packed.batchFirsts,
      packed.batchLasts,
      ...valuesOf(packed),
    ]);
    return unpack(batches, packed, rows);
  };

  const acknowledgeEach = (batches: readonly SettleBatch[], wait: boolean, atomic: boolean) =>
    settle(acknowledge, batches, (p) => [
      ...[wait, atomic, p.deliveryNos, p.nonces, p.principals, p.entryFirsts, p.entryLasts, p.sequences],
      referencesOf(p),
    ]);

  /** The plain ones in one statement, then the others; what a batch of them says, or null while it is not done. */
  const acknowledgePlainly = async (batches: readonly SettleBatch[]): Promise<(SettleOutcome | null)[]> => {
    const plain = batches.filter(namesEachOnce);
    const settled = await settle(acknowledgePlain, plain, (p) => [
      ...[p.deliveryNos, p.nonces, p.principals, p.entryFirsts, p.entryLasts, p.sequences],
      referencesOf(p),
    ]);
    const outcomes = new Map(plain.map((batch, i) => [batch, settled[i]]));
    return batches.map((batch) => {
      const outcome = outcomes.get(batch);
      const done = outcome !== undefined && (outcome.outcome !== 'settled' || outcome.calls.every(isWhole));
      return done ? outcome : null;
    });
  };

  return {
    /** `atomic` is for a flush of one call only. */
    acknowledge: async (batches: readonly SettleBatch[], wait: boolean, atomic: boolean): Promise<SettleOutcome[]> => {
      // Who waits for a lock takes it once.
      if (wait || atomic) return acknowledgeEach(batches, wait, atomic);
      const outcomes = await acknowledgePlainly(batches);
      const others = await acknowledgeEach(
        batches.filter((_, i) => outcomes[i] === null),
        wait,
        false,
      );
      return outcomes.map((outcome) => outcome ?? (others.shift() as SettleOutcome));
    },
    release: (batches: readonly SettleBatch[], wait: boolean) =>
      settle(release, batches, (p) => [
        ...[wait, p.deliveryNos, p.nonces, p.principals, p.entryFirsts, p.entryLasts, p.sequences],
        p.items.map((item) => item.delaySeconds),
        ...errorsOf(p),
      ]),
    reject: (batches: readonly SettleBatch[], wait: boolean) =>
      settle(reject, batches, (p) => [
        ...[wait, p.deliveryNos, p.nonces, p.principals, p.entryFirsts, p.entryLasts, p.sequences],
        ...errorsOf(p),
      ]),
    extend: (batches: readonly SettleBatch[], wait: boolean) =>
      settle(extend, batches, (p) => [
        ...[wait, p.deliveryNos, p.nonces, p.visibilityTimeouts, p.entryFirsts, p.entryLasts, p.sequences],
      ]),
  };
}

/** Parallel arrays as the SQL functions take them; numbers in them count from 1. */
interface Packed {
  readonly batchFirsts: number[];
  readonly batchLasts: number[];
  readonly deliveryNos: number[];
  readonly nonces: bigint[];
  readonly principals: string[];
  readonly visibilityTimeouts: (number | null)[];
  readonly entryFirsts: number[];
  readonly entryLasts: number[];
  readonly sequences: number[];
  readonly items: SettleItem[];
  /** By entry: where its outcome belongs. */
  readonly places: { batch: number; call: number; item: number }[];
}

/** Every result is there: what the statement leaves out, it has not done. */
function isWhole(results: readonly (ItemOutcome | undefined)[]): boolean {
  for (let i = 0; i < results.length; i += 1) if (results[i] === undefined) return false;
  return true;
}

function namesEachOnce({ calls }: SettleBatch): boolean {
  const seen = new Set<number>();
  let named = 0;
  for (const { items } of calls) {
    named += items.length;
    for (const { sequence } of items) seen.add(sequence);
  }
  return seen.size === named;
}

function referencesOf({ items }: Packed): (string | null)[] | null {
  return items.some(({ reference }) => reference !== null) ? items.map(({ reference }) => reference) : null;
}

function errorsOf(packed: Packed): unknown[] {
  return [
    packed.items.map((item) => item.error?.code ?? null),
    packed.items.map((item) => item.error?.message ?? null),
  ];
}

function pack(batches: readonly SettleBatch[]): Packed {
  const packed: Packed = {
    ...{ batchFirsts: [], batchLasts: [], deliveryNos: [], nonces: [], principals: [], visibilityTimeouts: [] },
    ...{ entryFirsts: [], entryLasts: [], sequences: [], items: [], places: [] },
  };
  for (const [batch, { calls }] of batches.entries()) {
    packed.batchFirsts.push(packed.deliveryNos.length + 1);
    for (const [call, { items, principal, visibilityTimeoutSeconds }] of calls.entries()) {
      for (const group of groupByDelivery(items)) {
        packed.entryFirsts.push(packed.items.length + 1);
        for (const { item, index } of group) {
          packed.items.push(item);
          packed.sequences.push(item.sequence);
          packed.places.push({ batch, call, item: index });
        }
        packed.entryLasts.push(packed.items.length);
        packed.deliveryNos.push(group[0]?.item.deliveryNo ?? 0);
        packed.nonces.push(group[0]?.item.nonce ?? 0n);
        packed.principals.push(principal);
        packed.visibilityTimeouts.push(visibilityTimeoutSeconds);
      }
    }
    packed.batchLasts.push(packed.deliveryNos.length);
  }
  return packed;
}

function groupByDelivery(items: readonly SettleItem[]): { item: SettleItem; index: number }[][] {
  const groups = new Map<string, { item: SettleItem; index: number }[]>();
  for (const [index, item] of items.entries()) {
    const key = `${item.deliveryNo} ${item.nonce}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ item, index }]);
    else group.push({ item, index });
  }
  return [...groups.values()];
}

function unpack(batches: readonly SettleBatch[], packed: Packed, rows: readonly Row[]): SettleOutcome[] {
  const outcomes: SettleOutcome[] = [];
  const settled = batches.map((batch) => batch.calls.map((call) => new Array<ItemOutcome>(call.items.length)));
  const place = (entry: number, outcome: ItemOutcome): void => {
    const { batch, call, item } = packed.places[entry - 1] ?? { batch: -1, call: -1, item: -1 };
    const results = settled[batch]?.[call];
    // What a run settled stands; a duplicate of it in the same call has a row of its own.
    if (results !== undefined && results[item] === undefined) results[item] = outcome;
  };
  for (const row of rows) {
    if (row.outcome === 'busy' || row.outcome === 'subscription_not_found') {
      outcomes[row.batch - 1] = { outcome: row.outcome };
    } else if (row.seqs) {
      placeRun(row as RunRow, packed, place);
    } else if (row.entry !== null) {
      place(row.entry, {
        outcome: row.outcome,
        messageId: row.message_id ?? row.message_ids?.[0] ?? null,
        ackNo: row.ack_no,
        acknowledgedAt: row.acknowledged_at,
        dueAt: row.due_at ?? null,
      });
    }
  }
  return batches.map((_, i) => outcomes[i] ?? { outcome: 'settled', calls: settled[i] ?? [] });
}

type RunRow = Row & { outcome: Outcome; grp: number; seqs: number[] };

/** A run is what one statement acknowledged of a group: sequences in order, with consecutive numbers in the ledger. */
function placeRun(row: RunRow, packed: Packed, place: (entry: number, outcome: ItemOutcome) => void): void {
  const rank = new Map(row.seqs.map((sequence, i) => [sequence, i]));
  const last = packed.entryLasts[row.grp - 1] ?? 0;
  for (let entry = packed.entryFirsts[row.grp - 1] ?? 1; entry <= last; entry += 1) {
    const i = rank.get(packed.sequences[entry - 1] ?? -1);
    if (i === undefined) continue;
    // Only the first entry of a sequence was settled by the run.
    rank.delete(packed.sequences[entry - 1] ?? -1);
    place(entry, {
      outcome: row.outcome,
      messageId: row.message_ids?.[i] ?? null,
      ackNo: (row.ack_no ?? 0) + i,
      acknowledgedAt: row.acknowledged_at,
      dueAt: null,
    });
  }
}
