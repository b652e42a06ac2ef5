// Speaks Amazon SQS's JSON protocol on the generator's own connection. SQS takes and gives ten
// messages per call at most, so a larger batch is several calls, one after the other; a single
// message uses the calls for one. As with the other clients receipts are found without parsing, and
// the first answer of each connection is parsed and checked.

import { makeBody } from '../../load/body.ts';
import { type HttpAnswer, HttpConnection } from '../../load/http-connection.ts';
import type { ClientOptions, QueueClient, Received, ReceiveOptions } from '../../load/queue-client.ts';

const MESSAGES_PER_CALL_MAX = 10;
const RECEIPT = Buffer.from('"ReceiptHandle":"');
const FAILED = Buffer.from('"Failed":[');
const NONE_FAILED = Buffer.from('"Failed":[]');
const QUOTE = 0x22;
/** SQS tells the calls apart by a header, and requests of another content type are not for it. */
const CONTENT_TYPE = 'application/x-amz-json-1.0';

interface Message {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

export async function connect(options: ClientOptions): Promise<QueueClient> {
  const connection = await HttpConnection.open(options.target.url, options.target.headers);
  return new SqsClient(connection, makeBody(options.bodyBytes));
}

class SqsClient implements QueueClient {
  readonly #connection: HttpConnection;
  readonly #body: string;
  readonly #urls = new Map<string, string>();
  /** Requests that never change, by what they depend on. */
  readonly #prepared = new Map<string, Buffer>();
  #checked = false;

  constructor(connection: HttpConnection, body: string) {
    this.#connection = connection;
    this.#body = body;
  }

  async createQueue(queue: string): Promise<void> {
    const answer = await this.#call('CreateQueue', this.#prepare('CreateQueue', { QueueName: queue }));
    this.#urls.set(queue, readUrl(answer));
  }

  async publish(queue: string, messages: number): Promise<void> {
    const url = await this.#findUrl(queue);
    for (const count of splitIntoCalls(messages)) {
      const action = messages === 1 ? 'SendMessage' : 'SendMessageBatch';
      const request = this.#prepareOnce(`${action} ${queue} ${count}`, () => {
        const entry = (_: unknown, index: number) => ({ Id: String(index), MessageBody: this.#body });
        return messages === 1
          ? this.#prepare(action, { QueueUrl: url, MessageBody: this.#body })
          : this.#prepare(action, { QueueUrl: url, Entries: Array.from({ length: count }, entry) });
      });
      checkNoneFailed(action, await this.#call(action, request));
    }
  }

  async receive(queue: string, options: ReceiveOptions): Promise<Received> {
    const url = await this.#findUrl(queue);
    const receipts: string[] = [];
    for (const count of splitIntoCalls(options.maxMessages)) {
      // Only the first of several calls may wait: the others take what is there.
      const waitSeconds = receipts.length === 0 ? options.waitSeconds : 0;
      const key = `ReceiveMessage ${queue} ${count} ${waitSeconds} ${options.visibilityTimeoutSeconds ?? ''}`;
      const request = this.#prepareOnce(key, () =>
        this.#prepare('ReceiveMessage', {
          QueueUrl: url,
          MaxNumberOfMessages: count,
          WaitTimeSeconds: waitSeconds,
          VisibilityTimeout: options.visibilityTimeoutSeconds,
        }),
      );
      const answer = await this.#call('ReceiveMessage', request);
      const found = findReceipts(answer.body);
      if (!this.#checked && found.length > 0) {
        this.#checked = true;
        this.#check(answer.body, found);
      }
      receipts.push(...found);
      if (found.length < count) {
        break;
      }
    }
    return { receipts, redelivered: 0 };
  }

  async acknowledge(queue: string, receipts: readonly string[]): Promise<void> {
    const url = await this.#findUrl(queue);
    const [only] = receipts;
    if (receipts.length === 1 && only !== undefined) {
      const request = this.#prepare('DeleteMessage', { QueueUrl: url, ReceiptHandle: only });
      await this.#call('DeleteMessage', request);
      return;
    }
    for (let from = 0; from < receipts.length; from += MESSAGES_PER_CALL_MAX) {
      const entries = receipts
        .slice(from, from + MESSAGES_PER_CALL_MAX)
        .map((receipt, index) => ({ Id: String(index), ReceiptHandle: receipt }));
      const request = this.#prepare('DeleteMessageBatch', { QueueUrl: url, Entries: entries });
      checkNoneFailed('DeleteMessageBatch', await this.#call('DeleteMessageBatch', request));
    }
  }

  close(): void {
    this.#connection.close();
  }

  async #findUrl(queue: string): Promise<string> {
    const known = this.#urls.get(queue);
    if (known !== undefined) {
      return known;
    }
    const url = readUrl(await this.#call('GetQueueUrl', this.#prepare('GetQueueUrl', { QueueName: queue })));
    this.#urls.set(queue, url);
    return url;
  }

  #prepare(action: string, body: unknown): Buffer {
    return this.#connection.prepare('POST', '/', body, {
      'Content-Type': CONTENT_TYPE,
      'X-Amz-Target': `AmazonSQS.${action}`,
    });
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

  async #call(action: string, request: Buffer): Promise<HttpAnswer> {
    const answer = await this.#connection.send(request);
    if (answer.status !== 200) {
      throw new Error(`${action}: status ${answer.status}: ${excerptOf(answer.body)}`);
    }
    return answer;
  }

  #check(answer: Buffer, found: readonly string[]): void {
    const parsed = JSON.parse(answer.toString()) as { Messages: readonly Message[] };
    if (parsed.Messages.map((message) => message.ReceiptHandle).join() !== found.join()) {
      throw new Error('ReceiveMessage: the receipts found differ from those of the parsed answer');
    }
    if (parsed.Messages.some((message) => message.Body !== this.#body)) {
      throw new Error('ReceiveMessage: a body came back changed');
    }
  }
}

/** How many messages each call carries. */
function splitIntoCalls(messages: number): number[] {
  const calls: number[] = [];
  for (let left = messages; left > 0; left -= MESSAGES_PER_CALL_MAX) {
    calls.push(Math.min(left, MESSAGES_PER_CALL_MAX));
  }
  return calls;
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

// A batch answers 200 also when entries failed; the list is absent or empty when none did.
function checkNoneFailed(action: string, answer: HttpAnswer): void {
  const at = answer.body.indexOf(FAILED);
  if (at !== -1 && answer.body.indexOf(NONE_FAILED) !== at) {
    throw new Error(`${action}: entries failed: ${excerptOf(answer.body)}`);
  }
}

function readUrl(answer: HttpAnswer): string {
  return (JSON.parse(answer.body.toString()) as { QueueUrl: string }).QueueUrl;
}

function excerptOf(body: Buffer): string {
  return body.toString().slice(0, 400);
}
