// What comes back, when, how often, and where it ends.

import { expect } from 'vitest';
import { bodiesOf, LONG_SECONDS, NO_BACKOFF, outcomesOf, type Promised, receiptsOf } from './scene.ts';

const HOUR_SECONDS = 3600;

export const redelivery = {
  async 'hands a released message out again at once, with the next attempt'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x'], { visibilityTimeoutSeconds: HOUR_SECONDS });
    await client.release(name, receiptsOf(batch));
    const [again] = await client.receive(name, { waitSeconds: LONG_SECONDS });
    expect(again).toMatchObject({ id: batch[0]?.id, attempt: 2 });
  },

  async 'holds a released message back for the delay that is asked for'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const [first = { receipt: '' }, second = { receipt: '' }] = receiptsOf(batch);
    await client.release(name, [{ ...first, delaySeconds: HOUR_SECONDS }, second]);
    expect(bodiesOf(await client.receive(name, { waitSeconds: LONG_SECONDS }))).toEqual(['b']);
    expect(await client.stats(name)).toMatchObject({ inFlight: 1, deferred: 1 });
  },

  async 'backs off after a release with an error'(scene) {
    const { client } = scene;
    const settings = { minBackoffSeconds: HOUR_SECONDS, maxBackoffSeconds: HOUR_SECONDS };
    const { name, batch } = await scene.openReceived(['a', 'b'], settings);
    const [first = { receipt: '' }, second = { receipt: '' }] = receiptsOf(batch);
    await client.release(name, [{ ...first, error: { code: 'E', message: 'no' } }, second]);
    expect(bodiesOf(await client.receive(name, { waitSeconds: LONG_SECONDS }))).toEqual(['b']);
  },

  async 'counts a release without an error as no failure'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x'], { maxAttempts: 1, ...NO_BACKOFF });
    await client.release(name, receiptsOf(batch));
    expect(await client.receive(name, { waitSeconds: LONG_SECONDS })).toMatchObject([{ attempt: 2 }]);
    expect(await client.deadLetters(name)).toEqual([]);
  },
} satisfies Record<string, Promised>;

export const deadLettering = {
  async 'sets a message aside after its last failed attempt, with its body and its history'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x'], { maxAttempts: 2, ...NO_BACKOFF });
    const error = { code: 'NO_SUCH_ACCOUNT', message: 'unknown: ü' };
    await client.release(name, [{ receipt: batch[0]?.receipt ?? '', error }]);
    const [second] = await client.receive(name, { waitSeconds: LONG_SECONDS });
    await client.release(name, [{ receipt: second?.receipt ?? '', error }]);
    const ended = { ended: 'released', errorCode: error.code };
    expect(await client.deadLetters(name)).toEqual([
      {
        messageId: batch[0]?.id,
        sequence: 1,
        reason: 'max_attempts',
        body: Buffer.from('x'),
        history: [
          { attempt: 1, ...ended },
          { attempt: 2, ...ended },
        ],
      },
    ]);
    expect(await client.stats(name)).toEqual({ backlog: 0, inFlight: 0, deferred: 0, deadLetters: 1 });
  },

  async 'sets a message aside after its last lease ran out'(scene) {
    const { client } = scene;
    const { name } = await scene.openReceived(['x'], { visibilityTimeoutSeconds: 1, maxAttempts: 1 });
    await scene
      .poll(() => client.deadLetters(name))
      .toMatchObject([{ reason: 'max_attempts', history: [{ attempt: 1, ended: 'expired' }] }]);
  },

  async 'sets a message aside after its last delivery, however it ended'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x'], { maxDeliveries: 1 });
    await client.release(name, receiptsOf(batch));
    expect(await client.deadLetters(name)).toMatchObject([{ reason: 'max_deliveries' }]);
  },

  async 'sets a rejected message aside at once'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['a', 'b']);
    const [first = { receipt: '' }, second = { receipt: '' }] = receiptsOf(batch);
    const error = { code: 'UNREADABLE', message: 'no XML' };
    expect(outcomesOf(await client.reject(name, [{ ...first, error }, second]))).toEqual(['rejected', 'rejected']);
    expect(await client.deadLetters(name)).toMatchObject([
      { reason: 'rejected', body: Buffer.from('a'), history: [{ attempt: 1, errorCode: 'UNREADABLE' }] },
      { reason: 'rejected', body: Buffer.from('b'), history: [{ attempt: 1, errorCode: null }] },
    ]);
  },

  async 'takes no acknowledgment of what was rejected, and says that it was'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x']);
    await client.reject(name, receiptsOf(batch));
    expect(outcomesOf(await client.acknowledge(name, receiptsOf(batch)))).toEqual(['already_rejected']);
  },

  async 'takes a late acknowledgment of what failed its last attempt, and closes the dead letter'(scene) {
    const { client } = scene;
    const { name, batch } = await scene.openReceived(['x'], { visibilityTimeoutSeconds: 1, maxAttempts: 1 });
    await scene.poll(() => client.stats(name)).toMatchObject({ deadLetters: 1 });
    expect(outcomesOf(await client.acknowledge(name, receiptsOf(batch)))).toEqual(['acknowledged_late']);
    expect(await client.stats(name)).toMatchObject({ deadLetters: 0 });
    expect(await client.ledger(name)).toMatchObject([{ messageId: batch[0]?.id, late: true }]);
  },
} satisfies Record<string, Promised>;
