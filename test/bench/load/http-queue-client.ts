// Speaks Willcall's HTTP API, and so the baseline's and the floor's, which have the same wire
// shapes. Answers are not parsed as JSON in the measured loop: receipts are found by their field's
// name, which no opaque body can imitate (its quotes are escaped). The first answer of each
// connection is parsed in full and checked, so that the short cut and the server's bodies are known
// to be right.

import { makeBody } from './body.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import type { ClientOptions, QueueClient, Received, ReceiveOptions } from './queue-client.ts';

const RECEIPT = Buffer.from('"receipt":"');
const ATTEMPT = Buffer.from('"attempt":');
const FAILED = Buffer.from('"failed":');
const NONE_FAILED = Buffer.from('"failed":0');
const ACKNOWLEDGED = Buffer.from('"outcome":"acknowledged"');
const QUOTE = 0x22;
const DIGIT_ONE = 0x31;

/** What only Willcall itself has, for drivers that measure it alone. */
export interface WillcallClient extends QueueClient {
  createTopic(topic: string, settings: Readonly<Record<string, number>>): Promise<void>;
  subscribe(topic: string, subscription: string): Promise<void>;
  /**
   * As `receive`, with the acknowledgment of earlier receipts in the same call; throws unless all
   * were settled.
   */
  receiveAcknowledging(queue: string, options: ReceiveOptions, receipts: readonly string[]): Promise<Received>;
  /** Throws unless every one of them was settled. */
  settle(verb: 'extend' | 'release' | 'reject', queue: string, receipts: readonly string[]): Promise<void>;
}

export async function connect(options: ClientOptions): Promise<WillcallClient> {
  const connection = await HttpConnection.open(options.target.url, options.target.headers);
  return new HttpQueueClient(connection, makeBody(options.bodyBytes));
}

class HttpQueueClient implements WillcallClient {
  readonly #connection: HttpConnection;
  readonly #body: string;
  /** Requests that never change, by what they depend on. */
  readonly #prepared = new Map<string, Buffer>();
  #checked = false;

  constructor(connection: HttpConnection, body: string) {
    this.#connection = connection;
    this.#body = body;
  }

  async createQueue(queue: string): Promise<void> {
    await this.#call(this.#connection.prepare('PUT', `/v1/subscriptions/${queue}`, { start: 'earliest' }), 'create');
  }

  async createTopic(topic: string, settings: Readonly<Record<string, number>>): Promise<void> {
    await this.#call(this.#connection.prepare('PUT', `/v1/topics/${topic}`, settings), 'create topic');
  }

  async subscribe(topic: string, subscription: string): Promise<void> {
    const path = `/v1/subscriptions/${subscription}`;
    await this.#call(this.#connection.prepare('PUT', path, { topic, start: 'earliest' }), 'subscribe');
  }

  async publish(queue: string, messages: number): Promise<void> {
    const request = this.#prepareOnce(`publish ${queue} ${messages}`, () => {
      const message = { body: this.#body, body_encoding: 'utf8', content_type: 'application/xml' };
      const body = { messages: Array.from({ length: messages }, () => message) };
      return this.#connection.prepare('POST', `/v1/topics/${queue}/messages`, body);
    });
    await this.#call(request, 'publish');
  }

  async receive(queue: string, options: ReceiveOptions): Promise<Received> {
    const { maxMessages, waitSeconds, visibilityTimeoutSeconds } = options;
    const key = `receive ${queue} ${maxMessages} ${waitSeconds} ${visibilityTimeoutSeconds ?? ''}`;
    const request = this.#prepareOnce(key, () => {
      const body = {
        max_messages: maxMessages,
        wait_seconds: waitSeconds,
        visibility_timeout_seconds: visibilityTimeoutSeconds,
      };
      return this.#connection.prepare('POST', `/v1/subscriptions/${queue}/receive`, body);
    });
    return this.#read(await this.#call(request, 'receive'));
  }

  async receiveAcknowledging(queue: string, options: ReceiveOptions, receipts: readonly string[]): Promise<Received> {
    const { maxMessages, waitSeconds } = options;
    const body = { max_messages: maxMessages, wait_seconds: waitSeconds, acknowledge: receipts };
    const request = this.#connection.prepare('POST', `/v1/subscriptions/${queue}/receive`, body);
    const answer = await this.#call(request, 'receive');
    const done = countOf(answer.body, ACKNOWLEDGED);
    if (done !== receipts.length) {
      throw new Error(`receive: ${done} of ${receipts.length} receipts were acknowledged on the way`);
    }
    // The results of the acknowledgment name its receipts, too.
    const settled = new Set(receipts);
    return this.#read(answer, (receipt) => !settled.has(receipt));
  }

  async settle(verb: 'extend' | 'release' | 'reject', queue: string, receipts: readonly string[]): Promise<void> {
    const extra = verb === 'extend' ? { visibility_timeout_seconds: 60 } : {};
    const request = this.#connection.prepare('POST', `/v1/subscriptions/${queue}/${verb}`, { receipts, ...extra });
    checkNoneFailed(verb, await this.#call(request, verb));
  }

  async acknowledge(queue: string, receipts: readonly string[]): Promise<void> {
    const request = this.#connection.prepare('POST', `/v1/subscriptions/${queue}/acknowledge`, { receipts });
    checkNoneFailed('acknowledge', await this.#call(request, 'acknowledge'));
  }

  close(): void {
    this.#connection.close();
  }

  #prepareOnce(key: string, make: () => Buffer): Buffer {
    const known = this.#prepared.get(key);
    if (known !== undefined) {
      return known;
    }
    const made = make();
    this.#prepared.set(key, made);
    return made;
  }

  async #call(request: Buffer, call: string): Promise<HttpAnswer> {
    const answer = await this.#connection.send(request);
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${call}: status ${answer.status}: ${excerptOf(answer.body)}`);
    }
    return answer;
  }

  #read(answer: HttpAnswer, isNew: (receipt: string) => boolean = () => true): Received {
    const receipts = findReceipts(answer.body).filter(isNew);
    const received = { receipts, redelivered: countRedelivered(answer.body) };
    if (!this.#checked && receipts.length > 0) {
      this.#checked = true;
      this.#check(answer.body, received);
    }
    return received;
  }

  #check(answer: Buffer, found: Received): void {
    const parsed = JSON.parse(answer.toString()) as { messages: { receipt: string; attempt: number; body: string }[] };
    const receipts = parsed.messages.map((message) => message.receipt);
    if (receipts.join() !== found.receipts.join()) {
      throw new Error('receive: the receipts found differ from those of the parsed answer');
    }
    if (parsed.messages.filter((message) => message.attempt > 1).length !== found.redelivered) {
      throw new Error('receive: the attempts found differ from those of the parsed answer');
    }
    if (parsed.messages.some((message) => message.body !== this.#body)) {
      throw new Error('receive: a body came back changed');
    }
  }
}

function findReceipts(answer: Buffer): string[] {
  const receipts: string[] = [];
  for (let at = answer.indexOf(RECEIPT); at !== -1; at = answer.indexOf(RECEIPT, at)) {
    const start = at + RECEIPT.length;
    const end = answer.indexOf(QUOTE, start);
    receipts.push(answer.toString('latin1', start, end));
    at = end;
  }
  return receipts;
}

function countRedelivered(answer: Buffer): number {
  let redelivered = 0;
  for (let at = answer.indexOf(ATTEMPT); at !== -1; at = answer.indexOf(ATTEMPT, at)) {
    at += ATTEMPT.length;
    redelivered += answer[at] === DIGIT_ONE && !isDigit(answer[at + 1] ?? 0) ? 0 : 1;
  }
  return redelivered;
}

function countOf(answer: Buffer, text: Buffer): number {
  let count = 0;
  for (let at = answer.indexOf(text); at !== -1; at = answer.indexOf(text, at + text.length)) {
    count += 1;
  }
  return count;
}

function checkNoneFailed(call: string, { body }: HttpAnswer): void {
  const at = body.lastIndexOf(FAILED);
  const next = body[at + NONE_FAILED.length] ?? 0;
  const allDone = at !== -1 && body.indexOf(NONE_FAILED, at) === at && !isDigit(next);
  if (!allDone) {
    throw new Error(`${call}: not every receipt was settled: ${excerptOf(body)}`);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function excerptOf(body: Buffer): string {
  return body.toString().slice(0, 400);
}
