// What the records say: where a subscription stands, and who signed for what.

import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { type Promised, receiptsOf, texts } from './scene.ts';

const HOUR_SECONDS = 3600;

export const records = {
  async 'counts what waits, what is in flight, what is deferred and what was set aside'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b', 'c', 'd']);
    await client.publish(name, texts('e', 'f'));
    const [first = { receipt: '' }, second = { receipt: '' }, third = { receipt: '' }] = receiptsOf(batch);
    await client.acknowledge(name, [first]);
    await client.reject(name, [second]);
    await client.release(name, [{ ...third, delaySeconds: HOUR_SECONDS }]);
    expect(await client.stats(name)).toEqual({ backlog: 2, inFlight: 1, deferred: 1, deadLetters: 1 });
  },

  async 'writes each acknowledgment into the ledger, numbered from 1, with what was signed for'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'bb', 'ccc']);
    const [first = { receipt: '' }, second = { receipt: '' }, third = { receipt: '' }] = receiptsOf(batch);
    const [row] = await client.acknowledge(name, [{ ...third, reference: 'booking 7' }]);
    await client.acknowledge(name, [first, second]);
    const ledger = await client.ledger(name);
    expect(row?.ackNo).toBe(1);
    expect(ledger.map(({ ackNo, sequence, bodyBytes }) => [ackNo, sequence, bodyBytes])).toEqual([
      [1, 3, 3],
      [2, 1, 1],
      [3, 2, 2],
    ]);
    const bodySha256 = createHash('sha256').update('ccc').digest('hex');
    expect(ledger[0]).toMatchObject({ messageId: batch[2]?.id, bodySha256, attempt: 1, late: false });
  },

  async 'keeps the reference of an acknowledgment'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const [first = { receipt: '' }, second = { receipt: '' }] = receiptsOf(batch);
    await client.acknowledge(name, [{ ...first, reference: 'booking 8 ü' }, second]);
    expect((await client.ledger(name)).map(({ reference }) => reference)).toEqual(['booking 8 ü', null]);
  },
} satisfies Record<string, Promised>;
