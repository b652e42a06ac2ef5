// The SQL of the usual design: each call is one named (prepared) statement and so one transaction.

import { isUtf8 } from 'node:buffer';
import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';

export interface NewMessage {
  readonly body: Buffer;
  readonly contentType: string;
  readonly attributes: Readonly<Record<string, string>> | undefined;
  readonly orderingKey: string | undefined;
}

export interface ReceivedMessage {
  readonly id: string;
  readonly attempts: number;
  readonly published_at: Date;
  readonly visible_at: Date;
  readonly content_type: string;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly ordering_key: string | null;
  readonly body: Buffer;
}

export interface Delivery {
  readonly lease: string;
  readonly messages: readonly ReceivedMessage[];
}

export interface Receipt {
  readonly id: string;
  readonly lease: string;
}

const PUBLISH = `
  insert into message (queue_id, content_type, attributes, ordering_key, body, body_sha256)
  select $1, m.content_type, m.attributes::jsonb, m.ordering_key, m.body, m.body_sha256
  from unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[])
    as m (content_type, attributes, ordering_key, body, body_sha256)
  returning id`;

const RECEIVE = `
  with claimed as (
    select m.queue_id, m.id
    from message m
    where m.queue_id = $1 and m.visible_at <= now()
    order by m.visible_at, m.id
    limit $2
    for update skip locked
  )
  update message m
  set visible_at = now() + make_interval(secs => $3), attempts = m.attempts + 1, lease = $4
  from claimed c
  where m.queue_id = c.queue_id and m.id = c.id
  returning m.id, m.attempts, m.published_at, m.visible_at, m.content_type, m.attributes, m.ordering_key, m.body`;

const ACKNOWLEDGE = `
  with deleted as (
    delete from message m
    where m.queue_id = $1 and m.id = any ($2::bigint[]) and m.lease = $3
    returning m.id, m.attempts, m.published_at, m.body_sha256, length(m.body) as body_bytes
  )
  insert into acknowledgment
    (queue_id, id, attempt, lease, published_at, body_sha256, body_bytes, acknowledged_by)
  select $1, d.id, d.attempts, $3, d.published_at, d.body_sha256, d.body_bytes, $4
  from deleted d
  returning id`;

export class RowQueue {
  readonly #pool: pg.Pool;
  readonly #queueIds = new Map<string, number>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async create(queue: string): Promise<void> {
    await this.#pool.query('insert into queue (name) values ($1) on conflict do nothing', [queue]);
  }

  /** Ids in the order of the messages; null when there is no such queue. */
  async publish(queue: string, messages: readonly NewMessage[]): Promise<string[] | null> {
    const queueId = await this.#findId(queue);
    if (queueId === null) {
      return null;
    }
    const result = await this.#pool.query<{ id: string }>({
      name: 'publish',
      text: PUBLISH,
      values: [
        queueId,
        messages.map((message) => message.contentType),
        messages.map((message) => (message.attributes === undefined ? null : JSON.stringify(message.attributes))),
        messages.map((message) => message.orderingKey ?? null),
        messages.map((message) => message.body),
        messages.map((message) => createHash('sha256').update(message.body).digest()),
      ],
    });
    return result.rows.map((row) => row.id);
  }

  /** The oldest visible messages, under one lease; null when there is no such queue. */
  async receive(queue: string, options: { max: number; timeoutSeconds: number }): Promise<Delivery | null> {
    const queueId = await this.#findId(queue);
    if (queueId === null) {
      return null;
    }
    const lease = randomUUID();
    const { rows } = await this.#pool.query<ReceivedMessage>({
      name: 'receive',
      text: RECEIVE,
      values: [queueId, options.max, options.timeoutSeconds, lease],
    });
    // An update returns its rows in no particular order.
    return { lease, messages: rows.toSorted((a, b) => Number(a.id) - Number(b.id)) };
  }

  /**
   * Which ids were deleted and recorded; the others' leases are not theirs any more. Null when
   * there is no such queue.
   */
  async acknowledge(queue: string, receipts: readonly Receipt[], principal: string): Promise<Set<string> | null> {
    const queueId = await this.#findId(queue);
    if (queueId === null) {
      return null;
    }
    const done = new Set<string>();
    // Receipts of one receive share its lease, so this is nearly always one statement.
    for (const [lease, group] of Map.groupBy(receipts, (receipt) => receipt.lease)) {
      const { rows } = await this.#pool.query<{ id: string }>({
        name: 'acknowledge',
        text: ACKNOWLEDGE,
        values: [queueId, group.map((receipt) => receipt.id), lease, principal],
      });
      for (const row of rows) {
        done.add(row.id);
      }
    }
    return done;
  }

  async #findId(queue: string): Promise<number | null> {
    const known = this.#queueIds.get(queue);
    if (known !== undefined) {
      return known;
    }
    const { rows } = await this.#pool.query<{ queue_id: number }>('select queue_id from queue where name = $1', [
      queue,
    ]);
    const found = rows[0]?.queue_id;
    if (found !== undefined) {
      this.#queueIds.set(queue, found);
    }
    return found ?? null;
  }
}

/** A body as JSON can carry it. */
export function encodeBody(body: Buffer): { body: string; body_encoding: 'utf8' | 'base64' } {
  return isUtf8(body)
    ? { body: body.toString('utf8'), body_encoding: 'utf8' }
    : { body: body.toString('base64'), body_encoding: 'base64' };
}
