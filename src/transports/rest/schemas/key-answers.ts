// Keys as answers show them.

import { z } from 'zod';
import { roles } from '../../../domain/access.ts';
import { components } from './components.ts';
import { exampleTimes } from './examples.ts';
import { count, hasMore, instant, name } from './fields.ts';
import { grantWords, PUBLIC_KEY_WORDS, RATE_WORDS } from './keys.ts';

const grant = z.object({
  role: z.enum(roles).describe(grantWords.role),
  topics: z.array(z.string()).describe(grantWords.topics),
  subscriptions: z.array(z.string()).describe(grantWords.subscriptions),
});

const exampleKey = {
  id: 'wk_019cfa8e43d6a1b2c3d4',
  client: 'acme',
  roles: [{ role: 'consumer' as const, topics: [], subscriptions: ['acme-*'] }],
  expires_at: '2099-12-31T00:00:00.000000Z',
  requests_per_second: null,
  public_keys: null,
  created_at: exampleTimes.created,
  created_by: 'admin',
  revoked_at: null,
  revoked_by: null,
  last_used_at: null,
};

export const apiKey = z
  .object({
    id: z.string().describe('Identifies the key in paths and records; not secret.'),
    client: name.describe('The holder of the key, as records name it.'),
    roles: z.array(grant).describe('What the key may do, and on which names.'),
    expires_at: instant.nullable().describe('When the key expires; null means never.'),
    requests_per_second: count().nullable().describe(RATE_WORDS),
    public_keys: z.array(z.record(z.string(), z.string())).nullable().describe(PUBLIC_KEY_WORDS),
    created_at: instant.describe('When it was created.'),
    created_by: z.string().describe('Who created it.'),
    revoked_at: instant.nullable().describe('When it was revoked; null when it is not revoked.'),
    revoked_by: z.string().nullable().describe('Who revoked it; null when it is not revoked.'),
    last_used_at: instant.nullable().describe('When it was last used, to the minute; null when it was never used.'),
  })
  .register(components, {
    id: 'Key',
    description: 'What is stored about a key; its secret is not.',
    examples: { 'a key': exampleKey },
  });

export const newKey = apiKey
  .extend({
    key: z.string().describe('The text that the holder sends. Only this answer contains it; only a hash is stored.'),
  })
  .register(components, {
    id: 'NewKey',
    description: 'A new key.',
    examples: {
      'a key': { ...exampleKey, key: 'wk_019cfa8e43d6a1b2c3d4_mJ0rVvXoT5Sx1kqYb2fEw8uZc7nLh3gAiDp9tRyQe4K' },
    },
  });

export const keyPage = z
  .object({
    keys: z.array(apiKey).describe('In order of creation, revoked and expired keys included.'),
    next: z.string().nullable().describe('The `after` of the next page; null when there is none.'),
    has_more: hasMore,
  })
  .register(components, {
    id: 'KeyPage',
    description: 'A page of keys.',
    examples: { 'the last page': { keys: [exampleKey], next: null, has_more: false } },
  });
