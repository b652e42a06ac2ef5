// Keys as answers show them.

import { z } from 'zod';
import { roles } from '../../../domain/access.ts';
import { components } from './components.ts';
import { exampleTimes } from './examples.ts';
import { count, instant, name } from './fields.ts';
import { grantWords, RATE_WORDS } from './keys.ts';

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
  created_at: exampleTimes.created,
  created_by: 'admin',
  revoked_at: null,
  revoked_by: null,
  last_used_at: null,
};

export const apiKey = z
  .object({
    id: z.string().describe('Names the key in paths and records; no secret.'),
    client: name.describe('Whose key it is: what records say.'),
    roles: z.array(grant).describe('What it opens.'),
    expires_at: instant.nullable().describe('When it ends by itself; null is never.'),
    requests_per_second: count().nullable().describe(RATE_WORDS),
    created_at: instant.describe('When it was made.'),
    created_by: z.string().describe('Who made it.'),
    revoked_at: instant.nullable().describe('When it was revoked; null when it was not.'),
    revoked_by: z.string().nullable().describe('Who revoked it; null when nobody did.'),
    last_used_at: instant.nullable().describe('When it was last used, to the minute; null when it never was.'),
  })
  .register(components, {
    id: 'Key',
    description: 'What is known of a key; its secret is not.',
    examples: { 'a key': exampleKey },
  });

export const newKey = apiKey
  .extend({ key: z.string().describe('What its holder sends. Shown this once; only a hash of it is kept.') })
  .register(components, {
    id: 'NewKey',
    description: 'A key that was just made.',
    examples: {
      'a key': { ...exampleKey, key: 'wk_019cfa8e43d6a1b2c3d4_mJ0rVvXoT5Sx1kqYb2fEw8uZc7nLh3gAiDp9tRyQe4K' },
    },
  });

export const keyPage = z
  .object({
    keys: z.array(apiKey).describe('In the order of their making, revoked and expired ones too.'),
    next: z.string().nullable().describe('The `after` of the next page; null when there is none.'),
  })
  .register(components, {
    id: 'KeyPage',
    description: 'A page of keys.',
    examples: { 'the last page': { keys: [exampleKey], next: null } },
  });
