// What falls due: leases that end, deferred messages that may be delivered again, delayed messages
// that enter the log.

import { firstsOf, runningTotals } from './packing/slices.ts';
import type { Db } from './postgres/db.ts';

export interface DueLease {
  readonly topicId: number;
  readonly subscriptionId: number;
  readonly deliveryNo: number;
  readonly leaseNo: number;
  readonly dueAt: Date;
}

export interface FallingDue {
  /** The database's clock when it looked. */
  readonly checkedAt: Date;
  readonly leases: readonly DueLease[];
  /** The earliest of each subscription. */
  readonly deferred: readonly { topicId: number; subscriptionId: number; dueAt: Date }[];
  readonly scheduled: readonly { topicId: number; scheduledNo: number; dueAt: Date }[];
}

export interface ExpireBatch {
  readonly topicId: number;
  readonly subscriptionId: number;
  readonly leases: readonly { deliveryNo: number; leaseNo: number }[];
}

export interface ExpireOutcome {
  readonly outcome: 'expired' | 'busy';
  /** How many attempts ended, and how many of those messages were quarantined. */
  readonly ended: number;
  readonly dead: number;
}

export type FallingDueStore = ReturnType<typeof createFallingDueStore>;

interface DueRow {
  checked_at: Date;
  kind: 'clock' | 'lease' | 'deferred' | 'scheduled';
  topic_id: number;
  subscription_id: number;
  delivery_no: number;
  lease_no: number;
  scheduled_no: number;
  due_at: Date;
}

export function createFallingDueStore(db: Db) {
  const fallingDue = db.prepare(
    'falling_due',
    `select * from willcall.falling_due(
       $1::timestamptz, $2::timestamptz, $3::double precision * interval '1 millisecond', $4::integer
     )`,
  );
  const expire = db.prepare(
    'expire',
    `select r.outcome, coalesce(r.ended, 0) as ended, coalesce(r.dead, 0) as dead
     from unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[])
       b (topic_id, subscription_id, first, last)
     cross join lateral willcall.expire(
       b.topic_id, b.subscription_id, $5::boolean, b.first, b.last, $6::bigint[], $7::integer[]
     ) r`,
  );
  const append = db.prepare(
    'append_scheduled',
    'select willcall.append_scheduled($1::integer, $2::bigint[]) as appended',
  );

  return {
    /**
     * Leases and delayed messages due between `floor` (null: from the beginning) and `aheadMs` from
     * now, deferred ones between `deferredFloor` and then; at most `limit` rows of each.
     */
    find: async (
      floor: Date | null,
      deferredFloor: Date | null,
      aheadMs: number,
      limit: number,
    ): Promise<FallingDue> => {
      const values = [floor ?? '-infinity', deferredFloor ?? '-infinity', aheadMs, limit];
      const rows = await db.call<DueRow>(fallingDue, values);
      const of = (kind: DueRow['kind']) => rows.filter((row) => row.kind === kind);
      const ids = (row: DueRow) => ({ topicId: row.topic_id, subscriptionId: row.subscription_id, dueAt: row.due_at });
      return {
        checkedAt: rows[0]?.checked_at ?? new Date(),
        leases: of('lease').map((row) => ({ ...ids(row), deliveryNo: row.delivery_no, leaseNo: row.lease_no })),
        deferred: of('deferred').map(ids),
        scheduled: of('scheduled').map((row) => ({
          topicId: row.topic_id,
          scheduledNo: row.scheduled_no,
          dueAt: row.due_at,
        })),
      };
    },

    /** Batches must be in order of topic id, then subscription id. */
    expire: async (batches: readonly ExpireBatch[], wait: boolean): Promise<ExpireOutcome[]> => {
      const counts = batches.map((batch) => batch.leases.length);
      const leases = batches.flatMap((batch) => batch.leases);
      return db.call<ExpireOutcome>(expire, [
        batches.map((batch) => batch.topicId),
        batches.map((batch) => batch.subscriptionId),
        firstsOf(counts),
        runningTotals(counts),
        wait,
        leases.map((lease) => lease.deliveryNo),
        leases.map((lease) => lease.leaseNo),
      ]);
    },

    /** How many of these entered the topic's log; the others were not due, or there already. */
    appendScheduled: async (topicId: number, scheduledNos: readonly number[]): Promise<number> => {
      const rows = await db.call<{ appended: number }>(append, [topicId, scheduledNos]);
      return rows[0]?.appended ?? 0;
    },
  };
}
