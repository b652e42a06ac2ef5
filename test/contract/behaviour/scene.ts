// What the promises have in common: fresh names, text bodies, and a queue whose messages have just
// been received.

import { type ExpectStatic, expect } from 'vitest';
import type { ErrorCode } from '../../../src/domain/errors.ts';
import {
  type Delivery,
  type NewMessage,
  type SettledReceipt,
  type SubscriptionSettings,
  type TransportClient,
  TransportRefusal,
} from './transport.ts';

/**
 * Given to each promise: the transport's client, and short ways to what most of them begin with.
 */
export interface Scene {
  readonly client: TransportClient;
  /** A name that no other test uses. */
  freshName(): string;
  /** Creates a subscription with the topic of the same name. */
  openQueue(settings?: SubscriptionSettings): Promise<string>;
  /** A queue with these bodies published, and all of them received. */
  openReceived(
    bodies: readonly string[],
    settings?: SubscriptionSettings,
  ): Promise<{ readonly name: string; readonly batch: readonly Delivery[] }>;
  /** Asks again until the assertion that follows holds: `await scene.poll(() => …).toEqual(…)`. */
  readonly poll: ExpectStatic['poll'];
  /** Receives until so many have come; a transport may bring fewer per call. */
  receiveCount(subscription: string, count: number): Promise<Delivery[]>;
}

export type Promised = (scene: Scene) => Promise<void>;

/** Longer than anything that a promise waits for; a wait ends with what it is for. */
export const LONG_SECONDS = 20;
/** A message is available again when its lease ends, and whenever it is released. */
export const NO_BACKOFF = { minBackoffSeconds: 0, maxBackoffSeconds: 0 };

/** For one test, whose `expect` it is given; `title` begins its names. */
export function createScene(client: TransportClient, title: string, { poll }: ExpectStatic): Scene {
  let names = 0;
  const freshName = () => {
    names += 1;
    return `${title}-${names}`;
  };
  const openQueue = async (settings: SubscriptionSettings = {}) => {
    const name = freshName();
    await client.createSubscription(name, settings);
    return name;
  };
  const receiveCount = async (subscription: string, count: number) => {
    const received: Delivery[] = [];
    while (received.length < count) {
      const options = { waitSeconds: LONG_SECONDS, maxMessages: count - received.length };
      const batch = await client.receive(subscription, options);
      if (batch.length === 0) throw new Error(`${received.length} of ${count} messages came`);
      received.push(...batch);
    }
    return received;
  };
  return {
    client,
    poll,
    freshName,
    openQueue,
    receiveCount,
    async openReceived(bodies, settings) {
      const name = await openQueue(settings);
      await client.publish(name, texts(...bodies));
      return { name, batch: await receiveCount(name, bodies.length) };
    },
  };
}

export function texts(...bodies: string[]): NewMessage[] {
  return bodies.map((body) => ({ body: Buffer.from(body) }));
}

export function bodiesOf(deliveries: readonly { readonly body: Buffer | null }[]): string[] {
  return deliveries.map(({ body }) => String(body));
}

export function receiptsOf(deliveries: readonly Delivery[]): { readonly receipt: string }[] {
  return deliveries.map(({ receipt }) => ({ receipt }));
}

export function outcomesOf(results: readonly SettledReceipt[]): string[] {
  return results.map(({ outcome }) => outcome);
}

/** Fails unless the call is refused with that code. */
export async function expectRefusal(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  const refusal = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(TransportRefusal);
  expect(refusal).toMatchObject({ code });
}
