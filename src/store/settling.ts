// Settling: one statement per verb settles receipts of many callers and subscriptions.

import { createAcknowledging } from './acknowledging.ts';
import { type Packed, type SettleBatch, settleBatches } from './packing/settle-batches.ts';
import type { Db } from './postgres/db.ts';

export type { ItemOutcome, SettleBatch, SettleCall, SettleItem, SettleOutcome } from './packing/settle-batches.ts';

export type SettlingStore = ReturnType<typeof createSettlingStore>;

const GROUPS = `from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[])
  with ordinality b (topic_id, subscription_id, first, last, no)`;

export function createSettlingStore(db: Db) {
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

  return {
    acknowledge: createAcknowledging(db),
    release: (batches: readonly SettleBatch[], wait: boolean) =>
      settleBatches(db, release, batches, (p) => [
        wait,
        p.deliveryNos,
        p.nonces,
        p.principals,
        p.entryFirsts,
        p.entryLasts,
        p.sequences,
        p.items.map((item) => item.delaySeconds),
        ...errorsOf(p),
      ]),
    reject: (batches: readonly SettleBatch[], wait: boolean) =>
      settleBatches(db, reject, batches, (p) => [
        wait,
        p.deliveryNos,
        p.nonces,
        p.principals,
        p.entryFirsts,
        p.entryLasts,
        p.sequences,
        ...errorsOf(p),
      ]),
    extend: (batches: readonly SettleBatch[], wait: boolean) =>
      settleBatches(db, extend, batches, (p) => [
        wait,
        p.deliveryNos,
        p.nonces,
        p.visibilityTimeouts,
        p.entryFirsts,
        p.entryLasts,
        p.sequences,
      ]),
  };
}

function errorsOf(packed: Packed): unknown[] {
  return [
    packed.items.map((item) => item.error?.code ?? null),
    packed.items.map((item) => item.error?.message ?? null),
  ];
}
