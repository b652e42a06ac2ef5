// What may be said of keys: whose one is, what it opens and until when.

import { z } from 'zod';
import { type Grant, roles } from '../../../domain/access.ts';
import { limits } from '../../../domain/limits.ts';
import { PUBLIC_KEYS_MAX } from '../../../domain/public-key.ts';
import { components } from './components.ts';
import { list, name, strict, text, time, wholeNumber } from './fields.ts';
import { after, limit } from './pages.ts';

/** An id is shorter; another text is answered as one that is no key's. */
const KEY_ID_CHARACTERS_MAX = 128;

const SCOPE_RULE = 'must be a name, or the beginning of names and "*", such as "acme-erp", "acme-*" or "*"';
const scope = z.string({ error: SCOPE_RULE }).regex(limits.scopePattern, { error: SCOPE_RULE });
const scopes = list(scope, 0, limits.roleScopesMax).default([]);
/** For requests and answers alike. */
export const RATE_WORDS =
  'Calls per second that each instance accepts with the key, on average; 0 means no limit, null the ' +
  'default of the instance.';
export const grantWords = {
  role: 'What the key may do.',
  topics: 'The topics of the role: whole names, or prefixes followed by `*`. Not for a `consumer`.',
  subscriptions: 'The subscriptions of the role: whole names, or prefixes followed by `*`. Not for a `publisher`.',
} as const;

const GRANT_RULE = 'must be an object such as {"role": "consumer", "subscriptions": ["acme-*"]}';
const grant = strict(
  {
    role: z.enum(roles, { error: `must be one of ${roles.join(', ')}` }).describe(grantWords.role),
    topics: scopes.describe(grantWords.topics),
    subscriptions: scopes.describe(grantWords.subscriptions),
  },
  GRANT_RULE,
).transform((fields): Grant => fields);

/** Whether its members make a key of a kind that is taken, the engine judges. */
const MEMBER_CHARACTERS_MAX = 1024;
const member = text(MEMBER_CHARACTERS_MAX).optional();
const jsonWebKey = strict({
  kty: z.enum(['RSA', 'EC', 'OKP'], { error: 'must be RSA, EC or OKP' }).describe('The kind of key.'),
  n: member.describe('The modulus of an RSA key.'),
  e: member.describe('The exponent of an RSA key.'),
  crv: member.describe('The curve: `P-256` or `Ed25519`.'),
  x: member.describe('Of a key on a curve.'),
  y: member.describe('Of a key on P-256.'),
  kid: member.describe('Not kept: the key is named by the id of the API key.'),
  use: member.describe('Not kept.'),
  alg: member.describe('Not kept.'),
});
export const PUBLIC_KEY_WORDS =
  'Public keys of its holder as JSON Web Keys, RSA, P-256 or Ed25519, for transports whose clients sign; null for none.';

export const keyBody = strict({
  client: name.describe('The holder of the key, as records name it. Not `admin` and not `willcall`.'),
  roles: list(grant, 1, limits.keyRolesMax).describe('What the key may do, and on which names.'),
  expires_at: time.nullish().describe('When the key expires, a time in the future; null means never.'),
  requests_per_second: wholeNumber(0, limits.keyRequestsPerSecondMax).nullish().describe(RATE_WORDS),
  public_keys: list(jsonWebKey, 1, PUBLIC_KEYS_MAX).nullish().describe(PUBLIC_KEY_WORDS),
})
  .transform(({ expires_at: expiresAt, requests_per_second: requestsPerSecond, public_keys: publicKeys, ...key }) => ({
    ...key,
    expiresAt,
    requestsPerSecond,
    publicKeys,
  }))
  .register(components, {
    id: 'KeyRequest',
    description: 'A key to create.',
    examples: {
      'of a vendor': {
        client: 'acme',
        roles: [{ role: 'consumer', subscriptions: ['acme-*'] }],
        expires_at: '2099-12-31T00:00:00Z',
      },
      'of a publisher': { client: 'billing', roles: [{ role: 'publisher', topics: ['payments'] }] },
      'that may call often': {
        client: 'billing',
        roles: [{ role: 'publisher', topics: ['payments'] }],
        requests_per_second: 5_000,
      },
    },
  });

export const keysQuery = strict({
  limit,
  after: text(KEY_ID_CHARACTERS_MAX).optional().describe(after),
  client: name.optional().describe('Only the keys of this client.'),
});
