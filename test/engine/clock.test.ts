// An instance whose clock is an hour wrong: what is due, and until when something holds, is the
// database's business. The time of day of this process is set wrong; the database's is right.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createQueue, newMessage, queueOf } from '../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createLookout, createTestEngine, type TestEngine } from '../support/engine.ts';
import { makeKey } from '../support/keys.ts';
import { openOwner } from '../support/lock.ts';

const HOUR_MS = 3_600_000;
const HALF_HOUR_MS = HOUR_MS / 2;
const trueNow = () => Math.round(performance.timeOrigin + performance.now());

let database: TestDatabase;
let engine: TestEngine;
beforeAll(async () => {
  database = await createTestDatabase();
  engine = await createTestEngine(database);
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
  await engine.stop();
  await database.drop();
});

/** From now on to the end of the test. */
function setClockWrong(byMs: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: trueNow() + byMs });
}

describe('on an instance that is an hour ahead', () => {
  it('a message is not delivered before its time', async () => {
    const queue = await createQueue(engine);
    setClockWrong(HOUR_MS);
    await queue.publish(newMessage('later', { deliverAt: new Date(trueNow() + HALF_HOUR_MS) }));
    await engine.sweep();
    expect(await queue.receive()).toEqual([]);
  });

  it('a key opens to its end', async () => {
    const { credentials } = await makeKey(engine, { expiresAt: new Date(trueNow() + HALF_HOUR_MS) });
    setClockWrong(HOUR_MS);
    expect(await engine.authenticate(credentials)).toMatchObject({ principal: 'acme' });
  });

  it('a poll finds what has just fallen due', async () => {
    const queue = await createQueue(engine);
    const lookout = createLookout();
    const deaf = await createTestEngine(database, { deaf: true, wrapStore: lookout.wrapStore });
    const owner = await openOwner(database);
    await queue.publish('a');
    await queue.release(await queue.receiveOne(), { delaySeconds: 600 });
    setClockWrong(HOUR_MS);
    const messages = queueOf(deaf, queue.name, queue).receive({ waitSeconds: 20 });
    await lookout.seeLooks(1);
    await owner.rows('update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    await deaf.poll();
    expect(await messages).toHaveLength(1);
    await owner.end();
    await deaf.stop();
  });
});

describe('on an instance that is an hour behind', () => {
  it('a message whose time has come enters the log at once', async () => {
    const queue = await createQueue(engine);
    setClockWrong(-HOUR_MS);
    await queue.publish(newMessage('now', { deliverAt: new Date(trueNow() - HALF_HOUR_MS) }));
    expect(await queue.receive()).toHaveLength(1);
  });

  it('a key opens nothing after its end', async () => {
    setClockWrong(-HOUR_MS);
    const { credentials } = await makeKey(engine, { expiresAt: new Date(trueNow() - HALF_HOUR_MS) });
    expect(await engine.authenticate(credentials)).toBeNull();
  });
});
