// What must hold of a subscription's deliveries: each message is handed out in order, to one
// consumer at a time, for as long as was promised, and its attempts are counted. Instants are
// compared by the database's clock alone.

import { parseReceipt } from '../../src/domain/receipt.ts';
import type { ReceiveCall, RecordedMessage, Tick } from './history.ts';
import { type Life, leaseEndAt, repeats, type SubscriptionBook } from './history-books.ts';
import type { DeliveryRow, FailureRow } from './history-rows.ts';

type Breaches = Generator<string>;

/** Numbers have no gaps; neither the cursor nor time runs backwards. */
export function* deliveriesAreDense({ deliveries }: SubscriptionBook): Breaches {
  for (const [i, row] of deliveries.entries()) {
    const before = deliveries[i - 1];
    if (row.deliveryNo !== i + 1) yield `delivery ${row.deliveryNo} stands where ${i + 1} should`;
    if (before === undefined || row.generation > before.generation) continue;
    if (row.head < before.head) yield `delivery ${row.deliveryNo} moves the cursor back to ${row.head}`;
    if (row.at < before.at) yield `delivery ${row.deliveryNo} is older than the one before it`;
  }
}

/** What the cursor passes is handed out, in order; what is behind it only comes again. */
export function* nothingIsSkipped({ deliveries }: SubscriptionBook): Breaches {
  const handedBefore = new Set<number>();
  for (const [i, row] of deliveries.entries()) {
    const head = deliveries[i - 1]?.head ?? row.head;
    const handed = new Set(row.handed);
    for (let seq = head + 1; seq <= row.head && row.kind === 'deliver'; seq += 1) {
      if (!handed.has(seq)) yield `delivery ${row.deliveryNo} passes message ${seq} without handing it out`;
    }
    for (const seq of handed) {
      if (seq > row.head) yield `delivery ${row.deliveryNo} hands out message ${seq} beyond its cursor`;
      if (seq <= head && !handedBefore.has(seq))
        yield `delivery ${row.deliveryNo} repeats message ${seq}, which was never handed out`;
      handedBefore.add(seq);
    }
  }
}

/** Every answer is a delivery as recorded: who, what, until when, with the published bytes. */
export function* answersAreRecorded(book: SubscriptionBook): Breaches {
  const rows = new Map(book.deliveries.map((row) => [row.deliveryNo, row]));
  for (const call of book.receives) {
    const answer = call.answer ?? [];
    // A repetition is answered with what is outstanding of the delivery, be it less than was handed
    // out or more than asked.
    const first = call.idempotencyKey === null;
    if (first && answer.length > call.maxMessages)
      yield `${call.client} asked for ${call.maxMessages} and got ${answer.length}`;
    const numbers = new Set(answer.map(({ receipt }) => parseReceipt(receipt)?.deliveryNo));
    if (numbers.size > 1) yield `one answer to ${call.client} mixes deliveries ${[...numbers]}`;
    for (const message of answer) {
      const row = rows.get(parseReceipt(message.receipt)?.deliveryNo ?? 0);
      const wrong = row === undefined ? 'names no delivery' : differs(book, call, message, row);
      if (wrong !== null) yield `message ${message.sequence} as ${call.client} got it ${wrong}`;
    }
    const row = rows.get([...numbers][0] ?? 0);
    if (first && row !== undefined && row.handed.length > answer.length)
      yield `delivery ${row.deliveryNo} was not answered whole`;
  }
}

function differs(book: SubscriptionBook, call: ReceiveCall, message: RecordedMessage, row: DeliveryRow): string | null {
  const parts = parseReceipt(message.receipt);
  const published = book.messages.get(message.sequence);
  const timeout = (call.visibilityTimeoutSeconds ?? book.subscription.visibilityTimeoutSeconds) * 1_000_000;
  if (parts?.sequence !== message.sequence) return `has the receipt of message ${parts?.sequence}`;
  if (parts.nonce.toString() !== row.nonce) return 'has a receipt with another nonce than its delivery';
  if (!row.handed.includes(message.sequence)) return `is not in delivery ${row.deliveryNo}`;
  if (row.principal !== call.client) return `is recorded as handed to ${row.principal}`;
  if (published?.messageId !== message.id) return 'has another id than in the log';
  if (published.body !== message.body) return 'has other bytes than in the log';
  const promised = Math.floor((row.at + timeout) / 1000);
  const longer = call.idempotencyKey !== null && message.visibleUntil > promised;
  if (message.visibleUntil !== promised && !longer) return 'was promised for another time';
  return null;
}

/**
 * Nothing is handed out that nobody asked for, and nothing to two askers, unless one repeats the
 * other.
 */
export function* deliveriesWereAsked({ deliveries, receives }: SubscriptionBook): Breaches {
  const answers = new Map<number, ReceiveCall[]>();
  for (const call of receives) {
    const number = parseReceipt(call.answer?.[0]?.receipt ?? '')?.deliveryNo;
    if (number !== undefined) answers.set(number, [...(answers.get(number) ?? []), call]);
  }
  for (const { kind, deliveryNo, principal } of deliveries) {
    if (kind !== 'deliver') continue;
    const answered = answers.get(deliveryNo) ?? [];
    const strangers = answered.filter((call, j) => j > 0 && !(answered[0] !== undefined && repeats(call, answered[0])));
    if (strangers.length > 0) yield `delivery ${deliveryNo} answered ${answered.length} calls`;
    const mayBe = receives.some((call) => call.client === principal && (call.left || call.answer === null));
    if (answered.length === 0 && !mayBe) yield `delivery ${deliveryNo} answers no call of ${principal}`;
  }
}

/** A repetition begins no new delivery while something of the old one is outstanding. */
export function* repetitionsAreAnsweredAlike(book: SubscriptionBook): Breaches {
  const keyed = book.receives.filter((call) => call.idempotencyKey !== null && (call.answer ?? []).length > 0);
  for (const groups of Map.groupBy(keyed, (call) => `${call.client} ${call.idempotencyKey}`).values()) {
    const byDelivery = Map.groupBy(groups, (call) => parseReceipt(call.answer?.[0]?.receipt ?? '')?.deliveryNo ?? 0);
    const numbers = [...byDelivery.keys()].sort((a, b) => a - b);
    for (const [i, newer] of numbers.entries()) {
      const before = numbers[i - 1];
      const answeredAt = Math.min(...(byDelivery.get(newer) ?? []).map((call) => call.endedAt ?? 0));
      if (before !== undefined && wasLiveAt(book, before, answeredAt)) {
        yield `delivery ${newer} answers a repetition of what delivery ${before} still held`;
      }
    }
  }
}

/** Whether something of the delivery was settled in time by a call that began only later. */
function wasLiveAt(book: SubscriptionBook, deliveryNo: number, at: Tick): boolean {
  const handed = book.deliveries.find((row) => row.deliveryNo === deliveryNo)?.handed ?? [];
  const inTime: unknown[] = ['acknowledged', 'released', 'rejected', 'extended'];
  return handed.some((seq) =>
    book.settledBy(deliveryNo, seq).some(({ call, result }) => call.startedAt > at && inTime.includes(result?.outcome)),
  );
}

/** A message is handed out again only once its attempt before has ended. */
export function* leasesAreExclusive({ lives }: SubscriptionBook): Breaches {
  for (const life of lives) {
    for (const [i, next] of life.deliveries.entries()) {
      const before = life.deliveries[i - 1];
      if (before === undefined || life.acknowledgments.some((row) => row.deliveryNo === before.deliveryNo)) continue;
      const end = life.failures.find((row) => row.deliveryNo === before.deliveryNo);
      if (end === undefined || end.endedAt > next.at) {
        yield `message ${life.seq} was handed out by delivery ${next.deliveryNo} while delivery ${before.deliveryNo} held it`;
      }
    }
  }
}

/** No lease ends before the time that its holder was told. */
export function* leasesLastTheirTime(book: SubscriptionBook): Breaches {
  for (const { seq, failures } of book.lives) {
    for (const { ended, endedAt, deliveryNo } of failures) {
      const end = leaseEndAt(book.grantsOf(deliveryNo, seq), endedAt);
      if (ended === 'expired' && end !== null && endedAt < end[0]) {
        yield `message ${seq} expired ${end[0] - endedAt} µs before delivery ${deliveryNo} was over`;
      }
    }
  }
  for (const { deliveryNo, outstanding, expiresAt } of book.leases) {
    for (const seq of outstanding) {
      const end = leaseEndAt(book.grantsOf(deliveryNo, seq), Number.MAX_SAFE_INTEGER);
      if (end !== null && (expiresAt < end[0] || expiresAt > end[1]))
        yield `message ${seq} is leased until another time than told`;
    }
  }
}

/** Only the newest delivery of a message can be signed for. */
export function* receiptsFence({ lives }: SubscriptionBook): Breaches {
  for (const { seq, deliveries, acknowledgments } of lives) {
    const newest = deliveries.at(-1)?.deliveryNo;
    for (const { deliveryNo } of acknowledgments) {
      if (deliveryNo !== newest) yield `message ${seq} was acknowledged by delivery ${deliveryNo}, not by ${newest}`;
    }
  }
}

/** Attempt n is the n-th delivery, wherever it is written. */
export function* attemptsAreCounted(book: SubscriptionBook): Breaches {
  for (const life of book.lives) {
    const { seq, deliveries } = life;
    const said = [...life.failures, ...life.acknowledgments].map((row) => ({
      by: row.deliveryNo,
      attempt: row.attempt,
    }));
    for (const lease of book.leases) {
      if (lease.outstanding.includes(seq)) said.push({ by: lease.deliveryNo, attempt: lease.attempt });
    }
    for (const [i, { deliveryNo }] of deliveries.entries()) {
      for (const { message } of book.handedBy(deliveryNo, seq)) {
        if (message.attempt !== i + 1) yield `message ${seq}, attempt ${i + 1}, was handed out as ${message.attempt}`;
      }
      for (const { attempt } of said.filter(({ by }) => by === deliveryNo)) {
        if (attempt !== i + 1) yield `message ${seq}, attempt ${i + 1}, is recorded as ${attempt}`;
      }
    }
    const waiting =
      book.deferred.find((row) => row.seq === seq)?.attempt ?? life.deadLetter?.attempts ?? deliveries.length;
    if (waiting !== deliveries.length)
      yield `message ${seq} waits after ${deliveries.length} attempts as after ${waiting}`;
  }
}

/**
 * Expiries and releases with an error count as failures; enough of them, or of deliveries,
 * quarantine the message.
 */
export function* failuresAreCounted(book: SubscriptionBook): Breaches {
  for (const life of book.lives) {
    const { seq, deadLetter, failures } = life;
    const count = countFailed(failures);
    const waiting =
      book.deferred.find((row) => row.seq === seq) ?? book.leases.find((row) => row.outstanding.includes(seq));
    if (waiting !== undefined && waiting.failures !== count)
      yield `message ${seq} failed ${count} times, counted ${waiting.failures}`;
    for (const [i, { ended, endedAt, deadLetterNo }] of failures.entries()) {
      const due = quarantineAfter(book, life, i);
      const done = deadLetterNo === null ? null : (deadLetter?.reason ?? 'unknown');
      if (done === 'retention' ? due !== null : done !== due) {
        yield `message ${seq} ${ended} at ${endedAt}: quarantine ${done}, should be ${due}`;
      }
    }
    if (deadLetter !== null && deadLetter.failedAttempts !== failures.length) {
      yield `the dead letter of message ${seq} tells of ${deadLetter.failedAttempts} attempts, not ${failures.length}`;
    }
  }
}

/**
 * Why the message should have been quarantined when its i-th attempt ended; null: it should not.
 */
function quarantineAfter({ subscription }: SubscriptionBook, { failures }: Life, i: number): string | null {
  const failure = failures[i];
  if (failure?.ended === 'rejected') return 'rejected';
  const failed = countFailed(failures.slice(0, i + 1));
  if (failure !== undefined && hasFailed(failure) && failed >= subscription.maxAttempts) return 'max_attempts';
  return i + 1 >= subscription.maxDeliveries ? 'max_deliveries' : null;
}

/**
 * After an attempt that ended, the message rests as long as was asked for, or as the back-off says.
 */
export function* redeliveryWaits(book: SubscriptionBook): Breaches {
  for (const life of book.lives) {
    for (const [i, failure] of life.failures.entries()) {
      const next = life.deliveries.find((row) => row.deliveryNo > failure.deliveryNo)?.at;
      const waiting = book.deferred.find((row) => row.seq === life.seq && row.attempt === failure.attempt);
      const rest = restAfter(book, life, i);
      if (rest === null) continue;
      const [earliest, latest] = rest.map((seconds) => failure.endedAt + seconds * 1_000_000) as [number, number];
      if (next !== undefined && next < earliest) yield `message ${life.seq} came ${earliest - next} µs too early`;
      if (waiting === undefined) continue;
      if (waiting.availableAt < earliest || waiting.availableAt > latest)
        yield `message ${life.seq} waits until ${waiting.availableAt}`;
    }
  }
}

/** The shortest and the longest rest, in seconds; null when an unanswered call leaves it open. */
function restAfter(book: SubscriptionBook, { seq, failures }: Life, i: number): [number, number] | null {
  const failure = failures[i];
  if (failure === undefined || failure.ended === 'rejected') return null;
  const { minBackoffSeconds, maxBackoffSeconds } = book.subscription;
  const backoff = minBackoffSeconds * 2 ** (countFailed(failures.slice(0, i + 1)) - 1);
  const whole: [number, number] = [Math.min(maxBackoffSeconds, backoff), Math.min(maxBackoffSeconds, backoff * 1.5)];
  if (failure.ended === 'expired') return whole;
  const releases = book.settledBy(failure.deliveryNo, seq).filter(({ call }) => call.verb === 'release');
  if (releases.some(({ result }) => result === null)) return null;
  const delay = releases.find(({ result }) => result?.outcome === 'released')?.input.delaySeconds ?? null;
  if (delay !== null) return [delay, delay];
  return failure.errorCode === null ? [0, 0] : whole;
}

/** Settled, set aside, waiting, in flight or still to come: exactly one of them. */
export function* everyMessageIsInOnePlace(book: SubscriptionBook): Breaches {
  const first = book.deliveries[0]?.head ?? 0;
  const head = book.deliveries.at(-1)?.head ?? 0;
  const places = new Map<number, string[]>();
  const put = (seq: number, place: string) => places.set(seq, [...(places.get(seq) ?? []), place]);
  const acknowledged = new Set<number>();
  const generation = book.deliveries.at(-1)?.generation ?? 1;
  for (const row of book.acknowledgments) if (row.generation === generation) acknowledged.add(row.seq);
  for (const seq of acknowledged) put(seq, 'acknowledged');
  for (const row of book.deferred) put(row.seq, 'deferred');
  for (const row of book.leases) for (const seq of row.outstanding) put(seq, 'in flight');
  for (const row of book.deadLetters) {
    for (let seq = row.seq; seq <= row.seqLast && !row.closed; seq += 1) put(seq, 'dead letter');
  }
  for (let seq = head + 1; seq <= book.tail; seq += 1) put(seq, 'backlog');
  for (let seq = first + 1; seq <= book.tail; seq += 1) {
    const found = places.get(seq) ?? [];
    if (found.length !== 1) yield `message ${seq} is ${found.join(' and ') || 'nowhere'}`;
  }
}

/** After the draining: nothing in flight, waiting, or still to come. */
export function* nothingIsLeft({ leases, deferred, deliveries, tail }: SubscriptionBook): Breaches {
  const head = deliveries.at(-1)?.head ?? 0;
  if (leases.length > 0) yield `${leases.length} leases are left`;
  if (deferred.length > 0) yield `${deferred.length} messages still wait`;
  if (head < tail) yield `${tail - head} messages were never handed out`;
}

function countFailed(failures: readonly FailureRow[]): number {
  return failures.filter(hasFailed).length;
}

function hasFailed({ ended, errorCode }: FailureRow): boolean {
  return ended === 'expired' || (ended === 'released' && errorCode !== null);
}
