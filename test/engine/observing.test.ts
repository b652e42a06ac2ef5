// What the engine reports to an observer: each call, each flush, and values to be read.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentObserver } from '../../src/domain/observer.ts';
import { createEngine } from '../../src/engine/index.ts';
import { observeFlush, observeVerbs } from '../../src/engine/observing.ts';
import { createStore } from '../../src/store/index.ts';
import { codeOf, createQueue, freshName } from '../support/calls.ts';
import { createRecordingObserver } from '../support/observer.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';
import { withUpkeep } from '../support/upkeep.ts';

const ignore = () => {};
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const observer = createRecordingObserver();

let bench: StoreBench;
let engine: TestEngine;
let stops: (() => Promise<void>)[];

beforeAll(async () => {
  bench = await openStoreBench();
  const url = bench.database.url;
  const options = { schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 4 };
  const store = createStore({ url, ...options, logger, observer });
  engine = withUpkeep(createEngine({ store, logger, observer }));
  stops = [() => engine.stop(), () => store.stop(), () => bench.stop()];
});
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** What is reported of the work. */
async function observe(work: () => Promise<unknown>) {
  const calls = observer.calls.length;
  const flushes = observer.flushes.length;
  await work();
  return { calls: observer.calls.slice(calls), flushes: observer.flushes.slice(flushes) };
}

describe('an observer', () => {
  it('is told of each call with its items and its seconds, and of the flush that did it', async () => {
    const queue = await createQueue(engine);
    const published = await observe(() => queue.publish('a', 'b', 'c'));
    expect(published.calls).toMatchObject([{ verb: 'publish', outcome: 'ok', items: 3 }]);
    expect(published.flushes).toMatchObject([{ verb: 'publish', outcome: 'ok', groups: 1, entries: 1 }]);
    expect(published.calls[0]?.seconds).toBeGreaterThan(0);
    let receipts: string[] = [];
    const received = await observe(async () => {
      receipts = (await queue.receive()).map(({ receipt }) => receipt);
    });
    expect(received.calls).toMatchObject([{ verb: 'receive', outcome: 'ok', items: 3 }]);
    expect(received.flushes).toMatchObject([{ verb: 'receive', groups: 1 }]);
    const [first = '', second = '', third = ''] = receipts;
    const settled = await observe(async () => {
      await queue.acknowledge(first);
      await queue.extend([second]);
      await queue.release(second);
      await queue.reject(third);
    });
    expect(settled.calls.map(({ verb, items }) => [verb, items])).toEqual([
      ['acknowledge', 1],
      ['extend', 1],
      ['release', 1],
      ['reject', 1],
    ]);
    expect(settled.flushes.map(({ verb }) => verb)).toEqual(['acknowledge', 'extend', 'release', 'reject']);
  });

  it('is told that many calls went in one flush', async () => {
    const queue = await createQueue(engine);
    const { flushes, calls } = await observe(() =>
      Promise.all(['a', 'b', 'c', 'd'].map((body) => queue.publish(body))),
    );
    expect(calls).toHaveLength(4);
    expect(flushes.length).toBeLessThan(4);
    expect(flushes.reduce((sum, { entries }) => sum + entries, 0)).toBe(4);
  });

  it('is told the code of a fault', async () => {
    const { calls } = await observe(() => codeOf(engine.getTopic(freshName())));
    expect(calls).toMatchObject([{ verb: 'getTopic', outcome: 'topic_not_found', items: 0 }]);
  });

  it('can read how many receives are parked, how many bytes are reserved, and whether there is a database', async () => {
    const queue = await createQueue(engine);
    expect(observer.read('parked_receives')).toBe(0);
    expect(observer.read('reserved_bytes')).toBe(0);
    expect(observer.read('database_available')).toBe(1);
    const client = new AbortController();
    const parked = queue.receive({ waitSeconds: 20, signal: client.signal });
    await expect.poll(() => observer.read('parked_receives')).toBe(1);
    client.abort();
    await parked;
    expect(observer.read('parked_receives')).toBe(0);
  });
});

describe('the silent observer', () => {
  it('costs nothing: verbs and flushes stay as they are', async () => {
    const verbs = { publish: async () => [] };
    const flush = async () => [];
    expect(observeVerbs(verbs, silentObserver)).toBe(verbs);
    expect(observeFlush('publish', silentObserver, flush)).toBe(flush);
  });
});

describe('a flush that fails', () => {
  it('is reported with the code of its fault, and fails all the same', async () => {
    const recording = createRecordingObserver();
    const flush = observeFlush('publish', recording, async () => {
      throw new Error('no');
    });
    await expect(flush([{ entries: [1, 2] }], false)).rejects.toThrow('no');
    expect(recording.flushes).toMatchObject([{ verb: 'publish', outcome: 'internal', groups: 1, entries: 2 }]);
  });
});
