// Races against deletion: whoever comes after it is refused, whoever came before it is done, and
// nothing is in between.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, codeOf, queueOf } from '../support/calls.ts';
import { createLookout, createTestEngine } from '../support/engine.ts';
import { createRaceBench, type RaceBench, recordsOf } from '../support/race.ts';

/** No safety poll runs here: what nobody was woken for does not come, however long one waits. */
const PATIENCE_SECONDS = 20;

let bench: RaceBench;
beforeAll(async () => {
  bench = await createRaceBench();
});
afterAll(() => bench.stop());
beforeEach(() => bench.owner.letGo());

describe('deletion of a topic against a publish on another instance', () => {
  it('refuses a publish that comes after it: nothing is lost in a deleted log', async () => {
    const { local, remote } = await bench.openQueue();
    await remote.publish('one');
    const [, refusal] = await bench.race(
      'topic',
      local.topicId,
      () => bench.here.deleteTopic(local.name, CALLER),
      () => codeOf(remote.publish('two')),
    );
    expect(refusal).toBe('topic_not_found');
    expect(await recordsOf(bench.database, local)).toMatchObject({ log: [1], deliveries: [{ kind: 'start' }] });
  });

  it('keeps what was published before it, and refuses what follows', async () => {
    const { local, remote } = await bench.openQueue();
    const [published] = await bench.race(
      'topic',
      local.topicId,
      () => remote.publish('one'),
      () => bench.here.deleteTopic(local.name, CALLER),
    );
    expect(published).toHaveLength(1);
    expect(await recordsOf(bench.database, local)).toMatchObject({ log: [1] });
    expect(await codeOf(remote.publish('two'))).toBe('topic_not_found');
    expect(await codeOf(remote.receive())).toBe('subscription_not_found');
  });

  it('is done by one of two that delete at once', async () => {
    const { local } = await bench.openQueue();
    const [, refusal] = await bench.race(
      'topic',
      local.topicId,
      () => bench.here.deleteTopic(local.name, CALLER),
      () => codeOf(bench.there.deleteTopic(local.name, CALLER)),
    );
    expect(refusal).toBe('topic_not_found');
  });

  it('publishes into the next topic of the name, when there is one by the time that the publish is refused', async () => {
    const { local, remote } = await bench.openQueue();
    await remote.publish('one');
    await bench.here.deleteTopic(local.name, CALLER);
    const { subscription } = await bench.here.createSubscription({ name: local.name, settings: {}, caller: CALLER });
    // The other instance still knows the name as the deleted topic.
    await remote.publish('two');
    const next = queueOf(bench.here, local.name, subscription);
    expect(await next.receive()).toMatchObject([{ sequence: 1, body: Buffer.from('two') }]);
    expect(await recordsOf(bench.database, local)).toMatchObject({ log: [1] });
  });
});

describe('deletion of a topic against the creation of a subscription', () => {
  it.each(['deletion', 'creation'])(
    'leaves no living subscription of a deleted topic when the %s comes first',
    async (first) => {
      const { local } = await bench.openQueue();
      const name = `${local.name}-more`;
      const deleting = () => bench.here.deleteTopic(local.name, CALLER);
      const creating = () =>
        bench.there
          .createSubscription({ name, topic: local.name, settings: {}, caller: CALLER })
          .then(({ created }) => created)
          .catch((error: { code: string }) => error.code);
      const [one, two] = first === 'deletion' ? [deleting, creating] : [creating, deleting];
      const answers = await bench.race<unknown, unknown>('topic', local.topicId, one, two);
      expect(answers).toEqual(first === 'deletion' ? [undefined, 'topic_not_found'] : [true, undefined]);
      expect(await codeOf(bench.here.getSubscription(name))).toBe('subscription_not_found');
    },
  );
});

describe('deletion of a subscription against a parked receive', () => {
  it.each(['subscription', 'topic'])('ends the wait on either instance with a fault (its %s)', async (deleted) => {
    const lookouts = [createLookout(), createLookout()];
    const [here, there] = await Promise.all(
      lookouts.map(({ wrapStore }) => createTestEngine(bench.database, { wrapStore })),
    );
    if (here === undefined || there === undefined) throw new Error('two instances were asked for');
    const { local } = await bench.openQueue();
    const parked = [here, there].map((engine) =>
      codeOf(queueOf(engine, local.name, local).receive({ waitSeconds: PATIENCE_SECONDS })),
    );
    for (const lookout of lookouts) await lookout.seeLooks(1);
    if (deleted === 'subscription') await here.deleteSubscription(local.name, CALLER);
    else await here.deleteTopic(local.name, CALLER);
    expect(await Promise.all(parked)).toEqual(['subscription_not_found', 'subscription_not_found']);
    expect(await recordsOf(bench.database, local)).toMatchObject({ deliveries: [{ kind: 'start' }], leases: [] });
    await Promise.all([here.stop(), there.stop()]);
  });

  it('refuses a receive that waits behind it for the lock', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish('one');
    const [, refusal] = await bench.race(
      'receive',
      local.subscriptionId,
      () => bench.here.deleteSubscription(local.name, CALLER),
      () => codeOf(remote.receive()),
    );
    expect(refusal).toBe('subscription_not_found');
    expect(await recordsOf(bench.database, local)).toMatchObject({ deliveries: [{ kind: 'start' }], leases: [] });
  });

  it('lets a receive before it have its messages, which can no longer be settled', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish('one');
    const [received] = await bench.race(
      'receive',
      local.subscriptionId,
      () => remote.receive(),
      () => bench.here.deleteSubscription(local.name, CALLER),
    );
    expect(received).toMatchObject([{ sequence: 1 }]);
    expect(await codeOf(remote.acknowledge(received[0]?.receipt ?? ''))).toBe('subscription_not_found');
    expect(await recordsOf(bench.database, local)).toMatchObject({ ledger: [], deadLetters: [] });
  });

  it('refuses an acknowledgment that still waits for its lock when the deletion is done', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish('one', 'two');
    const [first, second] = await local.receive();
    await remote.acknowledge(first?.receipt ?? '');
    await bench.owner.hold('settle', local.subscriptionId);
    const refusal = codeOf(remote.acknowledge(second?.receipt ?? ''));
    await bench.owner.seeWaiting(1);
    await bench.here.deleteSubscription(local.name, CALLER);
    await bench.owner.letGo();
    expect(await refusal).toBe('subscription_not_found');
    expect(await recordsOf(bench.database, local)).toMatchObject({ ledger: [{ seq: 1, ackNo: 1 }] });
    const { acknowledgments } = await bench.there.listAcknowledgments({ subscription: local.name, limit: 10 });
    expect(acknowledgments).toMatchObject([{ ackNo: 1, sequence: 1 }]);
  });
});
