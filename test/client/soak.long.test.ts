// Two consumers keep working while the service is killed under them again and again. Afterwards the
// ledger has every message exactly once, however often one was handed out.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/index.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

const MESSAGES = 300;
const KILLS = 4;
const NAME = 'soak';

let service: ServiceProcess;
let client: Client;
beforeAll(async () => {
  service = await startServiceProcess();
  client = createClient({ url: service.url, key: service.adminKey, retry: { attemptsMax: 20, maxDelayMs: 1000 } });
});
afterAll(() => service.stop());

async function countAcknowledgments(): Promise<number> {
  const { acknowledgments } = await client.listAcknowledgments(NAME, { limit: 1000 });
  return acknowledgments.length;
}

it('signs for each message once, through kills of the service', async () => {
  await client.createSubscription(NAME, { retry: { minBackoffSeconds: 0, maxBackoffSeconds: 0 }, maxAttempts: 100 });
  const bodies = Array.from({ length: MESSAGES }, (_, index) => ({ body: `<No>${index}</No>` }));
  const published = await client.publish(NAME, bodies);
  const seen = new Map<string, number>();
  const handled: string[] = [];
  const controller = new AbortController();
  const consume = () =>
    client.consume({
      ...{ subscription: NAME, concurrency: 4, waitSeconds: 5, visibilityTimeoutSeconds: 2 },
      signal: controller.signal,
      handler: async ({ id }) => {
        seen.set(id, (seen.get(id) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 30));
        handled.push(id);
      },
    });
  const consumers = [consume(), consume()];

  for (let kill = 1; kill <= KILLS; kill += 1) {
    await expect.poll(() => handled.length, { timeout: 600_000 }).toBeGreaterThan((MESSAGES / (KILLS + 1)) * kill);
    await service.kill();
    await service.start();
  }
  await expect.poll(countAcknowledgments, { timeout: 600_000, interval: 100 }).toBe(MESSAGES);
  controller.abort();
  await Promise.all(consumers);

  const { acknowledgments } = await client.listAcknowledgments(NAME, { limit: 1000 });
  expect(acknowledgments.map(({ ackNo }) => ackNo)).toEqual(bodies.map((_, index) => index + 1));
  const ids = published.map(({ id }) => id).sort();
  expect(acknowledgments.map(({ messageId }) => messageId).sort()).toEqual(ids);
  expect([...seen.keys()].sort()).toEqual(ids);
  expect((await client.getSubscription(NAME)).stats).toMatchObject({ backlog: 0, inFlight: 0, deferred: 0 });
});
