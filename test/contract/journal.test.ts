// The journal over HTTP: what auditors and admins read of the administrative acts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Entry {
  entry_no: number;
  subject: string;
  action: string;
  name: string;
  acted_by: string;
  key_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
interface Page {
  entries: Entry[];
  next: string;
  has_more: boolean;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const makeKey = async (json: object) => {
  const { status, json: made } = await client.post<{ id: string; key: string }>('/v1/keys', json);
  expect(status).toBe(201);
  return made;
};
const readAs = (key: string, query = '') => client.call<Page>('GET', `/v1/journal${query}`, { key });
const readAll = async (query = '') => (await client.get<Page>(`/v1/journal${query}`)).json;

describe('the journal', () => {
  it('shows who did what with which key, with the settings as the nouns show them', async () => {
    const ops = await makeKey({ client: 'ops', roles: [{ role: 'admin', topics: ['j-*'], subscriptions: ['j-*'] }] });
    await client.call('PUT', '/v1/subscriptions/j-one', { key: ops.key });
    await client.call('PATCH', '/v1/subscriptions/j-one', {
      key: ops.key,
      json: { max_attempts: 3, retry: { min_backoff_seconds: 2 } },
    });
    await client.call('DELETE', '/v1/topics/j-one');
    const { entries } = await readAll('?name=j-one');
    const byOps = { acted_by: 'ops', key_id: ops.id };
    expect(entries).toMatchObject([
      { ...byOps, subject: 'topic', action: 'create', before: null, after: { dedupe_window_seconds: 86_400 } },
      { ...byOps, subject: 'subscription', action: 'create', after: { start: 'latest', max_in_flight: null } },
      {
        ...byOps,
        action: 'update',
        before: { max_attempts: 10, retry: { min_backoff_seconds: 1 } },
        after: { max_attempts: 3, retry: { min_backoff_seconds: 2 } },
      },
      { acted_by: 'admin', key_id: null, subject: 'topic', action: 'delete', after: null },
      { acted_by: 'admin', key_id: null, subject: 'subscription', action: 'delete', topic: 'j-one' },
    ]);
    expect(entries[1]?.after).toHaveProperty('retry', { min_backoff_seconds: 1, max_backoff_seconds: 600 });
  });

  it('shows an auditor the names that its key covers, and keys to one of all names', async () => {
    await client.call('PUT', '/v1/subscriptions/mine');
    await client.call('PUT', '/v1/subscriptions/theirs');
    const some = await makeKey({ client: 'a', roles: [{ role: 'auditor', subscriptions: ['mine'] }] });
    const all = await makeKey({ client: 'b', roles: [{ role: 'auditor', topics: ['*'], subscriptions: ['*'] }] });
    const seen = async (key: string) =>
      (await readAs(key)).json.entries.map(({ subject, name }) => `${subject} ${name}`);
    expect(await seen(some.key)).toEqual(['subscription mine']);
    expect(await seen(all.key)).toEqual(expect.arrayContaining(['topic theirs', 'subscription theirs', 'key a']));
  });

  it.each(['publisher', 'consumer', 'operator'])('is not for a %s', async (role) => {
    const topics = role === 'consumer' ? [] : ['*'];
    const subscriptions = role === 'publisher' ? [] : ['*'];
    const { key } = await makeKey({ client: 'x', roles: [{ role, topics, subscriptions }] });
    expect((await readAs(key)).status).toBe(403);
  });

  it('never has the text of a key or its hash', async () => {
    const { key } = await makeKey({ client: 'secretive', roles: [{ role: 'consumer', subscriptions: ['x'] }] });
    const text = JSON.stringify(await readAll('?name=secretive'));
    expect(text).toContain('consumer');
    expect(text).not.toContain(key.split('_').at(-1));
    expect(text).not.toContain('sha256');
  });

  it('is read on from where it ended', async () => {
    const first = await readAll('?limit=2');
    expect([first.entries.map(({ entry_no }) => entry_no), first.has_more]).toEqual([[1, 2], true]);
    let page = first;
    while (page.has_more) page = await readAll(`?after=${page.next}`);
    await client.call('PUT', '/v1/topics/later');
    expect((await readAll(`?after=${page.next}`)).entries).toMatchObject([{ action: 'create', name: 'later' }]);
  });

  it.each([
    ['after=1', 'after'],
    ['after=AAAA', 'after'],
    ['from=yesterday', 'from'],
    ['from=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z', 'until'],
    ['subject=message', 'subject'],
    ['action=drop', 'action'],
    ['name=%20', 'name'],
    ['acted_by=%00', 'acted_by'],
    ['limit=0', 'limit'],
    ['who=admin', 'who'],
  ])('refuses ?%s', async (query, field) => {
    const { status, json } = await client.get<{ code: string; errors: { field: string }[] }>(`/v1/journal?${query}`);
    expect([status, json.code, json.errors[0]?.field]).toEqual([400, 'invalid_request', field]);
  });
});
