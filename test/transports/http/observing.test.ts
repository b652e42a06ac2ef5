// What the HTTP transports report to an observer: each request that was answered.

import { expect, it } from 'vitest';
import { createRecordingObserver } from '../../support/observer.ts';
import { startTransport } from '../rest/fake-engine.ts';

it('every answered request is reported with its transport, operation, status and seconds', async () => {
  const observer = createRecordingObserver();
  const transport = await startTransport({}, undefined, observer);
  await transport.client.get('/healthz');
  await transport.client.get('/v1/topics/t');
  await transport.client.get('/nowhere');
  await transport.stop();
  expect(observer.requests.slice(-3)).toMatchObject([
    { transport: 'rest', operation: null, status: 200 },
    { transport: 'rest', operation: 'getTopic', status: 500 },
    { transport: 'unrouted', operation: null, status: 404 },
  ]);
  for (const { seconds } of observer.requests) expect(seconds).toBeGreaterThan(0);
});
