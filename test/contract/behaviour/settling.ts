// What becomes of receipts, in the order of docs/message-life.md.

import { expect } from 'vitest';
import { LONG_SECONDS, NO_BACKOFF, outcomesOf, type Promised, receiptsOf, type Scene } from './scene.ts';

/** Longer than any test. */
const HOUR_SECONDS = 3600;

/** A queue whose one message was leased, and its lease is over; nobody gets it for an hour. */
async function openOverdue(scene: Scene) {
  const settings = { visibilityTimeoutSeconds: 1, minBackoffSeconds: HOUR_SECONDS, maxBackoffSeconds: HOUR_SECONDS };
  const { name, batch } = await scene.openReceived(['x'], settings);
  await scene.poll(() => scene.client.stats(name)).toMatchObject({ inFlight: 0, deferred: 1 });
  return { name, entries: receiptsOf(batch) };
}

export const settling = {
  async 'acknowledges, and never hands the message out again'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const results = await client.acknowledge(name, receiptsOf(batch));
    expect(outcomesOf(results)).toEqual(['acknowledged', 'acknowledged']);
    expect(results.map(({ messageId }) => messageId)).toEqual(batch.map(({ id }) => id));
    expect(await client.stats(name)).toEqual({ backlog: 0, inFlight: 0, deferred: 0, deadLetters: 0 });
  },

  async 'answers a repeated acknowledge with the same row of the ledger'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a']);
    const [first] = await client.acknowledge(name, receiptsOf(batch));
    const [again] = await client.acknowledge(name, receiptsOf(batch));
    expect(again).toEqual({ ...first, outcome: 'already_acknowledged' });
  },

  async 'does what is good in a call and says what is not'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a']);
    const results = await client.acknowledge(name, [{ receipt: 'forged' }, ...receiptsOf(batch)]);
    expect(outcomesOf(results)).toEqual(['invalid_receipt', 'acknowledged']);
  },

  async 'does all of an atomic acknowledge or nothing'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const entries = receiptsOf(batch);
    const refused = await client.acknowledge(name, [...entries, { receipt: 'forged' }], { atomic: true });
    expect(outcomesOf(refused)).toEqual(['not_done', 'not_done', 'invalid_receipt']);
    expect(await client.ledger(name)).toEqual([]);
    const done = await client.acknowledge(name, entries, { atomic: true });
    expect(outcomesOf(done)).toEqual(['acknowledged', 'acknowledged']);
  },

  async 'takes no receipt of another subscription, and none that was tampered with'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a']);
    const other = scene.freshName();
    await client.createSubscription(other, { topic: name });
    const receipt = batch[0]?.receipt ?? '';
    const tampered = receipt.slice(0, -1) + (receipt.endsWith('A') ? 'B' : 'A');
    expect(outcomesOf(await client.acknowledge(other, [{ receipt }]))).toEqual(['invalid_receipt']);
    expect(outcomesOf(await client.acknowledge(name, [{ receipt: tampered }]))).toEqual(['invalid_receipt']);
    expect(outcomesOf(await client.acknowledge(name, [{ receipt }]))).toEqual(['acknowledged']);
  },

  async 'fences: the receipt of an older delivery settles nothing'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a'], { visibilityTimeoutSeconds: 1, ...NO_BACKOFF });
    const options = { waitSeconds: LONG_SECONDS, visibilityTimeoutSeconds: HOUR_SECONDS };
    const [again] = await client.receive(name, options);
    const old = receiptsOf(batch);
    expect(outcomesOf(await client.acknowledge(name, old))).toEqual(['superseded']);
    expect(outcomesOf(await client.release(name, old))).toEqual(['superseded']);
    expect(outcomesOf(await client.reject(name, old))).toEqual(['superseded']);
    expect(outcomesOf(await client.acknowledge(name, [{ receipt: again?.receipt ?? '' }]))).toEqual(['acknowledged']);
  },

  async 'acknowledges late as long as nobody else was handed the message'(scene) {
    const { client } = scene;
    const { name, entries } = await openOverdue(scene);
    expect(outcomesOf(await client.acknowledge(name, entries))).toEqual(['acknowledged_late']);
    expect(await client.ledger(name)).toMatchObject([{ ackNo: 1, late: true }]);
    expect(await client.stats(name)).toMatchObject({ deferred: 0, deadLetters: 0 });
  },

  async 'neither releases, extends nor rejects when the lease is over'(scene) {
    const { client } = scene;
    const { name, entries } = await openOverdue(scene);
    expect(outcomesOf(await client.release(name, entries))).toEqual(['gone']);
    const receipts = entries.map(({ receipt }) => receipt);
    expect(outcomesOf(await client.extend(name, receipts, HOUR_SECONDS))).toEqual(['gone']);
    expect(outcomesOf(await client.reject(name, entries))).toEqual(['gone']);
  },

  async 'answers a repeated release or reject as done already'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const [first = { receipt: '' }, second = { receipt: '' }] = receiptsOf(batch);
    const given = { ...first, delaySeconds: HOUR_SECONDS };
    expect(outcomesOf(await client.release(name, [given]))).toEqual(['released']);
    expect(outcomesOf(await client.release(name, [given]))).toEqual(['already_released']);
    expect(outcomesOf(await client.reject(name, [second]))).toEqual(['rejected']);
    expect(outcomesOf(await client.reject(name, [second]))).toEqual(['already_rejected']);
  },

  async 'extends nothing that was acknowledged'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a']);
    await client.acknowledge(name, receiptsOf(batch));
    const receipts = batch.map(({ receipt }) => receipt);
    expect(outcomesOf(await client.extend(name, receipts))).toEqual(['already_acknowledged']);
  },
} satisfies Record<string, Promised>;
