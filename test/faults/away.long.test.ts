// The database goes away and comes back, in every way that it can: killed, frozen, or behind a
// network that swallows everything. Whoever asks meanwhile is refused, those who wait go on
// waiting, and everything goes on by itself afterwards. What a call is refused with tells when: one
// that waited for its statement to time out would be told "database_timeout".

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Client, createClient, type Problem, type Received } from '../support/client.ts';
import { type Lab, openLab } from './lab/lab.ts';

let lab: Lab;
/** Of each instance. */
let clients: [Client, Client];

beforeAll(async () => {
  lab = await openLab();
  const [first, second] = lab.instances;
  clients = [createClient(first.url, lab.adminKey), createClient(second.url, lab.adminKey)];
});
afterAll(async () => {
  for (const client of clients ?? []) client.close();
  await lab?.end();
});

/** A receive of the first instance that has looked and waits. */
async function park(name: string, waitSeconds = 30): Promise<{ answer: Promise<Answer<Received>> }> {
  const [client] = clients;
  const path = `/v1/subscriptions/${name}`;
  await client.publish(name, 'before');
  const [before] = await client.receive(name);
  const acknowledge = [before?.receipt];
  const answer = client.post<Received>(`${path}/receive`, { wait_seconds: waitSeconds, acknowledge });
  const ledger = () => client.get<{ acknowledgments: object[] }>(`${path}/acknowledgments`);
  // Then it has come in, and its look is before the next one.
  await expect.poll(async () => (await ledger()).json.acknowledgments).toHaveLength(1);
  expect(await client.receive(name)).toEqual([]);
  return { answer };
}

const bodiesOf = ({ status, json }: Answer<Received>) => [status, json.messages?.map(({ body }) => body)];
const codeOf = ({ status, json, headers }: Answer<Problem>) => [status, json.code, Number(headers['retry-after']) >= 1];
const REFUSED = [503, 'database_unavailable', true];

/** All that clients do, of the first instance, at the same time. */
async function askForEverything(name: string, receipt: string): Promise<unknown[]> {
  const [client] = clients;
  const answers = await Promise.all([
    client.post(`/v1/topics/${name}/messages`, { messages: [{ body: 'x' }] }),
    client.post(`/v1/topics/${name}/messages`, { messages: [{ body: 'x', dedupe_key: 'k' }] }),
    client.post(`/v1/subscriptions/${name}/receive`, { wait_seconds: 30 }),
    client.post(`/v1/subscriptions/${name}/receive`, { wait_seconds: 0 }),
    client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [receipt] }),
    client.post(`/v1/subscriptions/${name}/extend`, { receipts: [receipt], visibility_timeout_seconds: 60 }),
    client.post(`/v1/subscriptions/${name}/release`, { receipts: [{ receipt }] }),
    client.get('/v1/topics'),
    client.get('/readyz'),
  ]);
  return answers.map(codeOf);
}

interface Outage {
  readonly name: string;
  /** Resolves to what ends it. */
  readonly begin: () => Promise<() => Promise<void>>;
}

const network = () => lab.instances.map(({ database }) => database);
const outages: readonly Outage[] = [
  {
    name: 'is killed and started again',
    begin: async () => {
      await lab.cluster.killPostmaster();
      return async () => {
        await lab.cluster.start();
        for (const instance of lab.instances) instance.follow();
      };
    },
  },
  {
    name: 'is frozen and goes on',
    begin: async () => {
      const goOn = await lab.cluster.freeze();
      return async () => goOn();
    },
  },
  {
    name: 'is behind a network that swallows everything and then delivers it',
    begin: async () => {
      for (const proxy of network()) proxy.behave({ how: 'stall' });
      return async () => {
        for (const proxy of network()) proxy.behave({ how: 'pass' });
      };
    },
  },
  {
    name: 'is behind a network that forgets its connections',
    begin: async () => {
      for (const proxy of network()) proxy.behave({ how: 'swallow' });
      return async () => {
        for (const proxy of network()) proxy.behave({ how: 'pass' });
      };
    },
  },
];

describe.each(outages)('when the database $name', ({ begin }) => {
  it('calls are refused, receives stay parked, and everything goes on by itself', {}, async () => {
    const [client, other] = clients;
    const [name, busy] = [await client.freshSubscription(), await client.freshSubscription()];
    await client.publish(busy, 'a');
    const [message] = await client.receive(busy);
    const parked = await park(name);
    const end = await begin();
    expect(await askForEverything(busy, message?.receipt ?? '')).toEqual(Array(9).fill(REFUSED));
    // Now that it is known, nobody has to find it out again.
    expect(await askForEverything(busy, message?.receipt ?? '')).toEqual(Array(9).fill(REFUSED));
    expect((await client.get('/healthz')).status).toBe(200);
    await expect.poll(async () => (await other.get('/readyz')).status).toBe(503);
    await end();
    for (const each of clients) await expect.poll(async () => (await each.get('/readyz')).status).toBe(200);
    await other.publish(name, 'afterwards');
    expect(bodiesOf(await parked.answer)).toEqual([200, ['afterwards']]);
    const listening = `select count(*)::int as count from pg_stat_activity where application_name = 'willcall wakeup'`;
    await expect.poll(async () => (await lab.cluster.query(listening))[0]?.count).toBeGreaterThanOrEqual(2);
  });
});

describe('an instance that alone cannot reach the database', () => {
  it('misses nothing that others published meanwhile', async () => {
    const [client, other] = clients;
    const name = await client.freshSubscription();
    const parked = await park(name);
    network()[0]?.behave({ how: 'swallow' });
    await expect.poll(async () => (await client.get('/readyz')).status).toBe(503);
    await other.publish(name, 'meanwhile');
    network()[0]?.behave({ how: 'pass' });
    expect(bodiesOf(await parked.answer)).toEqual([200, ['meanwhile']]);
  });

  it('answers a parked receive at the end of its time: there was nothing', async () => {
    const [client] = clients;
    const parked = await park(await client.freshSubscription(), 3);
    network()[0]?.behave({ how: 'swallow' });
    expect(bodiesOf(await parked.answer)).toEqual([200, []]);
    expect((await client.get('/readyz')).status).toBe(503);
    network()[0]?.behave({ how: 'pass' });
    await expect.poll(async () => (await client.get('/readyz')).status).toBe(200);
  });

  it('stops in order', async () => {
    const [client] = clients;
    const [instance] = lab.instances;
    const parked = await park(await client.freshSubscription());
    network()[0]?.behave({ how: 'swallow' });
    await expect.poll(async () => (await client.get('/readyz')).status).toBe(503);
    instance.signal('SIGTERM');
    expect(bodiesOf(await parked.answer)).toEqual([200, []]);
    await instance.gone();
    expect(await readFile(instance.logFile, 'utf8')).not.toMatch(/did not stop|could not stop/);
    await lab.heal();
  });
});
