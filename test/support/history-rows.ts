// What the database holds at the end of a history, read by a plain client as the owner. Instants
// are microseconds since 1970, exact; ranges are lists of sequences.

import { Client, types } from 'pg';
import type { TestDatabase } from './database.ts';

/** Microseconds since 1970, by the database's clock. */
export type Micros = number;

export interface TopicRow {
  topicId: number;
  name: string;
}
export interface SubscriptionRow {
  topicId: number;
  subscriptionId: number;
  name: string;
  visibilityTimeoutSeconds: number;
  maxAttempts: number;
  maxDeliveries: number;
  minBackoffSeconds: number;
  maxBackoffSeconds: number;
}
export interface MessageRow {
  topicId: number;
  seq: number;
  publishedAt: Micros;
  publishedBy: string;
  messageId: string;
  body: string;
}
interface OfSubscription {
  subscriptionId: number;
}
export interface DeliveryRow extends OfSubscription {
  deliveryNo: number;
  head: number;
  at: Micros;
  generation: number;
  kind: 'start' | 'deliver' | 'skip' | 'seek' | 'purge' | 'expire';
  principal: string;
  /** As text, because it takes all 64 bits. */
  nonce: string | null;
  handed: number[];
}
export interface LeaseRow extends OfSubscription {
  deliveryNo: number;
  attempt: number;
  failures: number;
  expiresAt: Micros;
  outstanding: number[];
}
export interface DeferredRow extends OfSubscription {
  seq: number;
  availableAt: Micros;
  attempt: number;
  failures: number;
}
export interface FailureRow extends OfSubscription {
  seq: number;
  generation: number;
  attempt: number;
  deliveryNo: number;
  endedAt: Micros;
  ended: 'expired' | 'released' | 'rejected';
  endedBy: string | null;
  errorCode: string | null;
  deadLetterNo: number | null;
}
export interface AcknowledgmentRow extends OfSubscription {
  ackNo: number;
  seq: number;
  deliveryNo: number;
  deliveredAt: Micros;
  acknowledgedAt: Micros;
  generation: number;
  attempt: number;
  late: boolean;
  messageId: string;
  acknowledgedBy: string;
  reference: string | null;
}
export interface DeadLetterRow extends OfSubscription {
  deadLetterNo: number;
  reason: 'max_attempts' | 'max_deliveries' | 'rejected' | 'retention' | 'expired';
  seq: number;
  seqLast: number;
  attempts: number | null;
  messageId: string | null;
  body: string | null;
  failedAttempts: number;
  closed: boolean;
}

export interface Rows {
  /** When they were read. */
  readAt: Micros;
  topics: TopicRow[];
  subscriptions: SubscriptionRow[];
  messages: MessageRow[];
  deliveries: DeliveryRow[];
  leases: LeaseRow[];
  deferred: DeferredRow[];
  failures: FailureRow[];
  acknowledgments: AcknowledgmentRow[];
  deadLetters: DeadLetterRow[];
}

const INT8 = 20;
const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;
const id = (column: string) => `translate(encode(${column}, 'base64'), '+/=', '-_')`;
const hex = (column: string) => `encode(${column}, 'hex')`;
const members = (column: string) =>
  `array(select s::integer from unnest(${column}) r cross join generate_series(lower(r), upper(r) - 1) s order by s)`;

type Table = Exclude<keyof Rows, 'readAt'>;

const from = (table: string) =>
  `from willcall.${table} where ($1::integer[] is null or topic_id = any ($1::integer[]))`;

const statements: Record<Table, string> = {
  topics: `select topic_id as "topicId", name ${from('topic')} order by topic_id`,
  subscriptions: `
    select topic_id as "topicId", subscription_id as "subscriptionId", name,
      visibility_timeout_seconds as "visibilityTimeoutSeconds", max_attempts as "maxAttempts",
      max_deliveries as "maxDeliveries", min_backoff_seconds as "minBackoffSeconds",
      max_backoff_seconds as "maxBackoffSeconds"
    ${from('subscription')} order by subscription_id`,
  messages: `
    select topic_id as "topicId", seq, ${micros('published_at')} as "publishedAt", published_by as "publishedBy",
      ${id('message_id')} as "messageId", encode(sha256(body), 'hex') as body
    ${from('message')} order by topic_id, seq`,
  deliveries: `
    select subscription_id as "subscriptionId", delivery_no as "deliveryNo", head, ${micros('at')} as at, generation, kind,
      principal, nonce::text as nonce, ${members('handed')} as handed
    ${from('delivery')} order by subscription_id, delivery_no`,
  leases: `
    select subscription_id as "subscriptionId", delivery_no as "deliveryNo", attempt, failures,
      ${micros('expires_at')} as "expiresAt", ${members('outstanding')} as outstanding
    ${from('lease')} order by subscription_id, delivery_no, lease_no`,
  deferred: `
    select subscription_id as "subscriptionId", seq, ${micros('available_at')} as "availableAt", attempt, failures
    ${from('deferred')} order by subscription_id, seq`,
  failures: `
    select subscription_id as "subscriptionId", seq, generation, attempt, delivery_no as "deliveryNo",
      ${micros('ended_at')} as "endedAt", ended, ended_by as "endedBy", error_code as "errorCode",
      dead_letter_no as "deadLetterNo"
    ${from('failure')} order by subscription_id, seq, generation, attempt`,
  acknowledgments: `
    select subscription_id as "subscriptionId", ack_no as "ackNo", seq, delivery_no as "deliveryNo",
      ${micros('delivered_at')} as "deliveredAt", ${micros('acknowledged_at')} as "acknowledgedAt", generation, attempt,
      late, ${id('message_id')} as "messageId", acknowledged_by as "acknowledgedBy", reference
    ${from('acknowledgment')} order by subscription_id, ack_no`,
  deadLetters: `
    select subscription_id as "subscriptionId", dead_letter_no as "deadLetterNo", reason, seq, seq_last as "seqLast",
      attempts, ${id('message_id')} as "messageId", ${hex('sha256(body)')} as body,
      jsonb_array_length(history) as "failedAttempts", closed_at is not null as closed
    ${from('dead_letter')} order by subscription_id, dead_letter_no`,
};

/** Reads everything, or all that is of these topics, in one snapshot. */
export async function readRows(
  database: Pick<TestDatabase, 'url'>,
  topicIds: readonly number[] | null = null,
): Promise<Rows> {
  const client = new Client({
    connectionString: database.url,
    application_name: 'test',
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : types.getTypeParser(oid, format)) },
  });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read, read only');
    const clock = await client.query<{ at: Micros }>(`select ${micros('clock_timestamp()')} as at`);
    const rows: Partial<Record<Table, unknown[]>> = {};
    for (const [table, text] of Object.entries(statements)) {
      rows[table as Table] = (await client.query<Record<string, unknown>>(text, [topicIds])).rows;
    }
    return { ...rows, readAt: clock.rows[0]?.at ?? 0 } as unknown as Rows;
  } finally {
    await client.end();
  }
}
