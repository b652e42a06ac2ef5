// A consumer for Willcall in TypeScript, on the client that comes with the package: several
// messages at a time, signed for with the next receive. See docs/clients.md.
//
//   WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=… SUBSCRIPTION=acme-erp node consumer.ts
//
// Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the
// pretended work takes.

import { setTimeout as sleep } from 'node:timers/promises';
import { bytesOf, createClient, type ReceivedMessage } from 'willcall/client';

const { WILLCALL_URL = '', WILLCALL_KEY = '', SUBSCRIPTION = '' } = process.env;
const seconds = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);

const shutdown = new AbortController();
process.once('SIGTERM', () => shutdown.abort());
process.once('SIGINT', () => shutdown.abort());

/**
 * Your work. It may see the same `id` again: make the second time do nothing. Throwing gives the
 * message back.
 */
async function work({ id, attempt }: ReceivedMessage, body: Uint8Array, signal: AbortSignal): Promise<void> {
  process.stdout.write(`received ${id} attempt ${attempt}, ${body.length} bytes\n`);
  await sleep(seconds('WORK_SECONDS', 0) * 1000, undefined, { signal });
  process.stdout.write(`processed ${id}\n`);
}

await createClient({ url: WILLCALL_URL, key: WILLCALL_KEY }).consume({
  subscription: SUBSCRIPTION,
  concurrency: 4,
  waitSeconds: seconds('WAIT_SECONDS', 20),
  visibilityTimeoutSeconds: seconds('VISIBILITY_SECONDS', 30),
  shutdownSeconds: 2,
  signal: shutdown.signal,
  handler: (message, { signal }) => work(message, bytesOf(message), signal),
  onError: ({ during, error }) => process.stderr.write(`${during}: ${error}\n`),
});
