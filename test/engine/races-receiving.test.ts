// Races between a receive and whatever brings it messages or takes them first: another receive, a
// publish, a wake. Where a lock decides, both orders are run; where a statement has to be caught
// half-way, an unfinished row of the owner's stands in its way.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Queue, queueOf } from '../support/calls.ts';
import { createLookout, createTestEngine, type Lookout, type TestEngine } from '../support/engine.ts';
import { createRaceBench, type RaceBench, recordsOf } from '../support/race.ts';

/** No safety poll runs here: what nobody was woken for does not come, however long one waits. */
const PATIENCE_SECONDS = 20;

let bench: RaceBench;
beforeAll(async () => {
  bench = await createRaceBench();
});
afterAll(() => bench.stop());
beforeEach(() => bench.owner.letGo());

const sequencesOf = (messages: readonly { sequence: number }[]) => messages.map(({ sequence }) => sequence);
const bodies = (count: number) => Array.from({ length: count }, (_, i) => `message ${i + 1}`);

/**
 * An instance over a store that shows and holds back answers; it notices nothing that it is not
 * told itself.
 */
async function withDeafInstance(work: (instance: TestEngine, lookout: Lookout) => Promise<void>): Promise<void> {
  const lookout = createLookout();
  const instance = await createTestEngine(bench.database, { wrapStore: lookout.wrapStore, deaf: true });
  await work(instance, lookout).finally(() => instance.stop());
}

describe('two instances receiving at once', () => {
  it.each(['here', 'there'])('get different messages, in order, when %s comes first', async (from) => {
    const { local, remote } = await bench.openQueue();
    await local.publish(...bodies(5));
    const [one, two] = from === 'here' ? [local, remote] : [remote, local];
    const [first, second] = await bench.race(
      'receive',
      local.subscriptionId,
      () => one.receive({ maxMessages: 2 }),
      () => two.receive({ maxMessages: 10 }),
    );
    expect([sequencesOf(first), sequencesOf(second)]).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      deliveries: [{ kind: 'start' }, { handed: [1, 2] }, { handed: [3, 4, 5] }],
      leases: [{ outstanding: [1, 2] }, { outstanding: [3, 4, 5] }],
      failures: [],
    });
  });

  it('get different messages of those that come again', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish(...bodies(3));
    for (const { receipt } of await local.receive()) await local.release(receipt);
    const [first, second] = await bench.race(
      'receive',
      local.subscriptionId,
      () => local.receive({ maxMessages: 2 }),
      () => remote.receive({ maxMessages: 2 }),
    );
    expect([...sequencesOf(first), ...sequencesOf(second)].sort()).toEqual([1, 2, 3]);
    expect([...first, ...second].map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
    expect(await recordsOf(bench.database, local)).toMatchObject({ deferred: [] });
  });

  it('leave nothing for the second when the first takes all', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish(...bodies(2));
    const [first, second] = await bench.race(
      'receive',
      local.subscriptionId,
      () => remote.receive(),
      () => local.receive(),
    );
    expect([sequencesOf(first), sequencesOf(second)]).toEqual([[1, 2], []]);
  });
});

describe('publish against a receive at the tail', () => {
  /**
   * Keeps publishes to this topic from finishing: the key of its next message is taken until the
   * owner lets go.
   */
  const obstructLog = ({ topicId }: Queue, seq: number) =>
    bench.owner.obstruct(
      `insert into willcall.message (topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, body)
       values ($1, $2, clock_timestamp(), 0, '', '', 'nobody', '')`,
      [topicId, seq],
    );

  it('hands out nothing of a publish that is not committed, and all of it after that, in order', async () => {
    const { local, remote } = await bench.openQueue();
    await obstructLog(local, 1);
    const first = remote.publish('one', 'two');
    await bench.owner.seeWaiting(1);
    const second = local.publish('three');
    await bench.owner.seeWaiting(2);
    expect(await local.receive()).toEqual([]);
    await bench.owner.letGo();
    await Promise.all([first, second]);
    const received = await local.receive();
    expect(received.map(({ sequence, body }) => [sequence, body.toString()])).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
  });

  it.each(['here', 'there'])('answers a receive that parks while the publish, %s, is on its way', async (from) => {
    const { local, remote } = await bench.openQueue();
    await obstructLog(local, 1);
    const publishing = (from === 'here' ? local : remote).publish('one');
    await bench.owner.seeWaiting(1);
    const { looks } = bench.lookout;
    const parked = local.receive({ waitSeconds: PATIENCE_SECONDS });
    await bench.lookout.seeLooks(looks + 1);
    await bench.owner.letGo();
    await publishing;
    expect(sequencesOf(await parked)).toEqual([1]);
  });

  it('answers a receive that has looked at the tail and not yet parked', () =>
    withDeafInstance(async (instance, lookout) => {
      const { local } = await bench.openQueue();
      const queue = queueOf(instance, local.name, local);
      const held = lookout.holdNext();
      const receiving = queue.receive({ waitSeconds: PATIENCE_SECONDS });
      await held.arrived;
      await queue.publish('one');
      held.letGo();
      expect(sequencesOf(await receiving)).toEqual([1]);
      expect(await recordsOf(bench.database, local)).toMatchObject({ leases: [{ outstanding: [1] }] });
    }));
});

describe('a wake while a receive is running', () => {
  const wakes: [string, (queue: Queue, receipt: string) => Promise<unknown>, number[]][] = [
    ['a publish', (queue) => queue.publish('two'), [2]],
    ['a release', (queue, receipt) => queue.release(receipt), [1]],
  ];
  it.each(wakes)('by %s makes it look again', (_, wake, sequences) =>
    withDeafInstance(async (instance, lookout) => {
      const { local } = await bench.openQueue();
      const queue = queueOf(instance, local.name, local);
      await queue.publish('one');
      const { receipt } = await queue.receiveOne();
      const held = lookout.holdNext();
      const receiving = queue.receive({ waitSeconds: PATIENCE_SECONDS });
      await held.arrived;
      await wake(queue, receipt);
      held.letGo();
      expect(sequencesOf(await receiving)).toEqual(sequences);
      await lookout.seeLooks(3);
    }),
  );

  it('reaches all who parked, once each, when there is one message for each', () =>
    withDeafInstance(async (instance, lookout) => {
      const { local } = await bench.openQueue();
      const queue = queueOf(instance, local.name, local);
      const held = lookout.holdNext();
      const receiving = Array.from({ length: 3 }, () =>
        queue.receive({ maxMessages: 1, waitSeconds: PATIENCE_SECONDS }),
      );
      await held.arrived;
      await queue.publish(...bodies(3));
      held.letGo();
      const answers = await Promise.all(receiving);
      expect(answers.map(sequencesOf).sort()).toEqual([[1], [2], [3]]);
    }));
});
