// The journal of administrative acts: each is entered with its act or not at all, logged once, and
// read in its order.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Grant } from '../../src/domain/access.ts';
import { createEngine } from '../../src/engine/index.ts';
import type { JournalQuery } from '../../src/engine/journal.ts';
import { codeOf, freshName } from '../support/calls.ts';
import { openStoreBench, type StoreBench } from '../support/store.ts';

const by = { caller: 'ops', keyId: 'wk_019cfa8e43d6a1b2c3d4' };
const everything = { topics: ['*'], subscriptions: ['*'], keys: true };

let bench: StoreBench;
let engine: ReturnType<typeof createEngine>;
let logged: object[];

beforeAll(async () => {
  bench = await openStoreBench();
  const ignore = () => {};
  const info = (fields: object) => void logged.push(fields);
  engine = createEngine({ store: bench.store, logger: { debug: ignore, info, warn: ignore, error: ignore } });
});
afterAll(() => bench.stop());
beforeEach(async () => {
  logged = [];
  await bench.rows('delete from willcall.journal');
});

const read = (query: Partial<JournalQuery> = {}) => engine.listJournal({ limit: 100, scopes: everything, ...query });
const entries = async (query: Partial<JournalQuery> = {}) => (await read(query)).entries;
const consumer = (subscription: string): Grant => ({ role: 'consumer', topics: [], subscriptions: [subscription] });

/** A topic with a subscription of another name, both by the admin key. */
async function createPair() {
  const [topic, name] = [freshName('t'), freshName('s')];
  await engine.createTopic({ name: topic, settings: {}, caller: 'admin' });
  await engine.createSubscription({ name, topic, settings: {}, caller: 'admin' });
  await bench.rows('delete from willcall.journal');
  return { topic, name };
}

describe('an act', () => {
  it('that creates is entered with what it made, who did it and with which key', async () => {
    const [topic, name] = [freshName('t'), freshName('s')];
    await engine.createTopic({ name: topic, settings: { maxBacklog: 7 }, ...by });
    await engine.createSubscription({ name, topic, start: 'earliest', settings: { maxAttempts: 3 }, ...by });
    const { apiKey } = await engine.createKey({ client: 'acme', roles: [consumer(name)], ...by });
    const author = { actedBy: 'ops', keyId: by.keyId, action: 'create', before: null, actedAt: expect.any(Date) };
    expect(await entries()).toMatchObject([
      { ...author, entryNo: 1, subject: 'topic', name: topic, topic: null, after: { maxBacklog: 7 } },
      { ...author, subject: 'subscription', name, topic, after: { start: 'earliest', maxAttempts: 3 } },
      { ...author, subject: 'key', name: 'acme', subjectId: apiKey.keyId, after: { roles: [consumer(name)] } },
    ]);
  });

  it('with the admin key names no key', async () => {
    await engine.createTopic({ name: freshName(), settings: {}, caller: 'admin' });
    expect(await entries()).toMatchObject([{ actedBy: 'admin', keyId: null }]);
  });

  it('that changes is entered with the settings that changed, before and after', async () => {
    const { topic, name } = await createPair();
    await engine.updateTopic({ name: topic, settings: { maxBacklog: 7 }, ...by });
    await engine.updateTopic({ name: topic, settings: { maxBacklog: 9, dedupeWindowSeconds: 60 }, ...by });
    await engine.updateSubscription({ name, settings: { maxAttempts: 3, delaySeconds: 0 }, ...by });
    expect(await entries()).toMatchObject([
      { subject: 'topic', action: 'update', before: { maxBacklog: null }, after: { maxBacklog: 7 } },
      { before: { maxBacklog: 7, dedupeWindowSeconds: 86_400 }, after: { maxBacklog: 9, dedupeWindowSeconds: 60 } },
      { subject: 'subscription', action: 'update', name, topic },
    ]);
    const [, , last] = await entries();
    expect([last?.before, last?.after]).toEqual([{ maxAttempts: 10 }, { maxAttempts: 3 }]);
  });

  it('that changes nothing is none', async () => {
    const { topic, name } = await createPair();
    await engine.updateTopic({ name: topic, settings: { maxBacklog: null }, ...by });
    await engine.updateSubscription({ name, settings: { delaySeconds: 0 }, ...by });
    await engine.createTopic({ name: topic, settings: {}, ...by });
    await engine.createSubscription({ name, settings: {}, ...by });
    expect(await entries()).toEqual([]);
  });

  it('that deletes a topic is one for it and one for each of its subscriptions', async () => {
    const { topic, name } = await createPair();
    const gone = freshName('s');
    await engine.createSubscription({ name: gone, topic, settings: {}, caller: 'admin' });
    await engine.deleteSubscription(gone, 'ops', { keyId: by.keyId });
    await engine.deleteTopic(topic, 'ops', { keyId: by.keyId });
    const deleted = { action: 'delete', actedBy: 'ops', keyId: by.keyId, after: null };
    expect((await entries()).slice(1)).toMatchObject([
      { ...deleted, subject: 'subscription', name: gone, topic, before: { start: 'latest', maxAttempts: 10 } },
      { ...deleted, subject: 'topic', name: topic, before: { dedupeWindowSeconds: 86_400 } },
      { ...deleted, subject: 'subscription', name, topic },
    ]);
    expect(await codeOf(engine.deleteTopic(topic, 'ops'))).toBe('topic_not_found');
    expect(await entries()).toHaveLength(4);
  });

  it('that revokes a key is entered once, however often it is repeated', async () => {
    const { apiKey } = await engine.createKey({ client: 'acme', roles: [consumer('s')], ...by });
    await engine.revokeKey(apiKey.keyId, 'ops', by.keyId);
    await engine.revokeKey(apiKey.keyId, 'admin');
    const [, revoked, ...more] = await entries();
    const before = { roles: [consumer('s')], expiresAt: null, requestsPerSecond: null };
    expect(revoked).toMatchObject({ action: 'revoke', name: 'acme', subjectId: apiKey.keyId, before, after: null });
    expect(more).toEqual([]);
  });

  it('is logged once, with its author, its name and what changed', async () => {
    const { topic, name } = await createPair();
    logged = [];
    await engine.updateSubscription({ name, settings: { maxAttempts: 3 }, ...by });
    const who = { by: 'ops', keyId: by.keyId };
    const change = { before: { maxAttempts: 10 }, after: { maxAttempts: 3 } };
    const id = (await engine.getSubscription(name)).subscription.publicId;
    expect(logged).toEqual([{ act: 'subscription.update', name, id, topic, ...who, ...change }]);
  });
});

describe('an entry', () => {
  it('is there with its act or not at all', async () => {
    const { topic, name } = await createPair();
    await bench.rows('revoke execute on function willcall.append_journal from willcall_runtime');
    try {
      const calls = [
        () => engine.createTopic({ name: freshName(), settings: {}, ...by }),
        () => engine.updateTopic({ name: topic, settings: { maxBacklog: 7 }, ...by }),
        () => engine.updateSubscription({ name, settings: { maxAttempts: 3 }, ...by }),
        () => engine.createKey({ client: 'never', roles: [consumer('s')], ...by }),
        () => engine.deleteTopic(topic, 'ops'),
        () => engine.deleteSubscription(name, 'ops'),
      ];
      for (const call of calls) expect(await codeOf(call())).toBe('internal');
    } finally {
      await bench.rows('grant execute on function willcall.append_journal to willcall_runtime');
    }
    expect(await engine.getTopic(topic)).toMatchObject({ maxBacklog: null });
    expect((await engine.getSubscription(name)).subscription).toMatchObject({ maxAttempts: 10 });
    expect((await engine.listKeys({ limit: 10, client: 'never' })).keys).toEqual([]);
    expect(await entries()).toEqual([]);
    expect(logged.filter((fields) => 'act' in fields && 'by' in fields && fields.by === 'ops')).toEqual([]);
  });

  it('has the next number when many act at once, and none is passed over by who reads on', async () => {
    const seen: number[] = [];
    let after: string | undefined;
    const readOn = async () => {
      const page = await read({ after });
      after = page.next;
      seen.push(...page.entries.map(({ entryNo }) => entryNo));
    };
    const acts = Array.from({ length: 24 }, () => engine.createTopic({ name: freshName(), settings: {}, ...by }));
    let done = false;
    const all = Promise.all(acts).then(() => {
      done = true;
    });
    while (!done) await readOn();
    await all;
    await readOn();
    expect(seen).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  });
});

describe('a page', () => {
  it('ends with where to read on, also when it is the last one', async () => {
    for (let i = 0; i < 3; i += 1) await engine.createTopic({ name: freshName(), settings: {}, ...by });
    const first = await read({ limit: 2 });
    expect([first.entries.length, first.hasMore]).toEqual([2, true]);
    const last = await read({ limit: 2, after: first.next });
    expect([last.entries.map(({ entryNo }) => entryNo), last.hasMore]).toEqual([[3], false]);
    expect(await read({ after: last.next })).toEqual({ entries: [], next: last.next, hasMore: false });
    await engine.createTopic({ name: freshName(), settings: {}, ...by });
    expect((await entries({ after: last.next })).map(({ entryNo }) => entryNo)).toEqual([4]);
  });

  it.each([
    '1',
    '',
    'x',
    Buffer.from('journal x').toString('base64url'),
    Buffer.from('ledger 1').toString('base64url'),
  ])('is refused after %j, which no page gave', async (after) => {
    const refused = await read({ after }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'invalid_request', data: { fields: [{ path: ['after'], rule: 'cursor' }] } });
  });

  it('can be narrowed by time, author, subject, action and name', async () => {
    const { topic, name } = await createPair();
    await engine.updateTopic({ name: topic, settings: { maxBacklog: 7 }, ...by });
    await engine.updateSubscription({ name, settings: { maxAttempts: 3 }, caller: 'admin' });
    await engine.deleteTopic(topic, 'admin');
    const numbers = async (query: Partial<JournalQuery>) => (await entries(query)).map(({ entryNo }) => entryNo);
    expect(await numbers({})).toEqual([1, 2, 3, 4]);
    expect(await numbers({ actedBy: 'ops' })).toEqual([1]);
    expect(await numbers({ subject: 'subscription' })).toEqual([2, 4]);
    expect(await numbers({ action: 'delete' })).toEqual([3, 4]);
    expect(await numbers({ name })).toEqual([2, 4]);
    const [, second] = await entries();
    expect(await numbers({ from: second?.actedAt })).toEqual([2, 3, 4]);
    expect(await numbers({ until: second?.actedAt })).toEqual([1]);
  });

  it('shows what the scopes cover: topics and subscriptions by name, keys to those of everything', async () => {
    const { topic, name } = await createPair();
    await engine.updateTopic({ name: topic, settings: { maxBacklog: 7 }, ...by });
    await engine.updateSubscription({ name, settings: { maxAttempts: 3 }, ...by });
    await engine.createKey({ client: name, roles: [consumer(name)], ...by });
    const subjects = async (scopes: Partial<JournalQuery['scopes']>) =>
      (await entries({ scopes: { topics: [], subscriptions: [], keys: false, ...scopes } })).map(
        ({ subject }) => subject,
      );
    expect(await subjects({})).toEqual([]);
    expect(await subjects({ topics: [topic] })).toEqual(['topic']);
    expect(await subjects({ subscriptions: [`${name.slice(0, 2)}*`] })).toEqual(['subscription']);
    expect(await subjects({ topics: [name], subscriptions: [topic] })).toEqual([]);
    expect(await subjects({ keys: true })).toEqual(['key']);
    expect(await subjects({ topics: ['*'], subscriptions: ['*'] })).toEqual(['topic', 'subscription']);
  });
});
