// Every constraint of the tables, and what becomes of a call that violates it: a fault of the
// caller's with its field, an outcome, or nothing, because no call can. Who adds a constraint
// decides here.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WillcallError } from '../../src/domain/errors.ts';
import type { SubscriptionSettings } from '../../src/domain/subscription.ts';
import type { TopicSettings } from '../../src/domain/topic.ts';
import { createQueue, freshName, type Queue } from '../support/calls.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

/** Settings that violate a check, and the field that the caller reads of. */
const topicChecks: [string, Partial<TopicSettings>, string][] = [
  ['topic_retention_is_positive', { retentionSeconds: 0 }, 'retentionSeconds'],
  ['topic_max_message_bytes_in_range', { maxMessageBytes: 0 }, 'maxMessageBytes'],
  ['topic_dedupe_window_in_range', { dedupeWindowSeconds: 0 }, 'dedupeWindowSeconds'],
  ['topic_max_backlog_positive', { maxBacklog: 0 }, 'maxBacklog'],
];
const subscriptionChecks: [string, Partial<SubscriptionSettings>, string][] = [
  ['subscription_visibility_in_range', { visibilityTimeoutSeconds: 0 }, 'visibilityTimeoutSeconds'],
  ['subscription_delay_not_negative', { delaySeconds: -1 }, 'delaySeconds'],
  ['subscription_bounds_positive', { maxAttempts: 0 }, 'maxAttempts'],
  ['subscription_backoff_ordered', { minBackoffSeconds: -1 }, 'minBackoffSeconds'],
];
const key = {
  client: 'acme',
  roles: [{ role: 'admin', topics: [], subscriptions: [] }],
  requestsPerSecond: 1,
  secretVersion: null,
  publicKeys: null,
} as const;
const keyChecks: [string, object, string][] = [
  ['api_key_client_named', { client: '' }, 'client'],
  ['api_key_has_roles', { roles: [] }, 'roles'],
  ['api_key_rate_in_range', { requestsPerSecond: -1 }, 'requestsPerSecond'],
];

/** Those that a race can trip and the store turns into an outcome; the tests are named. */
const outcomes: Record<string, string> = {
  topic_living_name: 'test/engine/topics.test.ts: creation by many at once makes one',
  subscription_living_name: 'test/engine/subscriptions.test.ts: creation by many at once makes one',
  dedupe_key_even_key: 'on conflict do update in dedupe.sql; test/engine/idempotency.test.ts',
  dedupe_key_odd_key: 'on conflict do update in dedupe.sql; test/engine/idempotency.test.ts',
};

const NUMBERED = 'the number is drawn by the database, or counted under the lock of the row that it belongs to';
const OURS = 'its columns are written by our SQL alone, together, whatever the call says';
const RANDOM = 'the database draws 122 random bits for it';
const OWNERS = 'only the owner writes it, by hand or in a migration';
/** Those that no call can violate, by the beginning of the name. */
const unreachable: Record<string, string> = {
  topic_key: NUMBERED,
  topic_deletion_is_signed: OURS,
  topic_public_id: RANDOM,
  subscription_public_id: RANDOM,
  subscription_key: NUMBERED,
  subscription_topic: 'no topic is ever deleted: it becomes a tombstone',
  subscription_start: OURS,
  subscription_deletion_is_signed: OURS,
  message_: NUMBERED,
  delivery_: OURS,
  lease_: OURS,
  deferred_: OURS,
  failure_: OURS,
  acknowledgment_: OURS,
  dead_letter_: OURS,
  scheduled_: NUMBERED,
  settled_mark_: 'one mark of a subscription at a time, under its lock, and a clock of microseconds',
  ledger_policy_: OWNERS,
  api_key_key: 'two ids of one millisecond agree once in 2^32 times',
  api_key_id_well_formed: OURS,
  api_key_digest_whole: OURS,
  api_key_secret_version_positive: OURS,
  api_key_public_keys_listed: OURS,
  secret_version_: 'a version that is there is left as it is, on conflict do nothing',
  api_key_revocation_is_signed: OURS,
  dedupe_rotation_: OURS,
  clock_step_: NUMBERED,
  journal_: NUMBERED,
  function_text_: OWNERS,
  migration_: OWNERS,
};

let bench: StoreBench;
let engine: TestEngine;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  queue = await createQueue(engine);
});

/** The fault's code and its first field. */
async function faultOf(call: Promise<unknown>): Promise<[string, unknown]> {
  const error = (await call.then(
    () => new Error('the call ended well'),
    (fault: unknown) => fault,
  )) as WillcallError;
  const data = error.data as { fields: { path: unknown[] }[] } | null;
  return [error.code, data?.fields[0]?.path];
}

const agree = () => {};
const actor = { principal: 'test', keyId: null };

describe('a check that judges what a caller gave', () => {
  it.each(topicChecks)('%s names the field of a topic', async (_, settings, field) => {
    expect(await faultOf(bench.store.topics.update(queue.topicId, settings, { actor, judge: agree }))).toEqual([
      'invalid_request',
      [field],
    ]);
  });

  it.each(subscriptionChecks)('%s names the field of a subscription', async (_, settings, field) => {
    const update = bench.store.subscriptions.update(queue, settings, { actor, judge: agree });
    expect(await faultOf(update)).toEqual(['invalid_request', [field]]);
  });

  it.each(keyChecks)('%s names the field of a key', async (_, fields, field) => {
    const row = { ...key, keyId: `wk_${'0'.repeat(20)}`, secretSha256: Buffer.alloc(32), expiresAt: null, ...fields };
    expect(await faultOf(bench.store.keys.create(row, actor))).toEqual(['invalid_request', [field]]);
  });

  it('is not taken for one that judges what we wrote', async () => {
    const row = { ...key, keyId: 'no id', secretSha256: Buffer.alloc(32), expiresAt: null };
    expect((await faultOf(bench.store.keys.create(row, actor)))[0]).toBe('internal');
  });
});

describe('two changes at once', () => {
  let owner: Session;
  beforeEach(async () => {
    owner = await bench.openSession();
    return () => owner.end();
  });

  it('are judged one after the other: the second one sees what the first one made', async () => {
    const name = freshName();
    await engine.createSubscription({
      name,
      settings: { minBackoffSeconds: 1, maxBackoffSeconds: 10 },
      caller: 'test',
    });
    await owner.rows('begin');
    await owner.rows('select from willcall.subscription where name = $1 for update', [name]);
    const change = (settings: Partial<SubscriptionSettings>) =>
      engine.updateSubscription({ name, settings, caller: 'test' });
    const outcomes = Promise.allSettled([change({ minBackoffSeconds: 8 }), change({ maxBackoffSeconds: 5 })]);
    const waiting = `select count(distinct pid) from pg_locks join pg_stat_activity using (pid)
      where not granted and datname = current_database() and application_name = 'willcall'`;
    await expect.poll(() => bench.value(waiting)).toBe(2);
    await owner.rows('rollback');
    const refused = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(await faultOf(Promise.reject(refused[0]?.reason))).toEqual(['invalid_request', ['minBackoffSeconds']]);
  });
});

it('every constraint is decided about', async () => {
  const rows = await bench.rows<{ name: string }>(
    `select conname as name from pg_constraint
     where connamespace = 'willcall'::regnamespace and contype <> 'n'
     union
     select indexrelid::regclass::text from pg_index
     where indisunique and indrelid in (select oid from pg_class where relnamespace = 'willcall'::regnamespace)`,
  );
  const tested = [...topicChecks, ...subscriptionChecks, ...keyChecks].map(([name]) => name);
  const decided = (name: string) =>
    tested.includes(name) || name in outcomes || Object.keys(unreachable).some((start) => name.startsWith(start));
  const names = rows.map(({ name }) => name.replace(/^willcall\./, ''));
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !decided(name))).toEqual([]);
});
