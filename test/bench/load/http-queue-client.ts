// Speaks Willcall's HTTP API, and so the baseline's and the floor's, which have the same wire shapes. Answers are not
// parsed as JSON in the measured loop: receipts are found by their field's name, which no opaque body can imitate (its
// quotes are escaped). The first answer of each connection is parsed in full and checked, so that the short cut and
// the server's bodies are known to be right.

import { makeBody } from './body.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import type { ClientOptions, QueueClient, Received, ReceiveOptions } from './queue-client.ts';

const RECEIPT = Buffer.from('"receipt":"');
const ATTEMPT = Buffer.from('"attempt":');
const FAILED = Buffer.from('"failed":');
const NONE_FAILED = Buffer.from('"failed":0');
const QUOTE = 0x22;
const DIGIT_ONE = 0x31;

export async function connect(options: ClientOptions): Promise<QueueClient> {
  const connection = await HttpConnection.open(options.target.url, options.target.headers);
  return new HttpQueueClient(connection, makeBody(options.bodyBytes));
}

class HttpQueueClient implements QueueClient {
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
    const answer = await this.#call(request, 'receive');
    const received = { receipts: findReceipts(answer.body), redelivered: countRedelivered(answer.body) };
    if (!this.#checked && received.receipts.length > 0) {
      this.#checked = true;
      this.#check(answer.body, received);
    }
    return received;
  }

  async acknowledge(queue: string, receipts: readonly string[]): Promise<void> {
    const request = this.#connection.prepare('POST', `/v1/subscriptions/${queue}/acknowledge`, { receipts });
    const { body } = await this.#call(request, 'acknowledge');
    const at = body.lastIndexOf(FAILED);
    const next = body[at + NONE_FAILED.length] ?? 0;
    const allDone = at !== -1 && body.indexOf(NONE_FAILED, at) === at && !isDigit(next);
    if (!allDone) {
      throw new Error(`acknowledge: not every receipt was settled: ${excerptOf(body)}`);
    }
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

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function excerptOf(body: Buffer): string {
  return body.toString().slice(0, 400);
}
