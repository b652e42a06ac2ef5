// What a person needs to see of a history that breaks a promise: the calls and the rows of the one
// message, or the one subscription, that a violation is about, and nothing else.

import { parseReceipt } from '../../src/domain/receipt.ts';
import type { Call } from './history.ts';
import { checkHistory, type History, type Violation } from './history-check.ts';
import type { Rows } from './history-rows.ts';

export interface Excerpt {
  readonly violation: Violation;
  readonly history: History;
  /** Whether the excerpt alone still shows the violation. */
  readonly shows: boolean;
}

/**
 * The shortest part of the history that still shows the violation: of its messages, else of its
 * topic or subscription. Calls of the message are never left out: those that did nothing wrong are
 * what explains it, or fails to.
 */
export function excerptOf(history: History, violation: Violation): Excerpt {
  const subject = subjectOf(history, violation);
  const whole = narrow(history, { ...subject, seqs: [] });
  const candidates = subject.seqs.length > 0 ? [narrow(history, subject), whole] : [whole];
  const showing = candidates.find((part) => shows(part, violation));
  return { violation, history: showing ?? candidates[0] ?? history, shows: showing !== undefined };
}

function shows(history: History, { rule, what }: Violation): boolean {
  const drained = rule === 'nothingIsLeft';
  return checkHistory(history, { drained }).some((other) => other.rule === rule && other.what === what);
}

interface Subject {
  /** Of a topic, or of a subscription and its topic. */
  readonly name: string;
  readonly topic: string;
  /** Empty: all. */
  readonly seqs: readonly number[];
}

/**
 * A violation begins with the name of its topic or subscription, and names messages and deliveries
 * by number.
 */
function subjectOf({ rows }: History, { what }: Violation): Subject {
  const name = what.slice(0, what.indexOf(': '));
  const subscription = rows.subscriptions.find((row) => row.name === name);
  const topicId = subscription?.topicId ?? rows.topics.find((row) => row.name === name)?.topicId;
  const topic = rows.topics.find((row) => row.topicId === topicId)?.name ?? name;
  const numbers = (pattern: RegExp) => [...what.matchAll(pattern)].map((match) => Number(match[1]));
  const seqs = numbers(/(?:message|sequence) (\d+)/g);
  const ofOurs = <Row extends { subscriptionId: number }>(row: Row) =>
    row.subscriptionId === subscription?.subscriptionId;
  const ackNos = numbers(/ack_no (\d+)/g);
  const signed = rows.acknowledgments.filter((row) => ofOurs(row) && ackNos.includes(row.ackNo)).map((row) => row.seq);
  return { name, topic, seqs: [...new Set([...seqs, ...signed])] };
}

function narrow({ calls, rows }: History, { name, topic, seqs }: Subject): History {
  const topicRow = rows.topics.find((row) => row.name === topic);
  const subscription = rows.subscriptions.find((row) => row.name === name);
  const isWanted = (seq: number | null) => seqs.length === 0 || (seq !== null && seqs.includes(seq));
  const ours = <Row extends { subscriptionId: number; seq?: number }>(all: Row[]) =>
    all.filter((row) => row.subscriptionId === subscription?.subscriptionId && isWanted(row.seq ?? seqs[0] ?? null));
  const messages = rows.messages.filter((row) => row.topicId === topicRow?.topicId && isWanted(row.seq));
  const bodies = new Set(messages.map(({ body }) => body));
  const touches = (call: Call): boolean => {
    if (call.verb === 'publish') {
      const isOurs = seqs.length === 0 || call.bodies.some((body) => bodies.has(body));
      return call.topic === topic && (isOurs || (call.answer ?? []).some(({ sequence }) => isWanted(sequence)));
    }
    if (call.subscription !== name) return false;
    if (seqs.length === 0) return true;
    if (call.verb === 'receive') return (call.answer ?? []).some(({ sequence }) => isWanted(sequence));
    return call.inputs.some(({ receipt }) => isWanted(parseReceipt(receipt)?.sequence ?? null));
  };
  const holds = (list: readonly number[]) => seqs.length === 0 || list.some((seq) => seqs.includes(seq));
  const narrowed: Rows = {
    ...rows,
    topics: rows.topics.filter((row) => row === topicRow),
    subscriptions: rows.subscriptions.filter((row) => row === subscription),
    messages,
    deliveries: ours(rows.deliveries).filter(({ handed }) => holds(handed)),
    leases: ours(rows.leases).filter(({ outstanding }) => holds(outstanding)),
    deferred: ours(rows.deferred),
    failures: ours(rows.failures),
    acknowledgments: ours(rows.acknowledgments),
    deadLetters: ours(rows.deadLetters),
  };
  return { calls: calls.filter(touches), rows: narrowed };
}

const CALLS_SHOWN_MAX = 60;

/** For people: one line per call, in the order of their starts, then the rows. */
export function describeExcerpt({ violation, history, shows: whole }: Excerpt): string {
  const calls = history.calls.toSorted((a, b) => a.startedAt - b.startedAt);
  const left = calls.length - CALLS_SHOWN_MAX;
  const { topics: _topics, subscriptions: _subscriptions, readAt: _readAt, ...tables } = history.rows;
  const rows = Object.entries(tables).flatMap(([table, all]) =>
    all.slice(0, CALLS_SHOWN_MAX).map((row) => `    ${table} ${JSON.stringify(row)}`),
  );
  return [
    `${violation.rule}: ${violation.what}`,
    `  calls that touch it${whole ? '' : ' (the violation shows in the whole history only)'}:`,
    ...calls.slice(0, CALLS_SHOWN_MAX).map((call) => `    ${describeCall(call)}`),
    ...(left > 0 ? [`    and ${left} more`] : []),
    '  rows:',
    ...rows,
  ].join('\n');
}

function describeCall(call: Call): string {
  const { startedAt, endedAt, client, instance, verb, answer, error } = call;
  const when = `[${startedAt}, ${endedAt ?? 'still waiting'}] ${client} on ${instance}: ${verb}`;
  const said =
    call.verb === 'publish'
      ? `${call.bodies.length} messages ${JSON.stringify(call.dedupeKeys)}`
      : call.verb === 'receive'
        ? `${call.maxMessages} at most${call.idempotencyKey === null ? '' : `, key ${call.idempotencyKey}`}`
        : call.inputs.map(({ receipt }) => describeReceipt(receipt)).join(', ');
  const got =
    answer === null
      ? `no answer (${error instanceof Error ? error.message.slice(0, 120) : 'none'})`
      : JSON.stringify(answer);
  return `${when} ${said} -> ${got}`;
}

function describeReceipt(receipt: string): string {
  const parts = parseReceipt(receipt);
  return parts === null ? receipt : `message ${parts.sequence} of delivery ${parts.deliveryNo}`;
}
