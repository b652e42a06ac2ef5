// The recorder, on an engine whose answers the test gives by hand.

import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/index.ts';
import { createRecorder } from './history.ts';

describe('the recorder', () => {
  /** Answers each call by hand. */
  function createStub() {
    const pending: ((error?: Error) => void)[] = [];
    const engine = {
      publish: () =>
        new Promise((resolve, reject) => {
          const answer = [{ id: 'id-1', sequence: 1, duplicate: false }];
          pending.push((error) => (error === undefined ? resolve(answer) : reject(error)));
        }),
    } as unknown as Engine;
    return { engine, pending };
  }

  it('numbers starts and ends in the order in which they were seen', async () => {
    const { engine, pending } = createStub();
    const recorder = createRecorder();
    const [first, second] = [1, 2].map((no) => recorder.clientOf(engine, 'a', `p${no}`).publish('topic', ['body']));
    pending[1]?.();
    await second;
    pending[0]?.();
    await first;
    expect(recorder.calls.map(({ client, startedAt, endedAt }) => [client, startedAt, endedAt])).toEqual([
      ['p1', 1, 4],
      ['p2', 2, 3],
    ]);
  });

  it('keeps calls that failed or are on their way as unanswered', async () => {
    const { engine, pending } = createStub();
    const recorder = createRecorder();
    const client = recorder.clientOf(engine, 'a', 'p1');
    const failing = client.publish('topic', ['body']);
    void client.publish('topic', ['body']);
    const error = new Error('lost');
    pending[0]?.(error);
    await failing;
    expect(recorder.calls.map((call) => [call.answer, call.endedAt, call.error])).toEqual([
      [null, 3, error],
      [null, null, null],
    ]);
  });
});
