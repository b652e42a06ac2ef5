// What a publisher may rely on.

import { expect } from 'vitest';
import { bodiesOf, expectRefusal, LONG_SECONDS, type Promised, texts } from './scene.ts';

export const publishing = {
  async 'gives each message an id of its own, and hands messages out in the order of publishing'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const published = [...(await client.publish(name, texts('a', 'b'))), ...(await client.publish(name, texts('c')))];
    expect(new Set(published.map(({ id }) => id)).size).toBe(3);
    const received = await scene.receiveCount(name, 3);
    expect(bodiesOf(received)).toEqual(['a', 'b', 'c']);
    expect(received.map(({ id }) => id)).toEqual(published.map(({ id }) => id));
  },

  async 'numbers the messages of a topic from 1, without gaps'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const published = [...(await client.publish(name, texts('a', 'b'))), ...(await client.publish(name, texts('c')))];
    expect(published.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    const received = await scene.receiveCount(name, 3);
    expect(received.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  },

  async 'delivers each message to every subscription of the topic'(scene) {
    const { client } = scene;
    const topic = await scene.openQueue();
    const other = scene.freshName();
    await client.createSubscription(other, { topic });
    await client.publish(topic, texts('to both'));
    const [one, two] = [await scene.receiveCount(topic, 1), await scene.receiveCount(other, 1)];
    expect([bodiesOf(one), bodiesOf(two)]).toEqual([['to both'], ['to both']]);
    expect(one[0]?.id).toBe(two[0]?.id);
    expect(one[0]?.receipt).not.toBe(two[0]?.receipt);
  },

  async 'hands on the very bytes of a body, whatever they are'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const bodies = [
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      Buffer.alloc(0),
      Buffer.from('\ufefftext with a mark, \u{1f4ee} and a null \0'),
    ];
    await client.publish(
      name,
      bodies.map((body) => ({ body })),
    );
    const received = await scene.receiveCount(name, bodies.length);
    expect(received.map(({ body }) => body)).toEqual(bodies);
  },

  async 'hands on a content type'(scene) {
    const name = await scene.openQueue();
    const contentType = 'application/vnd.example+json; charset="utf-8"; v=1';
    await scene.client.publish(name, [{ body: Buffer.from('{}'), contentType }, ...texts('bare')]);
    const received = await scene.receiveCount(name, 2);
    expect(received.map((each) => each.contentType)).toEqual([contentType, null]);
  },

  async 'hands on attributes'(scene) {
    const name = await scene.openQueue();
    const attributes = { 'trace.id-1': 'ü, "x" \u{1f4ee}', kind: 'order' };
    await scene.client.publish(name, [{ body: Buffer.from('x'), attributes }, ...texts('bare')]);
    const received = await scene.receiveCount(name, 2);
    expect(received.map((each) => each.attributes)).toEqual([attributes, null]);
  },

  async 'hands on an ordering key'(scene) {
    const name = await scene.openQueue();
    await scene.client.publish(name, [{ body: Buffer.from('x'), orderingKey: 'Müller & Söhne' }, ...texts('bare')]);
    const received = await scene.receiveCount(name, 2);
    expect(received.map((each) => each.orderingKey)).toEqual(['Müller & Söhne', null]);
  },

  async 'holds a delayed message back until it is due'(scene) {
    const { client } = scene;
    const name = await scene.openQueue();
    const [delayed, now] = await client.publish(name, [
      { body: Buffer.from('later'), delaySeconds: 1 },
      ...texts('now'),
    ]);
    expect([delayed?.sequence, now?.sequence]).toEqual([null, 1]);
    expect(bodiesOf(await client.receive(name))).toEqual(['now']);
    const [later] = await client.receive(name, { waitSeconds: LONG_SECONDS });
    expect(later).toMatchObject({ id: delayed?.id, sequence: 2 });
  },

  async 'publishes nothing of a list in which one message is larger than its topic allows'(scene) {
    const { client } = scene;
    const topic = scene.freshName();
    await client.createTopic(topic, { maxMessageBytes: 10 });
    await client.createSubscription(topic);
    await expectRefusal(client.publish(topic, texts('fits', 'eleven char')), 'message_too_large');
    expect(await client.receive(topic)).toEqual([]);
    await client.publish(topic, texts('0123456789'));
    expect(bodiesOf(await client.receive(topic))).toEqual(['0123456789']);
  },

  async 'refuses what would exceed the backlog that a topic allows'(scene) {
    const { client } = scene;
    const topic = scene.freshName();
    await client.createTopic(topic, { maxBacklog: 2 });
    await client.createSubscription(topic);
    await client.publish(topic, texts('a', 'b'));
    await expectRefusal(client.publish(topic, texts('c')), 'backlog_full');
    expect(bodiesOf(await scene.receiveCount(topic, 2))).toEqual(['a', 'b']);
    await client.publish(topic, texts('c'));
  },

  async 'refuses to publish to a topic that does not exist'(scene) {
    await expectRefusal(scene.client.publish(scene.freshName(), texts('x')), 'topic_not_found');
  },
} satisfies Record<string, Promised>;
