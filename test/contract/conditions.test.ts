// Calls that are made only if a topic or a subscription is as their client has seen it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

describe.each([
  ['topics', { max_backlog: 5 }, { max_backlog: 6 }],
  ['subscriptions', { max_attempts: 5 }, { max_attempts: 6 }],
])('one of the %s', (kind, change, other) => {
  const make = async () => {
    const path = `/v1/${kind}/${client.freshName('c')}`;
    const { headers } = await client.call('PUT', path);
    return { path, tag: String(headers.etag) };
  };
  const withHeader = (method: string, path: string, headers: Record<string, string>, json?: object) =>
    client.call(method, path, { headers, ...(json === undefined ? {} : { json }) });

  it('has a tag in every answer that shows it, which changes with its settings alone', async () => {
    const { path, tag } = await make();
    expect(tag).toMatch(/^"[\w-]{16}"$/);
    expect((await client.get(path)).headers.etag).toBe(tag);
    expect((await client.call('PUT', path)).headers.etag).toBe(tag);
    const changed = await client.call('PATCH', path, { json: change });
    expect(changed.headers.etag).not.toBe(tag);
    expect((await client.get(path)).headers.etag).toBe(changed.headers.etag);
    await client.publish(path.split('/').at(-1) ?? '', 'x').catch(() => {});
    expect((await client.get(path)).headers.etag).toBe(changed.headers.etag);
  });

  it('is changed and deleted only where If-Match holds', async () => {
    const { path, tag } = await make();
    const stale = await withHeader('PATCH', path, { 'if-match': '"other"' }, change);
    expect([stale.status, stale.json.code]).toEqual([412, 'precondition_failed']);
    expect((await client.get(path)).headers.etag).toBe(tag);
    const changed = await withHeader('PATCH', path, { 'if-match': tag }, change);
    expect(changed.status).toBe(200);
    expect((await withHeader('DELETE', path, { 'if-match': tag })).status).toBe(412);
    expect((await client.get(path)).status).toBe(200);
    expect((await withHeader('DELETE', path, { 'if-match': String(changed.headers.etag) })).status).toBe(204);
    expect((await client.get(path)).status).toBe(404);
  });

  it('is changed by one of two who have both seen the same', async () => {
    const { path, tag } = await make();
    const answers = await Promise.all([
      withHeader('PATCH', path, { 'if-match': tag }, change),
      withHeader('PATCH', path, { 'if-match': tag }, other),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('is created only where there is none, with If-None-Match, and never with If-Match', async () => {
    const path = `/v1/${kind}/${client.freshName('c')}`;
    expect((await withHeader('PUT', path, { 'if-match': '*' })).status).toBe(412);
    expect((await client.get(path)).status).toBe(404);
    expect((await withHeader('PUT', path, { 'if-none-match': '*' })).status).toBe(201);
    expect((await withHeader('PUT', path, { 'if-none-match': '*' })).status).toBe(412);
    expect((await withHeader('PUT', path, { 'if-match': '*' })).status).toBe(200);
  });

  it('is not sent again to a client that has it', async () => {
    const { path, tag } = await make();
    const known = await withHeader('GET', path, { 'if-none-match': `W/${tag}` });
    expect([known.status, known.bytes.length, known.headers.etag]).toEqual([304, 0, tag]);
    expect((await withHeader('GET', path, { 'if-none-match': '"other"' })).status).toBe(200);
    expect((await withHeader('HEAD', path, { 'if-none-match': '*' })).status).toBe(304);
    expect((await withHeader('GET', path, { 'if-match': '"other"' })).status).toBe(412);
  });

  it('is not touched by a condition that cannot be read', async () => {
    const { path, tag } = await make();
    const { status, json } = await withHeader('PATCH', path, { 'if-match': 'other' }, change);
    expect([status, json.errors?.[0]?.field]).toEqual([400, 'If-Match']);
    expect((await client.get(path)).headers.etag).toBe(tag);
  });
});

describe('a call without an entity tag', () => {
  it('is not made with a condition that cannot hold', async () => {
    const name = await client.freshSubscription();
    const json = { messages: [{ body: 'x' }] };
    const options = { json, headers: { 'if-match': '"x"' } };
    const { status, json: problem } = await client.call('POST', `/v1/topics/${name}/messages`, options);
    expect([status, problem.code]).toEqual([412, 'precondition_failed']);
    expect(await client.receive(name)).toEqual([]);
    const any = { json, headers: { 'if-match': '*' } };
    expect((await client.call('POST', `/v1/topics/${name}/messages`, any)).status).toBe(201);
  });
});
