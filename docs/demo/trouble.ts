// The story, second half: a message that nobody can process, a call that waits, and the records at
// the end.

import { createHash } from 'node:crypto';
import { type Api, bodyOf, type Message, type SettleAnswer } from './api.ts';
import { book } from './booking.ts';
import { Disproved } from './proof.ts';
import type { Row } from './screen.ts';
import { acmeErp, nordwindTreasury, type Stage } from './stage.ts';
import { proveBytes, publishRaw } from './story.ts';

interface AcknowledgmentView {
  readonly ack_no: number;
  readonly message_id: string;
  readonly sequence: number;
  readonly attempt: number;
  readonly body_sha256: string;
  readonly acknowledged_at: string;
  readonly acknowledged_by: string;
  readonly reference: string | null;
  readonly late: boolean;
}

interface DeadLetterView {
  readonly sequence: number;
  readonly reason: string;
  readonly attempts: number | null;
  readonly message_id: string | null;
  readonly history: readonly { readonly error: { readonly code: string; readonly message: string | null } | null }[];
}

export async function poison(stage: Stage): Promise<void> {
  const { screen, prove, acme, nordwind, operator, samples } = stage;
  screen.chapter('A poison message');
  screen.say(
    'The next document is well-formed, but its control sum is wrong. acme-erp cannot book it. It says so and gives the ' +
      'message back: twice, because a failure may pass; then it is set aside and holds up nobody.',
  );
  await publishRaw(stage, samples.poison);
  const path = `/v1/subscriptions/${acmeErp}`;
  for (const attempt of [1, 2]) {
    const message = await receiveOne(acme, acmeErp);
    prove(message.attempt === attempt, `this is attempt ${attempt}`, message);
    const result = book(bodyOf(message), 'ACME');
    if (result.booked) throw new Error('The poison was booked; it is not one.');
    const error = { code: result.code, message: result.message };
    const answer = await acme.call<SettleAnswer>('POST', `${path}/release`, {
      receipts: [{ receipt: message.receipt, error }],
    });
    prove(answer.json.results[0]?.outcome === 'released', 'given back with the reason', answer.json);
  }
  const dead = await operator.call<{ dead_letters: DeadLetterView[] }>('GET', `${path}/dead-letters`);
  const letter = dead.json.dead_letters[0];
  const told = letter?.history.map((attempt) => attempt.error?.code).join();
  prove(letter?.reason === 'max_attempts' && told === 'CONTROL_SUM,CONTROL_SUM', 'set aside, with its history', letter);

  screen.say(
    '\nnordwind-treasury need not try twice: it knows that no retry will mend a sum, and rejects the message.',
  );
  const message = await receiveOne(nordwind, nordwindTreasury);
  prove(!book(bodyOf(message), 'NORD').booked, 'it cannot book it either', message);
  const answer = await nordwind.call<SettleAnswer>('POST', `/v1/subscriptions/${nordwindTreasury}/reject`, {
    receipts: [{ receipt: message.receipt, error: { code: 'CONTROL_SUM', message: 'wrong sum; ask the bank' } }],
  });
  prove(answer.json.results[0]?.outcome === 'rejected', 'rejected, at its first attempt', answer.json);
}

async function receiveOne(api: Api, subscription: string): Promise<Message> {
  const path = `/v1/subscriptions/${subscription}/receive`;
  const answer = await api.call<{ messages: Message[] }>('POST', path, { max_messages: 1, wait_seconds: 15 });
  const [message] = answer.json.messages;
  if (message === undefined) throw new Disproved(`No message came for ${subscription} within 15 seconds.`);
  return message;
}

export async function waitForWork(stage: Stage): Promise<void> {
  const { screen, prove, acme, nordwind, operator, samples } = stage;
  screen.chapter('A call that waits');
  screen.say('There is nothing to collect. acme-erp asks all the same, and its call is parked.');
  const parked = acme.park<{ messages: Message[] }>('POST', `/v1/subscriptions/${acmeErp}/receive`, {
    max_messages: 10,
    wait_seconds: 20,
  });
  let answeredAt = 0;
  const answered = parked.then(() => {
    answeredAt = performance.now();
  });
  await operator.call('GET', `/v1/subscriptions/${acmeErp}`);
  prove(answeredAt === 0, 'other calls are answered meanwhile, this one is not');
  await publishRaw(stage, samples.invoice);
  const committedAt = performance.now();
  await answered;
  const answer = await parked;
  acme.show(answer);
  const gapMs = Math.round(answeredAt - committedAt);
  const when = gapMs < 0 ? `${-gapMs} ms before` : `${gapMs} ms after`;
  prove(gapMs < 1000, `the parked call was answered ${when} the bank had its own answer in hand`, gapMs);
  proveBytes(stage, answer.json.messages);
  await signFor(stage, answer.json.messages);
  await receiveRaw(stage, nordwind);
}

async function signFor(stage: Stage, messages: readonly Message[]): Promise<void> {
  const receipts = messages.map((message) => {
    const result = book(bodyOf(message), 'ACME');
    return { receipt: message.receipt, ...(result.booked && { reference: result.reference }) };
  });
  const answer = await stage.acme.call<SettleAnswer>('POST', `/v1/subscriptions/${acmeErp}/acknowledge`, { receipts });
  stage.prove(answer.json.failed === 0, 'and signed for', answer.json);
}

async function receiveRaw(stage: Stage, nordwind: Api): Promise<void> {
  const { screen, prove, samples } = stage;
  screen.say('nordwind-treasury collects the same document raw: the body of the answer is the message.');
  const path = `/v1/subscriptions/${nordwindTreasury}`;
  const answer = await nordwind.call<null>('POST', `${path}/receive/raw`, { wait_seconds: 15 });
  const receipt = answer.headers.get('willcall-receipt');
  const attribute = answer.headers.get('willcall-attribute-document');
  prove(answer.bytes.equals(samples.invoice.bytes), 'byte for byte', answer.bytes.length);
  prove(answer.headers.get('content-type') === samples.invoice.contentType, 'with its own content type');
  prove(attribute === samples.invoice.document && receipt !== null, 'and with receipt and attributes as headers');
  const signed = await nordwind.call<SettleAnswer>('POST', `${path}/acknowledge`, {
    receipts: [{ receipt, reference: 'NORD-INV-2026-0425' }],
  });
  prove(signed.json.failed === 0, 'signed for', signed.json);
}

export async function readTheRecords(stage: Stage): Promise<void> {
  const { screen, prove } = stage;
  screen.chapter('The records');
  const expected = [
    { subscription: acmeErp, client: 'acme', attempts: [1, 1, 1, 1, 1] },
    { subscription: nordwindTreasury, client: 'nordwind', attempts: [2, 2, 2, 2, 1] },
  ];
  for (const { subscription, client, attempts } of expected) {
    const rows = await readLedger(stage, subscription);
    const dense = rows.every((row, at) => row.ack_no === at + 1);
    prove(dense && rows.length === 5, `the ledger of ${subscription} is numbered 1 to 5 without a gap`, rows);
    prove(rows.map((row) => row.attempt).join() === attempts.join(), 'and knows on which attempt each was signed for');
    prove(
      rows.every((row) => row.acknowledged_by === client),
      `each of them was signed by ${client}, with its own key`,
      rows,
    );
    const digests = rows.every((row) => row.body_sha256 === digestOf(stage, row.message_id));
    prove(digests, 'its digests are those of the files (SHA-256)', rows);
    const letters = await readDeadLetters(stage, subscription);
    prove(letters.length === 1, 'one dead letter', letters);
  }
}

function digestOf(stage: Stage, messageId: string): string {
  const sample = stage.published.get(messageId);
  return sample === undefined ? 'unknown' : createHash('sha256').update(sample.bytes).digest('hex');
}

async function readLedger(stage: Stage, subscription: string): Promise<readonly AcknowledgmentView[]> {
  const path = `/v1/subscriptions/${subscription}/acknowledgments`;
  const answer = await stage.operator.call<{ acknowledgments: AcknowledgmentView[] }>('GET', path);
  const rows = answer.json.acknowledgments;
  stage.screen.table(
    ['ack_no', 'sequence', 'attempt', 'reference', 'by', 'at', 'sha256'],
    rows.map(
      (row): Row => [
        row.ack_no,
        row.sequence,
        row.attempt,
        row.reference ?? '',
        row.acknowledged_by,
        row.acknowledged_at.slice(11, 23),
        row.body_sha256.slice(0, 12),
      ],
    ),
  );
  return rows;
}

async function readDeadLetters(stage: Stage, subscription: string): Promise<readonly DeadLetterView[]> {
  const path = `/v1/subscriptions/${subscription}/dead-letters`;
  const answer = await stage.operator.call<{ dead_letters: DeadLetterView[] }>('GET', path);
  const letters = answer.json.dead_letters;
  stage.screen.table(
    ['sequence', 'reason', 'attempts', 'last error'],
    letters.map((letter): Row => {
      const last = letter.history.at(-1)?.error;
      return [
        letter.sequence,
        letter.reason,
        letter.attempts ?? 0,
        last == null ? '' : `${last.code}: ${last.message}`,
      ];
    }),
  );
  return letters;
}
