// Which calls may be repeated when an answer was lost, and what the repetition answers.

import { expect } from 'vitest';
import { bodiesOf, expectRefusal, type Promised, texts } from './scene.ts';

const keyed = (body: string, dedupeKey: string) => ({ body: Buffer.from(body), dedupeKey });

export const repeating = {
  async 'publishes once what is published again with its key, and says so'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const [first] = await client.publish(name, [keyed('a', 'k')]);
    const [again] = await client.publish(name, [keyed('a', 'k')]);
    expect(first?.duplicate).toBe(false);
    expect(again).toEqual({ ...first, duplicate: true });
    expect(await scene.receiveCount(name, 1)).toHaveLength(1);
    expect(await client.receive(name)).toEqual([]);
  },

  async 'publishes once whoever of many at the same moment is first'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.publish(name, [keyed('same', 'race')])));
    expect(new Set(answers.flat().map(({ id }) => id)).size).toBe(1);
    expect(answers.flat().filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await client.stats(name)).toMatchObject({ backlog: 1 });
  },

  async 'refuses a key that was used for another body, and publishes nothing of that call'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    await client.publish(name, [keyed('a', 'k')]);
    await expectRefusal(client.publish(name, [...texts('new'), keyed('other', 'k')]), 'idempotency_conflict');
    expect(bodiesOf(await client.receive(name))).toEqual(['a']);
  },

  async 'answers a repeated receive with the same receipts'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    await client.publish(name, texts('a', 'b', 'c'));
    const options = { maxMessages: 2, idempotencyKey: 'r' };
    const [first, again] = [await client.receive(name, options), await client.receive(name, options)];
    expect(bodiesOf(first)).toEqual(['a', 'b']);
    const essence = (each: (typeof first)[number]) => [each.id, each.receipt, each.attempt];
    expect(again.map(essence)).toEqual(first.map(essence));
  },
} satisfies Record<string, Promised>;
