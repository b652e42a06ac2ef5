// Packs batches of receipts into the parallel arrays that the settling functions take, and unpacks
// their rows. Receipts of one delivery that callers settle in the same way are a group: they share
// a nonce and its leases, which are read once for each group.

import type { ConsumerError, Outcome } from '../../domain/settling.ts';
import type { Db } from '../postgres/db.ts';
import type { HotStatement } from '../postgres/hot-call.ts';

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
  /** The key that the call came with; null for the admin key. */
  readonly keyId: string | null;
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
  /** What the ledger keeps with the acknowledgment; null without one. */
  readonly reference: string | null;
  /**
   * After extend, the end of the lease; after release, when the message may be delivered again
   * (null: never).
   */
  readonly dueAt: Date | null;
}

/** By call, then by item. */
export type SettleOutcome =
  | { readonly outcome: 'settled'; readonly calls: readonly (readonly ItemOutcome[])[] }
  | { readonly outcome: 'busy' | 'subscription_not_found' };

/** A row of a settling statement: of a batch, a group or an entry. */
export interface SettleRow {
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
  /** Of a message that was acknowledged before. */
  reference?: string | null;
  due_at?: Date | null;
}

/** Runs a settling statement. Batches must be in order of topic id, then subscription id. */
export async function settleBatches(
  db: Db,
  statement: HotStatement,
  batches: readonly SettleBatch[],
  valuesOf: (packed: Packed) => unknown[],
): Promise<SettleOutcome[]> {
  const packed = pack(batches);
  const rows = await db.call<SettleRow>(statement, batchValues(batches, packed, valuesOf));
  return unpack(batches, packed, rows);
}

/** The parameters that all settling statements begin with, and the verb's own. */
export function batchValues(
  batches: readonly SettleBatch[],
  packed: Packed,
  valuesOf: (packed: Packed) => unknown[],
): unknown[] {
  return [
    batches.map((batch) => batch.topicId),
    batches.map((batch) => batch.subscriptionId),
    packed.batchFirsts,
    packed.batchLasts,
    ...valuesOf(packed),
  ];
}

/** Parallel arrays as the SQL functions take them; numbers in them count from 1. */
export interface Packed {
  readonly batchFirsts: number[];
  readonly batchLasts: number[];
  readonly deliveryNos: number[];
  readonly nonces: bigint[];
  readonly principals: string[];
  readonly keyIds: (string | null)[];
  readonly visibilityTimeouts: (number | null)[];
  readonly entryFirsts: number[];
  readonly entryLasts: number[];
  readonly sequences: number[];
  readonly items: SettleItem[];
  /** By entry: where its outcome belongs. */
  readonly places: { batch: number; call: number; item: number }[];
}

export function pack(batches: readonly SettleBatch[]): Packed {
  const packed: Packed = {
    batchFirsts: [],
    batchLasts: [],
    deliveryNos: [],
    nonces: [],
    principals: [],
    keyIds: [],
    visibilityTimeouts: [],
    entryFirsts: [],
    entryLasts: [],
    sequences: [],
    items: [],
    places: [],
  };
  for (const [batch, { calls }] of batches.entries()) {
    packed.batchFirsts.push(packed.deliveryNos.length + 1);
    for (const { settler, entries } of groupByDelivery(calls)) {
      packed.entryFirsts.push(packed.items.length + 1);
      for (const { item, call, index } of entries) {
        packed.items.push(item);
        packed.sequences.push(item.sequence);
        packed.places.push({ batch, call, item: index });
      }
      packed.entryLasts.push(packed.items.length);
      packed.deliveryNos.push(entries[0]?.item.deliveryNo ?? 0);
      packed.nonces.push(entries[0]?.item.nonce ?? 0n);
      packed.principals.push(settler.principal);
      packed.keyIds.push(settler.keyId);
      packed.visibilityTimeouts.push(settler.visibilityTimeoutSeconds);
    }
    packed.batchLasts.push(packed.deliveryNos.length);
  }
  return packed;
}

interface Group {
  readonly settler: SettleCall;
  readonly entries: { readonly item: SettleItem; readonly call: number; readonly index: number }[];
}

/** Receipts of one delivery, of all calls that differ in nothing else that a group has once. */
function groupByDelivery(calls: readonly SettleCall[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [call, settler] of calls.entries()) {
    const { principal, keyId, visibilityTimeoutSeconds } = settler;
    for (const [index, item] of settler.items.entries()) {
      const key = `${item.deliveryNo} ${item.nonce} ${visibilityTimeoutSeconds} ${keyId} ${principal}`;
      const entry = { item, call, index };
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { settler, entries: [entry] });
      else group.entries.push(entry);
    }
  }
  return [...groups.values()];
}

function unpack(batches: readonly SettleBatch[], packed: Packed, rows: readonly SettleRow[]): SettleOutcome[] {
  const outcomes: SettleOutcome[] = [];
  const settled = batches.map((batch) => batch.calls.map((call) => new Array<ItemOutcome>(call.items.length)));
  const place = (entry: number, outcome: ItemOutcome): void => {
    const { batch, call, item } = packed.places[entry - 1] ?? { batch: -1, call: -1, item: -1 };
    const results = settled[batch]?.[call];
    // An existing outcome stays; a duplicate in the same call has a row of its own.
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
        reference: row.reference ?? newReference(row.outcome, packed.items[row.entry - 1]),
        dueAt: row.due_at ?? null,
      });
    }
  }
  return batches.map((_, i) => outcomes[i] ?? { outcome: 'settled', calls: settled[i] ?? [] });
}

type RunRow = SettleRow & { outcome: Outcome; grp: number; seqs: number[] };

/** A run: sequences of a group in order, acknowledged with consecutive numbers in the ledger. */
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
      reference: newReference(row.outcome, packed.items[entry - 1]),
      dueAt: null,
    });
  }
}

/** The given reference, where it is in the ledger now. */
export function newReference(outcome: string, item: SettleItem | undefined): string | null {
  return outcome === 'acknowledged' || outcome === 'acknowledged_late' ? (item?.reference ?? null) : null;
}
