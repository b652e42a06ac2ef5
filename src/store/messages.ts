// Publishing: one statement appends many callers' messages to the logs of many topics.

import type { NewMessage, PublishedMessage } from '../domain/message.ts';
import { formatMessageId } from '../domain/message-id.ts';
import { plainFirst } from './plain-first.ts';
import type { Db } from './postgres/db.ts';

export interface PublishCall {
  readonly messages: readonly NewMessage[];
  readonly publisher: string;
}

export interface PublishGroup {
  readonly topicId: number;
  readonly calls: readonly PublishCall[];
}

/** What became of one topic's share of a flush: all of it, or none. */
export type PublishOutcome =
  | {
      readonly outcome: 'published';
      /** By message of the group, in order. */
      readonly messages: readonly PublishedMessage[];
    }
  | { readonly outcome: 'busy' | 'topic_not_found' }
  | {
      readonly outcome: 'message_too_large' | 'idempotency_conflict';
      /** Indexes into the group's messages. */
      readonly refused: readonly number[];
      readonly maxMessageBytes: number;
    }
  | {
      readonly outcome: 'backlog_full';
      /** Indexes of the group's messages that would enter the log, and how many of them may. */
      readonly entering: readonly number[];
      readonly room: number;
      /** The name of the subscription that has no room for more. */
      readonly furthestBehind: string;
    };

export type MessageStore = ReturnType<typeof createMessageStore>;

interface Row {
  outcome: PublishOutcome['outcome'];
  first_seq: number | null;
  refused_entries: number[] | null;
  max_message_bytes: number | null;
  message_ids: Buffer[] | null;
  seqs: (number | null)[] | null;
  duplicates: boolean[] | null;
  room: number | null;
  furthest_behind: string | null;
}

interface PlainRow {
  grp: number;
  outcome: 'published' | 'busy';
  first_seq: number | null;
}

/** How many of packGroups' values the plain statement takes: all but delays and dedupe keys. */
const PLAIN_VALUES = 11;

export function createMessageStore(db: Db) {
  const publish = db.prepare(
    'publish',
    `select
       p.outcome, p.first_seq, p.refused_entries, p.max_message_bytes, p.message_ids, p.seqs, p.duplicates, p.room,
       p.furthest_behind
     from unnest($2::integer[], $3::integer[], $4::integer[]) g (topic_id, first, last)
     cross join lateral willcall.publish(
       g.topic_id, $1::boolean, $5::bigint, g.first, g.last, $6::bytea, $7::integer[], $8::integer[], $9::text[],
       $10::text[], $11::text[], $12::text[], $13::double precision[], $14::timestamptz[], $15::text[]
     ) p`,
  );

  const publishPlain = db.prepare(
    'publish_plain',
    `select p.grp, p.outcome, p.first_seq
     from willcall.publish_plain(
       $1::integer[], $2::integer[], $3::integer[], $4::bigint, $5::bytea, $6::integer[], $7::integer[], $8::text[],
       $9::text[], $10::text[], $11::text[]
     ) p`,
  );

  /** By group; those that the statement left out have no outcome. */
  async function publishTogether(groups: readonly PublishGroup[]) {
    const outcomes: (PublishOutcome | undefined)[] = groups.map(() => undefined);
    const salt = db.random64();
    const rows = await db.call<PlainRow>(publishPlain, packGroups(groups, salt).slice(0, PLAIN_VALUES));
    for (const { grp, outcome, first_seq } of rows) {
      const group = groups[grp - 1] as PublishGroup;
      outcomes[grp - 1] = outcome === 'busy' ? { outcome } : { outcome, messages: numberAll(first_seq, group, salt) };
    }
    return outcomes;
  }

  async function publishEach(groups: readonly PublishGroup[], wait: boolean) {
    const salt = db.random64();
    const rows = await db.call<Row>(publish, [wait, ...packGroups(groups, salt)]);
    return rows.map((row, i) => toOutcome(row, groups[i] as PublishGroup, salt));
  }

  return {
    /** Groups in order of topic id. Without `wait`, a group whose lock is busy is 'busy'. */
    publish: (groups: readonly PublishGroup[], wait: boolean): Promise<PublishOutcome[]> =>
      plainFirst({ groups, wait, isPlain, fastPath: publishTogether, perGroup: publishEach }),
  };
}

function isPlain({ calls }: PublishGroup): boolean {
  return calls.every(({ messages }) =>
    messages.every((m) => m.delaySeconds === null && m.deliverAt === null && m.dedupeKey === null),
  );
}

/** Packs the groups' messages into parallel arrays; bodies go as the bytes of one value. */
function packGroups(groups: readonly PublishGroup[], salt: bigint): unknown[] {
  const topicIds: number[] = [];
  const firsts: number[] = [];
  const lasts: number[] = [];
  const publishers: string[] = [];
  const messages: NewMessage[] = [];
  for (const group of groups) {
    topicIds.push(group.topicId);
    firsts.push(messages.length + 1);
    for (const call of group.calls) {
      for (const message of call.messages) {
        messages.push(message);
        publishers.push(call.publisher);
      }
    }
    lasts.push(messages.length);
  }

  const starts: number[] = [];
  const sizes: number[] = [];
  let start = 1;
  for (const message of messages) {
    starts.push(start);
    sizes.push(message.body.length);
    start += message.body.length;
  }
  const bodies = messages.length === 1 && messages[0] ? messages[0].body : Buffer.concat(messages.map((m) => m.body));
  return [
    topicIds,
    firsts,
    lasts,
    salt,
    bodies,
    starts,
    sizes,
    publishers,
    orNull(messages.map((m) => m.contentType)),
    orNull(messages.map((m) => (m.attributes === null ? null : JSON.stringify(m.attributes)))),
    orNull(messages.map((m) => m.orderingKey)),
    orNull(messages.map((m) => m.delaySeconds)),
    orNull(messages.map((m) => m.deliverAt)),
    orNull(messages.map((m) => m.dedupeKey)),
  ];
}

/** Null for a column without any value; for delays and dedupe keys it switches their path off. */
function orNull<T>(values: (T | null)[]): (T | null)[] | null {
  return values.some((value) => value !== null) ? values : null;
}

function toOutcome(row: Row, group: PublishGroup, salt: bigint): PublishOutcome {
  switch (row.outcome) {
    case 'published':
      return {
        outcome: row.outcome,
        messages: row.message_ids === null ? numberAll(row.first_seq, group, salt) : nameEach(row),
      };
    case 'message_too_large':
    case 'idempotency_conflict':
      return {
        outcome: row.outcome,
        refused: (row.refused_entries ?? []).map((entry) => entry - 1),
        maxMessageBytes: row.max_message_bytes ?? 0,
      };
    case 'backlog_full':
      return {
        outcome: row.outcome,
        entering: (row.refused_entries ?? []).map((entry) => entry - 1),
        room: Math.max(0, row.room ?? 0),
        furthestBehind: row.furthest_behind ?? '',
      };
    default:
      return { outcome: row.outcome };
  }
}

/** The ids of messages that entered the log one after the other. */
function numberAll(firstSeq: number | null, group: PublishGroup, salt: bigint): PublishedMessage[] {
  const count = group.calls.reduce((sum, call) => sum + call.messages.length, 0);
  return Array.from({ length: count }, (_, i) => {
    const number = (firstSeq ?? 0) + i;
    const id = formatMessageId({ numbering: 'log', topicId: group.topicId, number, salt });
    return { id, sequence: number, duplicate: false };
  });
}

function nameEach(row: Row): PublishedMessage[] {
  return (row.message_ids ?? []).map((id, i) => ({
    id: id.toString('base64url'),
    sequence: row.seqs?.[i] ?? null,
    duplicate: row.duplicates?.[i] ?? false,
  }));
}
