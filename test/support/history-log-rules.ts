// What must hold of a topic's log: nothing that was acknowledged to a publisher is lost, and the
// log has no gaps and runs forward in time.

import type { PublishCall } from './history.ts';
import type { TopicBook } from './history-books.ts';

type Breaches = Generator<string>;

/** Every publish that was answered is in the log as answered: id, sequence, bytes, publisher. */
export function* publishedIsKept({ messages, publishes }: TopicBook): Breaches {
  const byId = new Map(messages.map((row) => [row.messageId, row]));
  for (const { answer, bodies, client } of publishes) {
    if (answer !== null && answer.length !== bodies.length)
      yield `${client} published ${bodies.length}, was answered ${answer.length}`;
    for (const [i, { id, sequence }] of (answer ?? []).entries()) {
      const row = byId.get(id);
      if (row === undefined) yield `message ${sequence} of ${client} is not in the log`;
      else if (row.seq !== sequence) yield `message ${sequence} of ${client} is in the log as ${row.seq}`;
      else if (row.body !== bodies[i]) yield `message ${sequence} has other bytes than ${client} published`;
      else if (row.publishedBy !== client) yield `message ${sequence} of ${client} is recorded as ${row.publishedBy}'s`;
    }
  }
}

/**
 * Every message in the log is one that somebody published, and was answered as new once or not at
 * all.
 */
export function* messagesWerePublished({ messages, publishes, disturbed }: TopicBook): Breaches {
  const answers = publishes.flatMap((call) => call.answer ?? []);
  const asNew = Map.groupBy(
    answers.filter(({ duplicate }) => !duplicate),
    ({ id }) => id,
  );
  // A call under a key whose connection was lost is tried again by the service, and finds what its
  // first try did.
  const isKeyed = (call: PublishCall) => call.dedupeKeys.every((key) => key !== null);
  const unanswered = publishes.filter((call) => call.answer === null || (disturbed && isKeyed(call)));
  for (const row of messages) {
    const times = asNew.get(row.messageId)?.length ?? 0;
    if (times > 1) yield `message ${row.seq} was answered as new ${times} times`;
    const mayBe = unanswered.some((call) => call.client === row.publishedBy && call.bodies.includes(row.body));
    if (times === 0 && !mayBe) yield `message ${row.seq} was published by nobody`;
  }
}

/**
 * However often a publisher repeats a dedupe key, it names one message, and only a key makes a
 * duplicate.
 */
export function* dedupeKeysNameOneMessage({ publishes }: TopicBook): Breaches {
  const named = new Map<string, string>();
  for (const { client, dedupeKeys, answer } of publishes) {
    for (const [i, { id, duplicate }] of (answer ?? []).entries()) {
      const key = dedupeKeys[i] ?? null;
      if (key === null && duplicate) yield `${client} was told of a duplicate without a key`;
      if (key === null) continue;
      const known = named.get(`${client} ${key}`) ?? id;
      if (known !== id) yield `the key ${key} of ${client} names several messages`;
      named.set(`${client} ${key}`, id);
    }
  }
}

/** 1, 2, 3 … without gaps and without doubles. */
export function* sequencesAreDense({ messages }: TopicBook): Breaches {
  const sequences = messages.map(({ seq }) => seq).sort((a, b) => a - b);
  for (const [i, seq] of sequences.entries()) {
    if (seq !== i + 1) {
      yield `sequence ${seq} stands where ${i + 1} should`;
      return;
    }
  }
}

export function* logIsInTimeOrder({ messages }: TopicBook): Breaches {
  const inOrder = messages.toSorted((a, b) => a.seq - b.seq);
  for (const [i, row] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before !== undefined && row.publishedAt < before.publishedAt)
      yield `message ${row.seq} is older than ${before.seq}`;
  }
}

/**
 * A call's messages stand together in their order; a call that was answered before another began
 * stands before it.
 */
export function* publishesKeepTheirOrder({ publishes }: TopicBook): Breaches {
  const answered = publishes.filter((call) => call.answer !== null);
  for (const call of answered) {
    const sequences = sequencesOf(call);
    if (sequences.some((seq, i) => seq !== (sequences[0] ?? 0) + i)) yield `a call of ${call.client} got ${sequences}`;
  }
  const byEnd = answered.toSorted((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0));
  let ended = 0;
  let highest = 0;
  for (const call of answered.toSorted((a, b) => a.startedAt - b.startedAt)) {
    for (; (byEnd[ended]?.endedAt ?? Number.POSITIVE_INFINITY) < call.startedAt; ended += 1) {
      highest = Math.max(highest, ...sequencesOf(byEnd[ended]));
    }
    const lowest = Math.min(...sequencesOf(call));
    if (lowest <= highest) yield `message ${lowest} was published after ${highest} had been answered`;
  }
}

/** Of what it published, not of what it repeated. */
function sequencesOf(call: PublishCall | undefined): number[] {
  const published = (call?.answer ?? []).filter(({ duplicate }) => !duplicate);
  return published.flatMap(({ sequence }) => (sequence === null ? [] : [sequence]));
}

/** A call that was not answered was done whole or not at all. */
export function* publishesAreWhole({ messages, publishes }: TopicBook): Breaches {
  const inLog = new Set(messages.map((row) => `${row.publishedBy} ${row.body}`));
  for (const { answer, client, bodies } of publishes) {
    if (answer !== null) continue;
    const found = bodies.filter((body) => inLog.has(`${client} ${body}`)).length;
    if (found > 0 && found < bodies.length)
      yield `${found} of ${bodies.length} messages of a call of ${client} are there`;
  }
}

/** Nothing is in the log more often than it was published; under one key, once. */
export function* nothingIsPublishedTwice({ messages, publishes }: TopicBook): Breaches {
  const asked = new Map<string, Set<unknown>>();
  for (const call of publishes) {
    for (const [i, body] of call.bodies.entries()) {
      const what = `${call.client} ${body}`;
      // Without a key each time is another one.
      const times = asked.get(what) ?? new Set();
      asked.set(what, times.add(call.dedupeKeys[i] ?? { call, i }));
    }
  }
  for (const [what, rows] of Map.groupBy(messages, (row) => `${row.publishedBy} ${row.body}`)) {
    const timesMax = asked.get(what)?.size ?? 0;
    if (timesMax > 0 && rows.length > timesMax) {
      yield `message ${rows.at(-1)?.seq} is the same as message ${rows[0]?.seq}, which was published ${timesMax} times`;
    }
  }
}
