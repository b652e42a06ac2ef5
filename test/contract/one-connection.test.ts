// Several callers on one connection, as behind a proxy: each request is judged by the key that it
// brings, and by what has become of that key.

import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let agent: Agent;
const ports = new Set<number | undefined>();

beforeAll(async () => {
  service = await startTestService();
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
});
afterAll(async () => {
  agent.destroy();
  await service.stop();
});

interface Key {
  id: string;
  key: string;
}

async function make(name: string): Promise<Key> {
  const roles = [{ role: 'publisher', topics: [name] }];
  return (await service.client.post<Key>('/v1/keys', { client: name, roles })).json;
}

/** The status, of a publish to that topic. */
function publish(topic: string, authorization?: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) };
    const sent = request(
      `${service.url}/v1/topics/${topic}/messages`,
      { method: 'POST', agent, headers },
      (response) => {
        ports.add(response.socket.localPort);
        response.resume().on('end', () => resolve(response.statusCode));
      },
    );
    sent.on('error', reject);
    sent.end(JSON.stringify({ messages: [{ body: 'x' }] }));
  });
}

describe('one connection', () => {
  it('is nobody in particular: what one request showed says nothing of the next', async () => {
    const [a, b] = [service.client.freshName('t'), service.client.freshName('t')];
    for (const name of [a, b]) await service.client.call('PUT', `/v1/topics/${name}`, {});
    const [ofA, ofB] = [await make(a), await make(b)];
    const bearer = ({ key }: Key) => `Bearer ${key}`;
    const basic = ({ key }: Key) => `Basic ${Buffer.from(`:${key}`).toString('base64')}`;
    const statuses = [];
    for (const authorization of [bearer(ofA), bearer(ofB), basic(ofA), `${bearer(ofA)}x`, undefined, bearer(ofA)]) {
      statuses.push(await publish(a, authorization));
    }
    expect(statuses).toEqual([201, 403, 201, 401, 401, 201]);
    expect(ports.size).toBe(1);
  });

  it('is refused with the key that it has shown all along, once that is revoked', async () => {
    const name = service.client.freshName('t');
    await service.client.call('PUT', `/v1/topics/${name}`, {});
    const { id, key } = await make(name);
    expect([await publish(name, `Bearer ${key}`), await publish(name, `Bearer ${key}`)]).toEqual([201, 201]);
    await service.client.call('DELETE', `/v1/keys/${id}`);
    expect(await publish(name, `Bearer ${key}`)).toBe(401);
    expect(ports.size).toBe(1);
  });
});
