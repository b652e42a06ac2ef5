// What the HTTP transports report to an observer: each request that was answered.

import { expect, it } from 'vitest';
import { createRecordingObserver } from '../../support/observer.ts';
import { openDoor } from '../rest/fake-engine.ts';

it('every answered request is reported with its transport, operation, status and seconds', async () => {
  const observer = createRecordingObserver();
  const door = await openDoor({}, undefined, observer);
  await door.client.get('/healthz');
  await door.client.get('/v1/topics/t');
  await door.client.get('/nowhere');
  await door.stop();
  expect(observer.requests.slice(-3)).toMatchObject([
    { transport: 'rest', operation: null, status: 200 },
    { transport: 'rest', operation: 'getTopic', status: 500 },
    { transport: 'unrouted', operation: null, status: 404 },
  ]);
  for (const { seconds } of observer.requests) expect(seconds).toBeGreaterThan(0);
});
