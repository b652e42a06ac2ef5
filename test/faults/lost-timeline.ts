// What a history may be held to after a failover that lost the newest commits: whatever was
// answered before it may be gone, but only as a tail; what is left, and everything since, keeps
// every promise; and a receipt or an id of what was lost names nothing any more. Those are then
// unknown to the checker, for which an unknown receipt can only be invalid.

import { parseReceipt } from '../../src/domain/receipt.ts';
import type { Call, PublishCall, ReceiveCall, Tick } from '../support/history.ts';
import type { History } from '../support/history-check.ts';
import type { Rows } from '../support/history-rows.ts';

export interface LostTimeline {
  /**
   * Without what was lost; of what was said of receipts before the failover nobody knows whether it
   * was kept.
   */
  readonly history: History;
  /** Answered calls of which the new timeline knows nothing. */
  readonly lostPublishes: readonly PublishCall[];
  readonly lostReceives: readonly ReceiveCall[];
  /** Where what was lost is not a tail. */
  readonly violations: readonly string[];
}

/** `at`: the last moment at which the old primary can have answered. */
export function forgetLostTimeline({ calls, rows }: History, at: Tick): LostTimeline {
  const ids = new Set(rows.messages.map(({ messageId }) => messageId));
  const nonces = new Set(rows.deliveries.map(({ nonce }) => nonce));
  const lostPublishes: PublishCall[] = [];
  const lostReceives: ReceiveCall[] = [];
  const judge = (call: Call): Call => {
    if (call.answer === null || !isBefore(call, at)) return call;
    const unknown = { ...call, answer: null, error: 'lost with its timeline' } as Call;
    if (call.verb === 'publish') {
      if (call.answer.some(({ id }) => ids.has(id))) return call;
      lostPublishes.push(call);
    } else if (call.verb === 'receive') {
      const nonce = parseReceipt(call.answer[0]?.receipt ?? '')?.nonce;
      if (nonce === undefined || nonces.has(nonce.toString())) return call;
      lostReceives.push(call);
    }
    return unknown;
  };
  const kept = calls.map(judge);
  return {
    history: { calls: kept, rows, disturbed: true },
    ...{ lostPublishes, lostReceives },
    violations: [...lostOutOfOrder(kept, lostPublishes, at), ...receiptsUsedAgain(rows, lostReceives)],
  };
}

/** Answered by the old primary, for certain; what was answered later is the new one's. */
function isBefore({ endedAt }: Call, at: Tick): boolean {
  return endedAt !== null && endedAt <= at;
}

/** Of each topic, what was kept from before the failover stands before what was lost. */
function* lostOutOfOrder(kept: readonly Call[], lost: readonly PublishCall[], at: Tick): Generator<string> {
  const sequences = (call: PublishCall) =>
    (call.answer ?? []).flatMap(({ sequence, duplicate }) => (sequence === null || duplicate ? [] : [sequence]));
  for (const [topic, ofTopic] of Map.groupBy(lost, (call) => call.topic)) {
    const before = kept.filter((call) => call.verb === 'publish').filter((call) => isBefore(call, at));
    const newestKept = Math.max(0, ...before.filter((call) => call.topic === topic).flatMap(sequences));
    const oldestLost = Math.min(...ofTopic.flatMap(sequences));
    if (oldestLost < newestKept) yield `${topic}: message ${oldestLost} was lost, and ${newestKept} was kept`;
  }
}

/** A delivery of the new timeline may have the number of a lost one, and never its nonce. */
function* receiptsUsedAgain({ deliveries }: Rows, lost: readonly ReceiveCall[]): Generator<string> {
  const nonces = new Set(deliveries.map(({ nonce }) => nonce));
  for (const { answer } of lost) {
    for (const { receipt } of answer ?? []) {
      if (nonces.has(parseReceipt(receipt)?.nonce.toString() ?? '')) yield `the receipt ${receipt} was used again`;
    }
  }
}
