// What a consumer may rely on when it receives, and how long a message is its own.

import { expect } from 'vitest';
import { bodiesOf, expectRefusal, LONG_SECONDS, NO_BACKOFF, outcomesOf, type Promised, texts } from './scene.ts';

const SECOND_MS = 1000;
/** Between a request, the database's clock and the answer, on a busy machine. */
const TOLERANCE_MS = 60 * SECOND_MS;
const HOURS = 3600;

const secondsFromNow = (until: Date | null | undefined) => Math.abs((until?.getTime() ?? 0) - Date.now());

export const receiving = {
  async 'answers with nothing where nothing is there and nothing is to be waited for'(scene) {
    const name = await scene.openQueue();
    expect(await scene.client.receive(name)).toEqual([]);
  },

  async 'answers with nothing when the wait ends'(scene) {
    const name = await scene.openQueue();
    const asked = performance.now();
    expect(await scene.client.receive(name, { waitSeconds: 1 })).toEqual([]);
    expect(performance.now() - asked).toBeGreaterThan(0.9 * SECOND_MS);
  },

  async 'answers a waiting receive when something is published'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const waiting = client.receive(name, { waitSeconds: LONG_SECONDS });
    // The answer to a later request shows that the waiting one was read.
    await client.receive(name);
    const published = performance.now();
    await client.publish(name, texts('here'));
    expect(bodiesOf(await waiting)).toEqual(['here']);
    expect(performance.now() - published).toBeLessThan((LONG_SECONDS * SECOND_MS) / 2);
  },

  async 'hands out at most as many as are asked for'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    await client.publish(name, texts('a', 'b', 'c'));
    expect(await client.receive(name, { maxMessages: 1 })).toHaveLength(1);
    expect((await client.receive(name, { maxMessages: 2 })).length).toBeLessThanOrEqual(2);
  },

  async 'bounds the bytes of an answer, but always hands out the first message'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    await client.publish(name, texts('x'.repeat(100), 'y'.repeat(100), 'z'.repeat(100)));
    expect(await client.receive(name, { maxBytes: 250 })).toHaveLength(2);
    expect(bodiesOf(await client.receive(name, { maxBytes: 1 }))).toEqual(['z'.repeat(100)]);
  },

  async 'hands each message to one of many consumers'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const bodies = Array.from({ length: 12 }, (_, index) => `m${index}`);
    const waiting = bodies.map(() => client.receive(name, { maxMessages: 1, waitSeconds: LONG_SECONDS }));
    await client.publish(name, texts(...bodies));
    expect(bodiesOf((await Promise.all(waiting)).flat()).toSorted()).toEqual(bodies.toSorted());
  },

  async 'has no more in flight than a subscription allows'(scene) {
    const { client } = scene;
    const name = await scene.openQueue({ maxInFlight: 2 });
    await client.publish(name, texts('a', 'b', 'c'));
    const [first] = await scene.receiveCount(name, 2);
    expect(await client.receive(name)).toEqual([]);
    await client.acknowledge(name, [{ receipt: first?.receipt ?? '' }]);
    expect(bodiesOf(await client.receive(name, { waitSeconds: LONG_SECONDS }))).toEqual(['c']);
  },

  async 'refuses a subscription that does not exist'(scene) {
    await expectRefusal(scene.client.receive(scene.freshName()), 'subscription_not_found');
  },
} satisfies Record<string, Promised>;

export const visibility = {
  async 'hands out nothing that is in flight'(scene) {
    const { client } = scene;
    const { name } = await scene.openReceived(['x']);
    expect(await client.receive(name)).toEqual([]);
  },

  async 'leases a message for the time of the request, or else of the subscription'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a'], { visibilityTimeoutSeconds: HOURS });
    expect(Math.abs(secondsFromNow(batch[0]?.visibleUntil) - HOURS * SECOND_MS)).toBeLessThan(TOLERANCE_MS);
    await client.publish(name, texts('b'));
    const [second] = await client.receive(name, { visibilityTimeoutSeconds: 2 * HOURS });
    expect(Math.abs(secondsFromNow(second?.visibleUntil) - 2 * HOURS * SECOND_MS)).toBeLessThan(TOLERANCE_MS);
  },

  async 'hands a message out again when its time is over, with the next attempt and another receipt'(scene) {
    const { name, batch } = await scene.openReceived(['x'], { visibilityTimeoutSeconds: 1, ...NO_BACKOFF });
    const [again] = await scene.client.receive(name, { waitSeconds: LONG_SECONDS });
    expect(again).toMatchObject({ id: batch[0]?.id, attempt: 2, body: Buffer.from('x') });
    expect(again?.receipt).not.toBe(batch[0]?.receipt);
  },

  async 'moves the end of a lease by an extend, and leaves the receipt valid'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const receipts = batch.map(({ receipt }) => receipt);
    const extended = await client.extend(name, receipts, HOURS);
    expect(outcomesOf(extended)).toEqual(['extended', 'extended']);
    for (const { visibleUntil } of extended) {
      expect(Math.abs(secondsFromNow(visibleUntil) - HOURS * SECOND_MS)).toBeLessThan(TOLERANCE_MS);
    }
    const entries = receipts.map((receipt) => ({ receipt }));
    expect(outcomesOf(await client.acknowledge(name, entries))).toEqual(['acknowledged', 'acknowledged']);
  },

  async 'extends by the time of the subscription where none is given'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a'], { visibilityTimeoutSeconds: HOURS });
    const [extended] = await client.extend(name, [batch[0]?.receipt ?? '']);
    expect(Math.abs(secondsFromNow(extended?.visibleUntil) - HOURS * SECOND_MS)).toBeLessThan(TOLERANCE_MS);
  },
} satisfies Record<string, Promised>;
