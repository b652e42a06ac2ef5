// Twice as much as an instance may hold, at once, while its database says nothing: what would pile
// up is refused, the process goes on, and so does everything else once the database answers. Memory
// is read from /proc, so this runs on Linux alone.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Client, createClient, type Problem } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const MIB = 1024 * 1024;
/** The least that may be set. */
const BUDGET_MIB = 64;
const PARKED_MAX = 200;
const BODY_BYTES = 4 * MIB;
const PUBLISHES = (2 * BUDGET_MIB * MIB) / BODY_BYTES;
/** Each body is copied and packed some times on its way. */
const GROWTH_MIB_MAX = 8 * BUDGET_MIB;

let database: TestDatabase;
let proxy: TcpProxy;
let service: ServiceProcess;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  service = await startServiceProcess({
    ...{ DATABASE_URL: url.href, WILLCALL_TRAFFIC_MIB: `${BUDGET_MIB}`, WILLCALL_PARKED_RECEIVES: `${PARKED_MAX}` },
  });
  client = createClient(service.url, service.adminKey);
});
afterAll(async () => {
  client.close();
  await service.stop();
  await proxy.close();
  await database.drop();
});

const peakMib = async () => {
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
};
const tally = (answers: readonly Answer<Problem>[]) =>
  answers.map(({ status, json, headers }) => [status, json.code, Number(headers['retry-after']) >= 1].join(' '));
const OVERLOADED = '503 overloaded true';
const AWAY = '503 database_unavailable true';

describe('while the database says nothing', () => {
  it('twice the bounds pile up nowhere: calls are refused, receives within their bound stay parked, and all is well afterwards', async () => {
    const name = client.freshName('large');
    await client.call('PUT', `/v1/topics/${name}`, { json: { max_message_bytes: BODY_BYTES } });
    await client.call('PUT', `/v1/subscriptions/${name}`, { json: { topic: name } });
    const bytes = Buffer.alloc(BODY_BYTES, 'x');
    const headers = { 'content-type': 'text/plain' };
    const publish = () => client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes, headers });
    await client.receive(name);
    const received: Answer<Problem>[] = [];
    const receive = async () => {
      const json = { wait_seconds: 30, max_messages: 1 };
      received.push(await client.call('POST', `/v1/subscriptions/${name}/receive`, { json }));
    };
    const parked = Array.from({ length: 2 * PARKED_MAX }, receive);
    await expect.poll(() => tally(received)).toEqual(Array(PARKED_MAX).fill(OVERLOADED));
    // The first look may have been for the first of them alone. The one that brings the second
    // message finds nothing for the others.
    for (const many of [1, 2]) {
      await client.publish(name, 'small');
      await expect.poll(() => received.length).toBe(PARKED_MAX + many);
    }
    const before = await peakMib();

    proxy.behave({ how: 'stall' });
    const published = tally(await Promise.all(Array.from({ length: PUBLISHES }, publish)));
    expect(new Set(published)).toEqual(new Set([OVERLOADED, AWAY]));
    // Some waited for the database, and there was no room for the others.
    expect(published.filter((each) => each === AWAY).length).toBeLessThanOrEqual((BUDGET_MIB * MIB) / BODY_BYTES);
    expect(tally(await Promise.all([publish(), client.get('/readyz')]))).toEqual([AWAY, AWAY]);
    expect((await client.get('/healthz')).status).toBe(200);
    expect((await peakMib()) - before).toBeLessThan(GROWTH_MIB_MAX);

    proxy.behave({ how: 'pass' });
    await expect.poll(async () => (await client.get('/readyz')).status).toBe(200);
    expect((await publish()).status).toBe(201);
    // Those within the bound have waited all the time.
    await client.publish(name, ...Array.from({ length: PARKED_MAX }, () => 'small'));
    await Promise.all(parked);
    expect(received.slice(PARKED_MAX).map(({ status }) => status)).toEqual(Array(PARKED_MAX).fill(200));
  });
});
