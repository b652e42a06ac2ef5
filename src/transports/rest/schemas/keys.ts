// What may be said of keys: whose one is, what it opens and until when.

import { z } from 'zod';
import { type Grant, roles } from '../../../domain/access.ts';
import { limits } from '../../../domain/limits.ts';
import { list, name, strict, text, time } from './fields.ts';
import { limit } from './pages.ts';

/** An id is shorter; another text is answered as one that is no key's. */
const KEY_ID_CHARACTERS_MAX = 128;

const SCOPE_RULE = 'must be a name, or the beginning of names and "*", such as "acme-erp", "acme-*" or "*"';
const scope = z.string({ error: SCOPE_RULE }).regex(limits.scopePattern, { error: SCOPE_RULE });
const scopes = list(scope, 0, limits.roleScopesMax).default([]);

const grant = strict({
  role: z.enum(roles, { error: `must be one of ${roles.join(', ')}` }),
  topics: scopes,
  subscriptions: scopes,
}).transform((fields): Grant => fields);

export const keyBody = strict({
  client: name,
  roles: list(grant, 1, limits.keyRolesMax),
  expires_at: time.nullish(),
}).transform(({ expires_at: expiresAt, ...key }) => ({ ...key, expiresAt }));

export const keysQuery = strict({
  limit,
  after: text(KEY_ID_CHARACTERS_MAX).optional(),
  client: name.optional(),
});
