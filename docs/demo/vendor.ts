// A vendor's back end as a process of its own: it collects, books and signs. Told to, it hangs in
// the middle of its work instead, so that somebody can kill it there. Settings come from the
// environment, news go to the parent over IPC.

import { type Api, bodyOf, createApi, type Message, type SettleAnswer } from './api.ts';
import { book } from './booking.ts';
import { createScreen } from './screen.ts';

/** What the vendor tells its parent. */
export type News =
  | { readonly kind: 'holding'; readonly messages: readonly Message[] }
  | { readonly kind: 'signed'; readonly messages: readonly Message[]; readonly answer: SettleAnswer };

/** What the parent tells the vendor, as environment variables. */
export interface VendorSettings {
  readonly VENDOR_URL: string;
  readonly VENDOR_KEY: string;
  readonly VENDOR_SUBSCRIPTION: string;
  /**
   * How many messages it has to sign for before it is done; `hang` stops for good when the first
   * ones are in its hands.
   */
  readonly VENDOR_TASK: string;
}

function readSetting(name: keyof VendorSettings): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set; the vendor is started by run.ts.`);
  return value;
}

function send(news: News): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(news, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function receive(api: Api, subscription: string): Promise<readonly Message[]> {
  const path = `/v1/subscriptions/${subscription}/receive`;
  const answer = await api.call<{ messages: readonly Message[] }>('POST', path, { max_messages: 10, wait_seconds: 15 });
  return answer.json.messages;
}

async function sign(api: Api, subscription: string, messages: readonly Message[]): Promise<SettleAnswer> {
  const receipts = messages.map((message) => {
    const result = book(bodyOf(message), 'NORD');
    return { receipt: message.receipt, ...(result.booked && { reference: result.reference }) };
  });
  const answer = await api.call<SettleAnswer>('POST', `/v1/subscriptions/${subscription}/acknowledge`, { receipts });
  return answer.json;
}

async function run(): Promise<void> {
  const screen = createScreen(process.stdout);
  const subscription = readSetting('VENDOR_SUBSCRIPTION');
  const who = `${subscription}, process ${process.pid}`;
  const key = readSetting('VENDOR_KEY');
  const api = createApi({ baseUrl: readSetting('VENDOR_URL'), key: () => key, who, screen });
  const task = readSetting('VENDOR_TASK');

  let left = task === 'hang' ? 1 : Number(task);
  while (left > 0) {
    const messages = await receive(api, subscription);
    if (messages.length === 0) continue;
    if (task === 'hang') {
      await send({ kind: 'holding', messages });
      await new Promise(() => process.on('message', () => {}));
    }
    const answer = await sign(api, subscription, messages);
    await send({ kind: 'signed', messages, answer });
    left -= messages.length;
  }
  process.disconnect();
}

await run();
