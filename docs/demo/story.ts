// The story, first half: a bank publishes, one vendor works without a hitch, another one dies in
// the middle of its work.

import { bodyOf, type Message, type SettleAnswer } from './api.ts';
import { book } from './booking.ts';
import type { Sample } from './samples.ts';
import { acmeErp, type Client, nordwindTreasury, type Stage, topic } from './stage.ts';

interface Published {
  readonly messages: readonly { readonly id: string; readonly sequence: number | null }[];
}

interface SubscriptionView {
  readonly stats: { readonly backlog: number; readonly in_flight: number; readonly deferred: number };
}

export async function openTheCounter(stage: Stage): Promise<void> {
  const { screen, prove, operator } = stage;
  screen.chapter('A topic, and two vendors who subscribe to it');
  screen.say(
    'One log serves both vendors. Each subscription has a cursor of its own, its own visibility timeout and its own ' +
      'bounds. They are short here, so that the story is.',
  );
  const created = await operator.call('PUT', `/v1/topics/${topic}`, { retention_seconds: 86_400 });
  prove(created.status === 201, 'the topic was created', created.status);
  const acme = await operator.call('PUT', `/v1/subscriptions/${acmeErp}`, {
    topic,
    visibility_timeout_seconds: 20,
    max_attempts: 2,
    retry: { min_backoff_seconds: 1, max_backoff_seconds: 1 },
  });
  prove(acme.status === 201, 'acme-erp may fail a message twice before it is set aside', acme.status);
  const nordwind = await operator.call('PUT', `/v1/subscriptions/${nordwindTreasury}`, {
    topic,
    visibility_timeout_seconds: 3,
    max_attempts: 5,
    retry: { min_backoff_seconds: 1, max_backoff_seconds: 1 },
  });
  prove(nordwind.status === 201, 'nordwind-treasury has three seconds for a batch', nordwind.status);
  await createKeys(stage);
}

/** From here on each of them calls with its own key, which the ledger will name. */
async function createKeys({ screen, prove, operator, keys }: Stage): Promise<void> {
  screen.say('Each client gets a key of its own. The bank may only publish, a vendor only use its own subscription.');
  const roles: Readonly<Record<Client, object>> = {
    bank: { role: 'publisher', topics: [topic] },
    acme: { role: 'consumer', subscriptions: [acmeErp] },
    nordwind: { role: 'consumer', subscriptions: [nordwindTreasury] },
  };
  for (const client of ['bank', 'acme', 'nordwind'] as const) {
    const answer = await operator.call<{ key: string }>('POST', '/v1/keys', { client, roles: [roles[client]] });
    prove(answer.status === 201, `${client} has a key`, answer.status);
    keys.set(client, answer.json.key);
  }
}

export async function publish(stage: Stage): Promise<void> {
  const { screen, prove, samples, bank } = stage;
  screen.chapter('The bank publishes');
  screen.say(
    'Three documents in one JSON batch: two in UTF-8 as they stand, one in ISO-8859-1 as base64, because JSON can carry ' +
      'nothing but Unicode. The fourth, in UTF-16, goes raw: the body of the request is the message.',
  );
  const batch = [samples.entries, samples.status, samples.umlauts];
  const answer = await bank.call<Published>('POST', `/v1/topics/${topic}/messages`, {
    messages: batch.map((sample) => ({
      ...(sample === samples.umlauts
        ? { body: sample.bytes.toString('base64'), body_encoding: 'base64' }
        : { body: sample.bytes.toString('utf8') }),
      content_type: sample.contentType,
      attributes: { document: sample.document },
    })),
  });
  prove(answer.status === 201, 'all three were committed before the answer was sent', answer.status);
  for (const [at, message] of answer.json.messages.entries()) {
    stage.published.set(message.id, batch[at] ?? samples.entries);
  }
  await publishRaw(stage, samples.advice);
  const sequences = answer.json.messages.map((message) => message.sequence);
  prove(sequences.join() === '1,2,3', 'the batch took the sequences 1, 2 and 3', sequences);
}

/** Publishes one document as the request's body; its sequence, once it was committed. */
export async function publishRaw(stage: Stage, sample: Sample): Promise<number | null> {
  const answer = await stage.bank.send<Published>(`/v1/topics/${topic}/messages/raw`, {
    body: sample.bytes,
    headers: { 'content-type': sample.contentType, 'willcall-attribute-document': sample.document },
  });
  stage.prove(answer.status === 201, `${sample.name} was committed as it stands`, answer.status);
  const message = answer.json.messages[0];
  if (message !== undefined) stage.published.set(message.id, sample);
  return message?.sequence ?? null;
}

export async function workWithoutAHitch(stage: Stage): Promise<void> {
  const { screen, prove, acme } = stage;
  screen.chapter('acme-erp collects, books, and signs with its own transaction numbers');
  const path = `/v1/subscriptions/${acmeErp}`;
  const answer = await acme.call<{ messages: Message[] }>('POST', `${path}/receive`, {
    max_messages: 10,
    wait_seconds: 10,
  });
  const messages = answer.json.messages;
  prove(messages.length === 4, 'four messages in one answer', messages.length);
  proveBytes(stage, messages);
  const receipts = messages.map((message) => {
    const result = book(bodyOf(message), 'ACME');
    return { receipt: message.receipt, ...(result.booked && { reference: result.reference }) };
  });
  const signed = await acme.call<SettleAnswer>('POST', `${path}/acknowledge`, { receipts });
  const numbers = signed.json.results.map((result) => result.ack_no);
  prove(signed.status === 200 && signed.json.failed === 0, 'all four are signed for', signed.json);
  prove(numbers.join() === '1,2,3,4', 'the ledger numbered them 1 to 4', numbers);

  screen.say('Had that answer been lost on the way, acme-erp would ask again. Nothing is signed for twice:');
  const again = await acme.call<SettleAnswer>('POST', `${path}/acknowledge`, { receipts });
  const outcomes = new Set(again.json.results.map((result) => result.outcome));
  prove([...outcomes].join() === 'already_acknowledged', 'the same receipts, the same records', [...outcomes]);
  const same = again.json.results.every((result, at) => result.ack_no === numbers[at]);
  prove(same, 'and the same numbers in the ledger', again.json.results);
}

export function proveBytes(stage: Stage, messages: readonly Message[]): void {
  for (const message of messages) {
    const sample = stage.published.get(message.id);
    const equal = sample?.bytes.equals(bodyOf(message)) === true && message.content_type === sample.contentType;
    const size = `${sample?.bytes.length} bytes`;
    stage.prove(equal, `${sample?.name ?? message.id}: byte for byte what was published (${size})`);
  }
}

export async function crash(stage: Stage): Promise<void> {
  const { screen, prove, nordwind, operator } = stage;
  screen.chapter('nordwind-treasury collects, and is killed in the middle of its work');
  const first = stage.startVendor('hang');
  const holding = (await first.news.next()).value;
  if (holding?.kind !== 'holding') throw new Error('nordwind-treasury ended before it had received anything');
  prove(holding.messages.length === 4, 'its process has four messages in its hands', holding.messages.length);
  first.process.kill('SIGKILL');
  const killedAt = performance.now();
  prove((await first.ended) === 'SIGKILL', 'and was killed with SIGKILL before it signed for any of them');
  const view = await operator.call<SubscriptionView>('GET', `/v1/subscriptions/${nordwindTreasury}`);
  const { in_flight: inFlight, backlog, deferred } = view.json.stats;
  prove(inFlight + deferred === 4 && backlog === 0, 'nothing is lost: the four are outstanding', view.json.stats);

  screen.say(
    'The back end is started again and asks for work. Its call is parked until the visibility timeout of its dead ' +
      'predecessor has ended; then the messages come back, each as attempt 2.',
  );
  const second = stage.startVendor('4');
  let signed = 0;
  for await (const news of second.news) {
    if (news.kind !== 'signed') continue;
    signed += news.messages.length;
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    const attempts = [...new Set(news.messages.map((message) => message.attempt))];
    prove(attempts.join() === '2', `${seconds} s after the kill: ${news.messages.length} as attempt 2`, attempts);
    proveBytes(stage, news.messages);
    prove(news.answer.failed === 0, `${news.answer.results.length} signed for`, news.answer);
  }
  prove((await second.ended) === 0 && signed === 4, 'each of the four was signed for once', signed);

  screen.say('What if the first process was not dead but slow, and signs now, with the receipts of attempt 1?');
  const late = await nordwind.call<Partial<SettleAnswer>>('POST', `/v1/subscriptions/${nordwindTreasury}/acknowledge`, {
    receipts: holding.messages.map((message) => message.receipt),
  });
  const outcomes = [...new Set(late.json.results?.map((result) => result.outcome))];
  prove(
    late.status === 409 && outcomes.join() === 'superseded',
    'refused: a newer delivery holds the messages',
    late.json,
  );
}
