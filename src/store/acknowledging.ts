// Acknowledging: plain batches in one statement for many subscriptions, the others by a function
// call each.

import { messageIdBytes } from '../domain/message-id.ts';
import type { Outcome } from '../domain/settling.ts';
import {
  batchValues,
  type ItemOutcome,
  newReference,
  type Packed,
  pack,
  type SettleBatch,
  type SettleOutcome,
  settleBatches,
} from './packing/settle-batches.ts';
import { plainFirst } from './plain-first.ts';
import type { Db } from './postgres/db.ts';

/** A row of the plain statement: a group, or a batch whose lock is busy. */
interface PlainRow {
  batch: number;
  outcome: Outcome | 'busy';
  grp: number | null;
  /** One after the other, in the order of the group's entries. */
  ids: Buffer | null;
  /** Of the first entry; those behind it follow. */
  ack_no: number | null;
  acknowledged_at: Date | null;
}

export function createAcknowledging(db: Db) {
  const acknowledge = db.prepare(
    'acknowledge',
    `select b.no::integer as batch, r.outcome, r.grp, r.entry, r.seqs, r.message_ids, r.ack_no,
       r.acknowledged_at, r.reference
     from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[])
       with ordinality b (topic_id, subscription_id, first, last, no)
     cross join lateral willcall.acknowledge(
       b.topic_id, b.subscription_id, $5::boolean, $6::boolean, b.first, b.last, $7::bigint[], $8::bigint[], $9::text[],
       $10::text[], $11::integer[], $12::integer[], $13::bigint[], $14::text[]
     ) r`,
  );
  const acknowledgePlain = db.prepare(
    'acknowledge_plain',
    `select r.batch, r.outcome, r.grp, r.ids, r.ack_no, r.acknowledged_at
     from willcall.acknowledge_plain(
       $1::integer[], $2::integer[], $3::integer[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[],
       $8::text[], $9::integer[], $10::integer[], $11::bigint[], $12::text[]
     ) r`,
  );
  function acknowledgeEach(batches: readonly SettleBatch[], wait: boolean, atomic: boolean) {
    return settleBatches(db, acknowledge, batches, (p) => [
      wait,
      atomic,
      p.deliveryNos,
      p.nonces,
      p.principals,
      keyIdsOf(p),
      p.entryFirsts,
      p.entryLasts,
      p.sequences,
      referencesOf(p),
    ]);
  }

  /** By batch; those that the statement left out have no outcome. */
  async function acknowledgeTogether(batches: readonly SettleBatch[]): Promise<(SettleOutcome | undefined)[]> {
    const packed = pack(batches);
    const values = batchValues(batches, packed, (p) => [
      p.deliveryNos,
      p.nonces,
      p.principals,
      keyIdsOf(p),
      p.entryFirsts,
      p.entryLasts,
      p.sequences,
      referencesOf(p),
    ]);
    return unpackPlain(batches, packed, await db.call<PlainRow>(acknowledgePlain, values));
  }

  /** `atomic` is for a flush of one call only. */
  return (batches: readonly SettleBatch[], wait: boolean, atomic: boolean): Promise<SettleOutcome[]> =>
    plainFirst({
      groups: batches,
      wait,
      isPlain: (batch) => !atomic && namesEachOnce(batch),
      fastPath: acknowledgeTogether,
      perGroup: (others) => acknowledgeEach(others, wait, atomic),
    });
}

function unpackPlain(
  batches: readonly SettleBatch[],
  packed: Packed,
  rows: readonly PlainRow[],
): (SettleOutcome | undefined)[] {
  const outcomes: (SettleOutcome | undefined)[] = batches.map(() => undefined);
  for (const row of rows) {
    const i = row.batch - 1;
    if (row.outcome === 'busy') {
      outcomes[i] = { outcome: 'busy' };
      continue;
    }
    outcomes[i] ??= { outcome: 'settled', calls: batches[i]?.calls.map(({ items }) => Array(items.length)) ?? [] };
    placeGroup(row, outcomes[i], packed);
  }
  return outcomes;
}

function placeGroup(row: PlainRow, settled: SettleOutcome, packed: Packed): void {
  if (settled.outcome !== 'settled' || row.outcome === 'busy' || row.grp === null) return;
  const first = packed.entryFirsts[row.grp - 1] ?? 1;
  const last = packed.entryLasts[row.grp - 1] ?? 0;
  for (let entry = first; entry <= last; entry += 1) {
    const { call, item } = packed.places[entry - 1] ?? { call: -1, item: -1 };
    const nth = entry - first;
    (settled.calls[call] as ItemOutcome[])[item] = {
      outcome: row.outcome,
      messageId: row.ids?.subarray(nth * messageIdBytes, (nth + 1) * messageIdBytes) ?? null,
      ackNo: (row.ack_no ?? 0) + nth,
      acknowledgedAt: row.acknowledged_at,
      reference: newReference(row.outcome, packed.items[entry - 1]),
      dueAt: null,
    };
  }
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

function keyIdsOf({ keyIds }: Packed): (string | null)[] | null {
  return keyIds.some((keyId) => keyId !== null) ? keyIds : null;
}

function referencesOf({ items }: Packed): (string | null)[] | null {
  return items.some(({ reference }) => reference !== null) ? items.map(({ reference }) => reference) : null;
}
