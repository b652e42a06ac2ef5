// Publishing: one statement appends many callers' messages to the logs of many topics.

import { randomBytes } from 'node:crypto';
import type { NewMessage } from '../domain/message.ts';
import type { Db } from './db.ts';

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
      /** Of the messages that were not delayed, in order; the others have no sequence yet. */
      readonly firstSequence: number;
      readonly scheduledNos: readonly number[];
      /** Part of every message id of this flush. */
      readonly salt: bigint;
    }
  | { readonly outcome: 'busy' | 'topic_not_found' }
  | {
      readonly outcome: 'message_too_large';
      /** Indexes into the group's calls. */
      readonly refusedCalls: readonly number[];
      readonly maxMessageBytes: number;
    };

export type MessageStore = ReturnType<typeof createMessageStore>;

interface Row {
  outcome: 'published' | 'busy' | 'topic_not_found' | 'message_too_large';
  first_seq: number | null;
  refused_calls: number[] | null;
  max_message_bytes: number | null;
  scheduled_nos: number[] | null;
}

export function createMessageStore(db: Db) {
  const publish = db.prepare(
    'publish',
    `select p.outcome, p.first_seq, p.refused_calls, p.max_message_bytes, p.scheduled_nos
     from unnest($1::integer[], $2::integer[], $3::integer[]) g (topic_id, first, last)
     cross join lateral willcall.publish(
       g.topic_id, $4::boolean, $5::bigint, g.first, g.last, $6::integer[], $7::bytea, $8::integer[], $9::integer[],
       $10::text[], $11::text[], $12::text[], $13::text[], $14::double precision[], $15::timestamptz[]
     ) p`,
  );

  return {
    /** Groups must be in order of topic id. `wait`: for a lock that is busy; otherwise its group says so. */
    publish: async (groups: readonly PublishGroup[], wait: boolean): Promise<PublishOutcome[]> => {
      const salt = randomBytes(8).readBigInt64BE();
      const rows = await db.call<Row>(publish, [...packGroups(groups, wait, salt)]);
      return rows.map((row) => toOutcome(row, salt));
    },
  };
}

/** Flattens the groups' messages into parallel arrays; bodies go packed in one value, so that they travel as bytes. */
function packGroups(groups: readonly PublishGroup[], wait: boolean, salt: bigint): unknown[] {
  const topicIds: number[] = [];
  const firsts: number[] = [];
  const lasts: number[] = [];
  const callNos: number[] = [];
  const publishers: string[] = [];
  const messages: NewMessage[] = [];
  for (const group of groups) {
    topicIds.push(group.topicId);
    firsts.push(messages.length + 1);
    for (const [callNo, call] of group.calls.entries()) {
      for (const message of call.messages) {
        messages.push(message);
        callNos.push(callNo);
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
    ...[topicIds, firsts, lasts, wait, salt, callNos, bodies, starts, sizes, publishers],
    orNull(messages.map((m) => m.contentType)),
    orNull(messages.map((m) => (m.attributes === null ? null : JSON.stringify(m.attributes)))),
    orNull(messages.map((m) => m.orderingKey)),
    orNull(messages.map((m) => m.delaySeconds)),
    orNull(messages.map((m) => m.deliverAt)),
  ];
}

/** A column without a value is not sent at all; for the two of delay this is also what switches their path off. */
function orNull<T>(values: (T | null)[]): (T | null)[] | null {
  return values.some((value) => value !== null) ? values : null;
}

function toOutcome(row: Row, salt: bigint): PublishOutcome {
  switch (row.outcome) {
    case 'published':
      return {
        outcome: row.outcome,
        firstSequence: row.first_seq ?? 0,
        scheduledNos: row.scheduled_nos ?? [],
        salt,
      };
    case 'message_too_large':
      return {
        outcome: row.outcome,
        refusedCalls: row.refused_calls ?? [],
        maxMessageBytes: row.max_message_bytes ?? 0,
      };
    default:
      return { outcome: row.outcome };
  }
}
