// What must hold of the ledger, and of what was said about receipts: each answer has its record,
// each record its asker, and each outcome is one that the table of docs/message-life.md allows at
// that point of the history.

import { isOk, type Outcome } from '../../src/domain/settling.ts';
import { type Life, leaseEndAt, type Settled, type SubscriptionBook } from './history-books.ts';
import type { AcknowledgmentRow, FailureRow } from './history-rows.ts';

type Breaches = Generator<string>;

const tell = ({ call, seq, deliveryNo, result }: Settled) =>
  `${call.verb} by ${call.client} of message ${seq} in delivery ${deliveryNo}: ${result?.outcome ?? 'unanswered'}`;

/** 1, 2, 3 … without gaps and without doubles. */
export function* ackNumbersAreDense({ acknowledgments }: SubscriptionBook): Breaches {
  const numbers = acknowledgments.map(({ ackNo }) => ackNo).sort((a, b) => a - b);
  for (const [i, ackNo] of numbers.entries()) {
    if (ackNo !== i + 1) {
      yield `ack_no ${ackNo} stands where ${i + 1} should`;
      return;
    }
  }
}

export function* ledgerIsInTimeOrder({ acknowledgments }: SubscriptionBook): Breaches {
  const inOrder = acknowledgments.toSorted((a, b) => a.ackNo - b.ackNo);
  for (const [i, row] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before !== undefined && row.acknowledgedAt < before.acknowledgedAt) {
      yield `ack_no ${row.ackNo} is older than ${before.ackNo}`;
    }
  }
}

/** At most one acknowledgment per message and generation. */
export function* messagesAreAcknowledgedOnce({ lives }: SubscriptionBook): Breaches {
  for (const { seq, generation, acknowledgments } of lives) {
    if (acknowledgments.length > 1) yield `message ${seq} has ${acknowledgments.length} in generation ${generation}`;
  }
}

/** A signature is marked late exactly if the lease was over. */
export function* lateIsMarked(book: SubscriptionBook): Breaches {
  for (const { seq, deliveryNo, acknowledgedAt, late } of book.acknowledgments) {
    const end = leaseEndAt(book.grantsOf(deliveryNo, seq), acknowledgedAt);
    if (end === null) continue;
    if (late && acknowledgedAt < end[0]) yield `message ${seq} was acknowledged in time, marked late`;
    if (!late && acknowledgedAt > end[1]) yield `message ${seq} was acknowledged late, not marked`;
  }
}

/**
 * What a caller was told that it had done, or had done before, is recorded as told; doing is told
 * once.
 */
export function* answersHaveRecords(book: SubscriptionBook): Breaches {
  const done = new Set<AcknowledgmentRow | FailureRow>();
  for (const settled of book.settled) {
    const outcome = settled.result?.outcome;
    if (outcome === undefined) continue;
    const { record, wrong } = findRecord(book, settled, outcome);
    if (wrong !== null) yield `${tell(settled)}: ${wrong}`;
    if (record === null || outcome.startsWith('already_')) continue;
    if (done.has(record)) yield `${tell(settled)}: told twice`;
    done.add(record);
  }
}

interface Found {
  record: AcknowledgmentRow | FailureRow | null;
  wrong: string | null;
}

function findRecord(book: SubscriptionBook, settled: Settled, outcome: Outcome): Found {
  switch (outcome) {
    case 'acknowledged':
    case 'acknowledged_late':
    case 'already_acknowledged':
      return findAcknowledgment(book, settled, outcome);
    case 'released':
    case 'already_released':
      return findFailure(book, settled, outcome, 'released');
    case 'rejected':
    case 'already_rejected':
      return findFailure(book, settled, outcome, 'rejected');
    default:
      return { record: null, wrong: null };
  }
}

function findAcknowledgment(book: SubscriptionBook, settled: Settled, outcome: Outcome): Found {
  const { result, deliveryNo, seq, call, input } = settled;
  const record = book.acknowledgments.find((row) => row.ackNo === result?.ackNo) ?? null;
  if (record === null) return { record, wrong: `ack_no ${result?.ackNo} is not in the ledger` };
  const differing = [
    record.seq !== seq && 'message',
    record.deliveryNo !== deliveryNo && 'delivery',
    record.messageId !== result?.messageId && 'message id',
    Math.floor(record.acknowledgedAt / 1000) !== result?.acknowledgedAt && 'time',
  ];
  if (outcome !== 'already_acknowledged') {
    differing.push(record.acknowledgedBy !== call.client && 'principal');
    differing.push(record.reference !== input.reference && 'reference');
    differing.push(record.late !== (outcome === 'acknowledged_late') && 'lateness');
  }
  const wrong = differing.filter((difference) => difference !== false);
  return { record, wrong: wrong.length > 0 ? `ack_no ${record.ackNo} has another ${wrong.join(', ')}` : null };
}

function findFailure(
  book: SubscriptionBook,
  { deliveryNo, seq, call, input }: Settled,
  outcome: Outcome,
  ended: FailureRow['ended'],
): Found {
  const record = book.failures.find((row) => row.seq === seq && row.deliveryNo === deliveryNo) ?? null;
  if (record === null) return { record, wrong: 'no attempt ended so' };
  if (record.ended !== ended) return { record, wrong: `the attempt ended as ${record.ended}` };
  if (outcome.startsWith('already_')) return { record, wrong: null };
  if (record.endedBy !== call.client) return { record, wrong: `the attempt was ended by ${record.endedBy}` };
  const sameError = record.errorCode === (input.error?.code ?? null);
  return { record, wrong: sameError ? null : `the attempt ended with the error ${record.errorCode}` };
}

/**
 * Every signature, release and rejection on record is one that was answered, or asked for and never
 * answered.
 */
export function* recordsWereAsked(book: SubscriptionBook): Breaches {
  for (const row of book.acknowledgments) {
    const asked = book.settledBy(row.deliveryNo, row.seq).filter(({ call }) => call.verb === 'acknowledge');
    if (!asked.some(mayHave('acknowledged', 'acknowledged_late')))
      yield `nobody acknowledged message ${row.seq} (ack_no ${row.ackNo})`;
  }
  for (const { seq, deliveryNo, ended, endedBy, errorCode } of book.failures) {
    if (ended === 'expired') continue;
    const verb = ended === 'released' ? 'release' : 'reject';
    const asked = book.settledBy(deliveryNo, seq).filter(({ call }) => call.verb === verb);
    if (asked.some(mayHave(ended))) continue;
    // What was handed out to a client that had left is given back in its name.
    const left = book.receives.some((call) => call.client === endedBy && (call.left || call.answer === null));
    const nobodys = book.handedBy(deliveryNo, seq).length === 0;
    const handedBack = ended === 'released' && errorCode === null && left && nobodys;
    if (!handedBack) yield `nobody ${ended} message ${seq} of delivery ${deliveryNo}`;
  }
}

/** An atomic call that was not answered signed for all of its receipts or for none. */
export function* atomicCallsAreWhole(book: SubscriptionBook): Breaches {
  const unanswered = book.settled.filter(({ call, result }) => call.atomic && result === null);
  for (const [call, inputs] of Map.groupBy(unanswered, (settled) => settled.call)) {
    const receipts = new Set(call.inputs.map(({ receipt }) => receipt));
    const isTheSame = (other: Settled) => other.call.inputs.every(({ receipt }) => receipts.has(receipt));
    const others = inputs.flatMap(({ deliveryNo, seq }) => book.settledBy(deliveryNo, seq));
    // Who else may have signed for one of them leaves it open.
    const ambiguous = others.some(
      (other) => other.call.verb === 'acknowledge' && !(other.call.atomic && isTheSame(other)),
    );
    if (ambiguous) continue;
    const signed = inputs.filter(({ deliveryNo, seq }) =>
      book.lifeOf(seq)?.acknowledgments.some((row) => row.deliveryNo === deliveryNo),
    );
    if (signed.length > 0 && signed.length < inputs.length) {
      const seqs = signed.map(({ seq }) => `message ${seq}`).join(', ');
      yield `an atomic call of ${call.client} signed for ${seqs} and not for ${inputs.length - signed.length} others`;
    }
  }
}

/** Only a live lease can be given back or rejected. */
export function* endsAreInTime(book: SubscriptionBook): Breaches {
  for (const { seq, deliveryNo, ended, endedAt } of book.failures) {
    const end = ended === 'expired' ? null : leaseEndAt(book.grantsOf(deliveryNo, seq), endedAt);
    if (end !== null && endedAt > end[1]) yield `message ${seq} was ${ended} ${endedAt - end[1]} µs after its lease`;
  }
}

function mayHave(...outcomes: Outcome[]) {
  return ({ result }: Settled) => result === null || outcomes.includes(result.outcome);
}

/** Each receipt is answered with an outcome that the table allows, in its order of precedence. */
export function* outcomesAreAllowed(book: SubscriptionBook): Breaches {
  for (const settled of book.settled) {
    const outcome = settled.result?.outcome;
    if (outcome === undefined) continue;
    const must = requiredOutcome(book, settled);
    // Who settled this very receipt may not have been answered yet.
    const before = must === 'superseded' && outcome.startsWith('already_');
    if (must !== null && !before) {
      if (outcome !== must) yield `${tell(settled)}, must be ${must}`;
      continue;
    }
    const wrong = objection(book, settled, outcome);
    if (wrong !== null) yield `${tell(settled)}, but ${wrong}`;
  }
}

const settledAs: Partial<Record<Outcome, Outcome>> = {
  acknowledged: 'already_acknowledged',
  acknowledged_late: 'already_acknowledged',
  already_acknowledged: 'already_acknowledged',
  released: 'already_released',
  already_released: 'already_released',
  rejected: 'already_rejected',
  already_rejected: 'already_rejected',
};

/**
 * What follows from answers that were given before the call began; null: several outcomes are
 * possible.
 */
function requiredOutcome(book: SubscriptionBook, settled: Settled): Outcome | null {
  const { call, input, deliveryNo, seq } = settled;
  if (!book.receipts.has(input.receipt)) return 'invalid_receipt';
  const before = (one: { endedAt: number | null }) => one.endedAt !== null && one.endedAt < call.startedAt;
  for (const other of book.settledBy(deliveryNo, seq)) {
    const as = other.result === null || !before(other.call) ? undefined : settledAs[other.result.outcome];
    if (as !== undefined) return as;
  }
  const life = book.lifeOf(seq);
  for (const newer of newerDeliveries(life, deliveryNo)) {
    if (book.handedBy(newer, seq).some((handed) => before(handed.call))) return 'superseded';
  }
  const elsewhere = signaturesElsewhere(book, life, deliveryNo);
  return elsewhere.some((one) => one.result !== null && before(one.call)) ? 'superseded' : null;
}

function newerDeliveries(life: Life | null, deliveryNo: number): number[] {
  return (life?.deliveries ?? []).map((row) => row.deliveryNo).filter((number) => number > deliveryNo);
}

/** Calls that signed, or may have signed, for the message by another delivery of it. */
function signaturesElsewhere(book: SubscriptionBook, life: Life | null, deliveryNo: number): Settled[] {
  const signed = (life?.acknowledgments ?? []).filter((row) => row.deliveryNo !== deliveryNo);
  return signed.flatMap((row) =>
    book
      .settledBy(row.deliveryNo, row.seq)
      .filter(({ call }) => call.verb === 'acknowledge')
      .filter(mayHave('acknowledged', 'acknowledged_late', 'already_acknowledged')),
  );
}

/** Why the outcome cannot be; null when it can. */
function objection(book: SubscriptionBook, settled: Settled, outcome: Outcome): string | null {
  const { call, deliveryNo, seq } = settled;
  const life = book.lifeOf(seq);
  const failure = life?.failures.find((row) => row.deliveryNo === deliveryNo);
  const signature = life?.acknowledgments.find((row) => row.deliveryNo === deliveryNo);
  switch (outcome) {
    case 'already_acknowledged':
    case 'already_released':
    case 'already_rejected':
      return hasCause(book, settled, outcome) ? null : 'nobody had done so';
    case 'superseded':
      if (signature !== undefined || (failure !== undefined && failure.ended !== 'expired'))
        return 'this very receipt was settled';
      return isSuperseded(book, settled) ? null : 'no newer delivery and no other signature is there';
    case 'extended':
      return objectionToExtending(book, settled, failure, signature);
    case 'gone':
      if (call.verb === 'acknowledge') return 'an acknowledgment could have been late';
      if (failure?.ended === 'expired' || signature?.late === true) return null;
      return isOver(book, settled) ? null : 'its lease did not end';
    case 'dead_lettered':
      if (call.verb === 'acknowledge') return 'its dead letter could have been closed';
      return failure?.ended === 'expired' && failure.deadLetterNo !== null ? null : 'it is no dead letter';
    case 'invalid_receipt':
      return 'it was handed out';
    case 'not_done':
      return isRefused(settled) ? null : 'nothing stood in the way';
    default:
      return isOk(call.verb, outcome) && !isRefused(settled) ? null : 'the call cannot do that';
  }
}

/** Nobody has ended the lease yet, but its time was over. */
function isOver({ leases, readAt }: SubscriptionBook, { deliveryNo, seq }: Settled): boolean {
  const lease = leases.find((row) => row.deliveryNo === deliveryNo && row.outstanding.includes(seq));
  return lease !== undefined && lease.expiresAt <= readAt;
}

/** Somebody who began before the call ended did it, or may have done it unanswered. */
function hasCause(book: SubscriptionBook, settled: Settled, outcome: Outcome): boolean {
  const end = settled.call.endedAt ?? Number.POSITIVE_INFINITY;
  const verb = { already_acknowledged: 'acknowledge', already_released: 'release', already_rejected: 'reject' }[
    outcome as string
  ];
  return book
    .settledBy(settled.deliveryNo, settled.seq)
    .filter((other) => other !== settled && other.call.verb === verb && other.call.startedAt < end)
    .some(({ result }) => result === null || (settledAs[result.outcome] === outcome && result.outcome !== outcome));
}

function isSuperseded(book: SubscriptionBook, { call, deliveryNo, seq }: Settled): boolean {
  const end = call.endedAt ?? Number.POSITIVE_INFINITY;
  const life = book.lifeOf(seq);
  const handedOut = newerDeliveries(life, deliveryNo).some((newer) => {
    const handed = book.handedBy(newer, seq);
    return handed.length === 0 || handed.some(({ call: taking }) => taking.startedAt < end);
  });
  return handedOut || signaturesElsewhere(book, life, deliveryNo).some((one) => one.call.startedAt < end);
}

function objectionToExtending(
  book: SubscriptionBook,
  { call, result, deliveryNo, seq }: Settled,
  failure: FailureRow | undefined,
  signature: AcknowledgmentRow | undefined,
): string | null {
  if (call.verb !== 'extend' || result?.visibleUntil == null) return 'the call cannot do that';
  const timeout = call.visibilityTimeoutSeconds ?? book.subscription.visibilityTimeoutSeconds;
  const earliest = result.visibleUntil * 1000 - timeout * 1_000_000;
  const ended = failure?.endedAt ?? signature?.acknowledgedAt ?? Number.POSITIVE_INFINITY;
  if (ended < earliest) return 'its lease had ended';
  const before = book.grantsOf(deliveryNo, seq).filter((grant) => grant.at[1] < earliest);
  const end = leaseEndAt(before, earliest);
  return end !== null && end[1] < earliest ? 'its lease was over' : null;
}

/** In an atomic call one receipt that is not ok leaves all of them as they were. */
function isRefused({ call }: Settled): boolean {
  if (!call.atomic) return false;
  return (call.answer ?? []).some(({ outcome }) => outcome !== 'not_done' && !isOk(call.verb, outcome));
}
