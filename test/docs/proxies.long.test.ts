// The documented nginx before a live service. It needs nginx and openssl.

import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Message, type Received, type Settled } from '../support/client.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { findNginx, type Nginx, readConfiguration, startNginx } from './nginx.ts';
import { readDocument } from './pasting.ts';
import { openRelay, type Relay } from './relay.ts';

const configuration = readConfiguration(await readDocument('docs/proxies.md'));

interface Answer<Body> {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  text: string;
  json: Body;
}

describe('nginx with the configuration of the documentation', () => {
  let service: ServiceProcess;
  let relay: Relay;
  let nginx: Nginx;
  let agent: Agent;
  let names = 0;
  beforeAll(async () => {
    service = await startServiceProcess();
    relay = await openRelay(service.url);
    nginx = await startNginx(findNginx(), configuration, relay.url);
    agent = new Agent({ keepAlive: true });
  });
  afterAll(async () => {
    agent?.destroy();
    await nginx?.stop();
    await relay?.close();
    await service?.stop();
  });

  const send = (method: string, target: string, body?: Buffer | string, options: RequestOptions = {}) => {
    const outgoing = request({
      ...{ host: '127.0.0.1', port: nginx.port, servername: 'willcall.example.org', method, path: target, agent },
      // The certificate was made a moment ago.
      ...{ rejectUnauthorized: false, ...options },
      headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': 'application/json', ...options.headers },
    });
    outgoing.end(body);
    return outgoing;
  };
  const call = async <Body>(...args: Parameters<typeof send>): Promise<Answer<Body>> => {
    const [response] = await once(send(...args), 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const json = String(response.headers['content-type']).includes('json') ? JSON.parse(text) : undefined;
    return { status: response.statusCode, headers: response.headers, text, json };
  };
  const openQueue = async (settings: object = {}) => {
    names += 1;
    const name = `proxied-${names}`;
    expect((await call('PUT', `/v1/subscriptions/${name}`, JSON.stringify(settings))).status).toBe(201);
    return name;
  };
  const publish = (name: string, body: string) =>
    call('POST', `/v1/topics/${name}/messages`, JSON.stringify({ messages: [{ body }] }));
  const receive = (name: string, fields: object) => call<Received>('POST', pathOf(name), JSON.stringify(fields));
  const pathOf = (name: string) => `/v1/subscriptions/${name}/receive`;

  it('wakes a parked receive at once', async () => {
    const name = await openQueue();
    const passed = relay.whenPassed(pathOf(name));
    const parked = receive(name, { wait_seconds: 30 });
    await passed;
    // The answer to a later request shows that the parked one has been read.
    await receive(name, { wait_seconds: 0 });
    const started = performance.now();
    await publish(name, 'here');
    const { status, headers, json } = await parked;
    // It was told; otherwise it would have waited to the end.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    expect(json.messages).toMatchObject([{ body: 'here', attempt: 1 }]);
  });

  it('answers a receive that waited in vain', async () => {
    const name = await openQueue();
    const { status, json } = await receive(name, { wait_seconds: 2 });
    expect([status, json.messages]).toEqual([200, []]);
  });

  it('lets the service notice a client that hangs up, and nothing is leased to it', async () => {
    const name = await openQueue({ visibility_timeout_seconds: 600 });
    // By another path, which is answered after a look of its own: what came before it has looked,
    // too.
    const look = async () =>
      expect((await call('POST', `${pathOf(name)}/raw`, '{"wait_seconds": 0}')).status).toBe(204);
    await look();
    const passed = relay.whenPassed(pathOf(name));
    const leaving = send('POST', pathOf(name), '{"wait_seconds": 30}', { agent: false });
    const left = once(leaving, 'error');
    await passed;
    await look();
    const hungUp = relay.whenHungUp(pathOf(name));
    leaving.destroy(new Error('left'));
    await Promise.all([left, hungUp]);
    await publish(name, 'for the next one');
    const { json } = await receive(name, { wait_seconds: 5 });
    expect(json.messages).toMatchObject([{ body: 'for the next one', attempt: 1 }]);
  });

  it('lets large requests, large headers and large answers through', async () => {
    const name = await openQueue();
    expect((await call('PATCH', `/v1/topics/${name}`, '{"max_message_bytes": 10485760}')).status).toBe(200);
    const large = 'x'.repeat(9 * 1024 * 1024);
    expect((await publish(name, large)).status).toBe(201);
    const { json } = await receive(name, { max_messages: 1, acknowledge: [] });
    expect(json.messages[0]?.body.length).toBe(large.length);

    // Percent-encoded, three characters a byte.
    const note = encodeURIComponent('ü'.repeat(1900));
    const headers = { 'willcall-attribute-note': note, 'content-type': 'text/plain' };
    expect((await call('POST', `/v1/topics/${name}/messages/raw`, 'body', { headers })).status).toBe(201);
    const raw = await call('POST', `/v1/subscriptions/${name}/receive/raw`, '{}');
    expect([raw.status, raw.text, raw.headers['willcall-attribute-note']]).toEqual([200, 'body', note]);
  });

  it('hands problems through as they are', async () => {
    const { status, headers, json } = await call<{ code: string }>('GET', '/v1/topics/nobody');
    expect([status, json.code]).toEqual([404, 'topic_not_found']);
    expect(headers['content-type']).toContain('application/problem+json');
  });

  it('says 502 while the service is away, and is well once it is back', async () => {
    const name = await openQueue({ visibility_timeout_seconds: 600 });
    await publish(name, 'kept');
    const [message] = (await receive(name, {})).json.messages as [Message];
    const passed = relay.whenPassed(pathOf(name));
    const parked = receive(name, { wait_seconds: 30 });
    await passed;
    await service.kill();
    expect((await parked).status).toBe(502);
    expect((await receive(name, {})).status).toBe(502);
    await service.start();
    const path = `/v1/subscriptions/${name}/acknowledge`;
    const { status, json } = await call<{ results: Settled[] }>(
      'POST',
      path,
      JSON.stringify({ receipts: [message.receipt] }),
    );
    expect([status, json.results[0]?.outcome]).toEqual([200, 'acknowledged']);
    const direct = createClient(service.url, service.adminKey);
    expect(await direct.receive(name)).toEqual([]);
    direct.close();
  });
});
