// PostgreSQL itself with a clock that steps, a service and its clients by the right one: nothing
// waits for longer than the step and two seconds, and a clock that was ahead for a moment neither
// stops a subscription nor stays in the ledger. What a busy machine adds is allowed for.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../support/client.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { type Cluster, createDatabase, openCluster } from './lab/cluster.ts';
import { makeDirectory } from './lab/lab.ts';
import { createMovedClock, type MovedClock } from './lab/moved-clock.ts';
import { pause } from './lab/waiting.ts';

const HOUR = 3600;
/** What was promised, and what a busy machine may add. */
const PROMISED_SECONDS = 2;
const BUSY_SECONDS = 8;

let directory: string;
let clock: MovedClock;
let cluster: Cluster;
let service: ServiceProcess;
let client: Client;
beforeAll(async () => {
  directory = await makeDirectory();
  clock = await createMovedClock(directory);
  cluster = await openCluster(join(directory, 'cluster'), {}, clock.wrap);
  await cluster.start();
  await createDatabase(cluster);
  service = await startServiceProcess({ DATABASE_URL: cluster.url });
  client = createClient(service.url, service.adminKey);
});
afterAll(async () => {
  client.close();
  await service.stop();
  await cluster.end();
  await rm(directory, { recursive: true, force: true });
});

interface Message {
  receipt: string;
  sequence: number;
  attempt: number;
}

let made = 0;
/** A topic and a subscription of one name. */
async function makeQueue(settings: object = {}) {
  made += 1;
  const name = `steps-${made}`;
  await client.call('PUT', `/v1/topics/${name}`, { json: {} });
  const retry = { min_backoff_seconds: 0, max_backoff_seconds: 0 };
  await client.call('PUT', `/v1/subscriptions/${name}`, { json: { topic: name, retry, ...settings } });
  const publish = (fields: object = {}) =>
    client.call('POST', `/v1/topics/${name}/messages`, { json: { messages: [{ body: 'a', ...fields }] } });
  /** Asks until there is a message, and says how many seconds that took. */
  const receive = async (): Promise<{ message: Message; seconds: number }> => {
    const since = performance.now();
    for (;;) {
      const { json } = await client.call<{ messages: Message[] }>('POST', `/v1/subscriptions/${name}/receive`, {
        json: { max_messages: 1, wait_seconds: 30, visibility_timeout_seconds: 2 },
      });
      const [message] = json.messages;
      if (message !== undefined) return { message, seconds: (performance.now() - since) / 1000 };
    }
  };
  const acknowledge = ({ receipt }: Message) =>
    client.call('POST', `/v1/subscriptions/${name}/acknowledge`, { json: { receipts: [{ receipt }] } });
  return { name, publish, receive, acknowledge };
}

beforeEach(async () => {
  await clock.set(0);
  // The instance has seen the clock go right.
  await pause(2_000);
});

describe('a clock that is set back', () => {
  it.each([5, 30])('by %i s holds back an abandoned message by no more than that', async (step) => {
    const { publish, receive } = await makeQueue();
    await publish();
    expect((await receive()).message.attempt).toBe(1);
    await clock.set(-step);
    const { message, seconds } = await receive();
    expect(message.attempt).toBe(2);
    expect(seconds).toBeLessThan(2 + step + PROMISED_SECONDS + BUSY_SECONDS);
  });

  it('by 300 s holds back nothing that is delayed after it', async () => {
    const { publish, receive } = await makeQueue();
    await publish();
    await receive();
    await clock.set(-300);
    await publish({ delay_seconds: 2 });
    const { message, seconds } = await receive();
    expect(message.sequence).toBe(2);
    expect(seconds).toBeLessThan(2 + PROMISED_SECONDS + BUSY_SECONDS);
  });
});

describe('a clock that was an hour ahead for a moment', () => {
  it('neither stops a subscription with a delay nor stays in the ledger', async () => {
    const { name, publish, receive, acknowledge } = await makeQueue({ delay_seconds: 1 });
    await clock.set(HOUR);
    await publish();
    await clock.set(0);
    await publish();
    for (const sequence of [1, 2]) {
      const { message, seconds } = await receive();
      expect(message.sequence).toBe(sequence);
      expect(seconds).toBeLessThan(1 + PROMISED_SECONDS + BUSY_SECONDS);
      await acknowledge(message);
    }
    const rows = await cluster.query<{ ahead: string }>(
      `select round(extract(epoch from max(a.acknowledged_at) - clock_timestamp()))::text as ahead
       from willcall.acknowledgment a join willcall.subscription s using (topic_id, subscription_id) where s.name = $1`,
      [name],
    );
    expect(Number(rows[0]?.ahead)).toBeLessThanOrEqual(0);
    const steps = await cluster.query<{ log: string }>(
      `select log from willcall.clock_step join willcall.topic t using (topic_id) where t.name = $1`,
      [name],
    );
    expect(steps).toEqual([{ log: 'message' }]);
  });
});
