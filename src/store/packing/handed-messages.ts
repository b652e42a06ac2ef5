// Unpacks the messages that a receive delivers. Its function returns a row per delivery, not per
// message, because most of a row's cost is the row itself: see docs/decisions/0018. How they are
// packed is described in migrations/functions/receive/pack-messages.sql.

import { messageIdBytes } from '../../domain/message-id.ts';
import type { ColumnReaders } from '../postgres/hot-call.ts';

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
  /** A view of the buffer that holds all bodies of the delivery. */
  readonly body: Buffer;
}

/**
 * A delivery as receive and receive_plain return it; receive_plain leaves out the optional columns.
 */
export interface DeliveryRow {
  readonly waiter: number;
  readonly delivery_no: number;
  readonly nonce?: string | null;
  readonly expires_at: Date;
  readonly messages: number;
  readonly seqs: readonly number[];
  readonly attempts?: readonly number[];
  readonly published_ats: readonly Date[];
  readonly message_ids: Buffer;
  readonly content_types: readonly (string | null)[];
  /** By sequence, like the ordering keys; null: none has any. */
  readonly attributes: Readonly<Record<string, Record<string, string>>> | null;
  readonly ordering_keys: Readonly<Record<string, string>> | null;
  readonly body_sizes: readonly number[];
  readonly bodies: Buffer;
}

/** Bodies become bytes row by row, so that only one delivery's text is in memory. */
export const deliveryReaders: ColumnReaders = { bodies: (text) => Buffer.from(text, 'base64') };

/** The messages of a delivery, in its order. */
export function unpackDelivery(row: DeliveryRow): HandedMessage[] {
  const nonce = row.nonce ? BigInt(row.nonce) : null;
  const messages: HandedMessage[] = [];
  let end = 0;
  for (let i = 0; i < row.messages; i += 1) {
    const sequence = row.seqs.length === 1 ? (row.seqs[0] as number) + i : (row.seqs[i] as number);
    const start = end;
    end += at(row.body_sizes, i);
    messages.push({
      deliveryNo: row.delivery_no,
      sequence,
      attempt: row.attempts === undefined ? 1 : at(row.attempts, i),
      publishedAt: at(row.published_ats, i),
      expiresAt: row.expires_at,
      messageId: row.message_ids.subarray(i * messageIdBytes, (i + 1) * messageIdBytes),
      nonce,
      contentType: at(row.content_types, i),
      attributes: row.attributes?.[sequence] ?? null,
      orderingKey: row.ordering_keys?.[sequence] ?? null,
      body: row.bodies.subarray(start, end),
    });
  }
  return messages;
}

/** Element i of a list whose only element may hold for all. */
function at<T>(list: readonly T[], i: number): T {
  return list[list.length === 1 ? 0 : i] as T;
}
