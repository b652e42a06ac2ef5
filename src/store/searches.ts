// Searches of the ledgers, each bounded in the rows that it looks at, however rare the matches are.

import { sql } from 'kysely';
import type { Acknowledgment, UnacknowledgedMessage } from '../domain/ledger.ts';
import { limits } from '../domain/limits.ts';
import { type AcknowledgmentFilter, acknowledgmentColumns } from './ledger.ts';
import type { Db } from './postgres/db.ts';
import type { SubscriptionKey } from './subscriptions.ts';

/** A row of some ledger. */
export interface AckPlace extends SubscriptionKey {
  /** Of the subscription. */
  readonly publicId: string;
  readonly ackNo: number;
}

export interface AcknowledgmentSearch extends AcknowledgmentFilter {
  /** Names of subscriptions, or their beginnings and `*`. */
  readonly scopes: readonly string[];
  readonly topic?: string | undefined;
  readonly after: Omit<AckPlace, 'publicId'> | null;
  readonly limit: number;
}

export interface UnacknowledgedSearch {
  readonly from?: Date | undefined;
  readonly by: Date;
  readonly after: number;
  readonly limit: number;
}

interface Unacknowledged {
  readonly messages: readonly UnacknowledgedMessage[];
  /** The sequence up to which the search has come. */
  readonly position: number;
  readonly hasMore: boolean;
  /** Older messages are in the log no more; null when it is empty. */
  readonly completeFrom: Date | null;
}

interface PlaceRow extends AckPlace {
  readonly matched: boolean;
}

interface MessageRow extends Omit<UnacknowledgedMessage, 'messageId'> {
  readonly messageId: Buffer;
  readonly matched: boolean;
  readonly finished: boolean | null;
  readonly completeFrom: Date | null;
}

const FIND = `select topic_id as "topicId", subscription_id as "subscriptionId", public_id as "publicId", ack_no as "ackNo", matched
 from willcall.find_acknowledgments(
   $1::integer, $2::integer, $3::bigint, $4::text[], $5::text, $6::timestamptz, $7::timestamptz, $8::text, $9::text,
   $10::text, $11::bytea, $12::bytea, $13::integer, $14::integer
 )`;
const FIND_UNACKNOWLEDGED = `select
   seq as sequence, matched, finished, message_id as "messageId", published_at as "publishedAt",
   published_by as "publishedBy", body_bytes as "bodyBytes", body_sha256 as "bodySha256",
   acknowledged_at as "acknowledgedAt", dead_letter_no as "deadLetterNo", complete_from as "completeFrom"
 from willcall.find_unacknowledged(
   $1::integer, $2::integer, $3::timestamptz, $4::timestamptz, $5::bigint, $6::integer, $7::integer
 )`;

export function createSearches(db: Db) {
  const find = db.prepare('find_acknowledgments', FIND);
  const findUnacknowledged = db.prepare('find_unacknowledged', FIND_UNACKNOWLEDGED);

  /**
   * Ledger by ledger, each in order of ackNo. `unfinished` is where a search goes on that has
   * looked at as many rows as it may; null when it found them all, or `limit` of them.
   */
  async function acknowledgments(
    search: AcknowledgmentSearch,
  ): Promise<{ rows: Acknowledgment[]; places: AckPlace[]; unfinished: AckPlace | null }> {
    const { after, scopes, topic, from, until, acknowledgedBy, keyId, reference, bodySha256, messageId, limit } =
      search;
    const found = await db.call<PlaceRow>(find, [
      after?.topicId ?? 0,
      after?.subscriptionId ?? 0,
      after?.ackNo ?? 0,
      scopes,
      topic,
      from,
      until,
      acknowledgedBy,
      keyId,
      reference,
      bodySha256,
      messageId,
      limit,
      limits.searchedRowsMax,
    ]);
    const places = found.filter(({ matched }) => matched);
    const unfinished = found.find(({ matched }) => !matched) ?? null;
    return { rows: await readRows(db, places), places, unfinished };
  }

  /** In order of sequence. */
  async function unacknowledged(key: SubscriptionKey, search: UnacknowledgedSearch): Promise<Unacknowledged> {
    const { from, by, after, limit } = search;
    const found = await db.call<MessageRow>(findUnacknowledged, [
      key.topicId,
      key.subscriptionId,
      from,
      by,
      after,
      limit + 1,
      limits.searchedRowsMax,
    ]);
    const matched = found.filter((row) => row.matched);
    const messages = matched.slice(0, limit).map(({ matched: _, finished: __, completeFrom: ___, ...row }) => ({
      ...row,
      messageId: row.messageId.toString('base64url'),
    }));
    const end = found.find((row) => !row.matched);
    const hasMore = matched.length > limit || end?.finished !== true;
    const last = matched.length > limit ? messages.at(-1) : (end ?? messages.at(-1));
    return { messages, position: last?.sequence ?? after, hasMore, completeFrom: found[0]?.completeFrom ?? null };
  }

  return { acknowledgments, unacknowledged };
}

function readRows(db: Db, places: readonly AckPlace[]): Promise<Acknowledgment[]> {
  if (places.length === 0) return Promise.resolve([]);
  const wanted = sql<boolean>`(ack.topic_id, ack.subscription_id, ack.ack_no) in (
    select * from unnest(
      ${places.map(({ topicId }) => topicId)}::integer[],
      ${places.map(({ subscriptionId }) => subscriptionId)}::integer[],
      ${places.map(({ ackNo }) => ackNo)}::bigint[]))`;
  return db.run(async (kysely) => {
    const rows = await kysely
      .selectFrom('acknowledgment as ack')
      .innerJoin('topic', 'topic.topicId', 'ack.topicId')
      .innerJoin('subscription as sub', (join) =>
        join.onRef('sub.topicId', '=', 'ack.topicId').onRef('sub.subscriptionId', '=', 'ack.subscriptionId'),
      )
      .select(acknowledgmentColumns)
      .select(['topic.name as topic', 'topic.publicId as topicPublicId'])
      .select(['sub.name as subscription', 'sub.publicId as subscriptionPublicId'])
      .where(wanted)
      .orderBy('ack.topicId')
      .orderBy('ack.subscriptionId')
      .orderBy('ack.ackNo')
      .execute();
    return rows.map((row) => ({ ...row, messageId: row.messageId.toString('base64url') }));
  });
}
