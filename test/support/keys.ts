// Short forms of what tests do with keys.

import type { Grant, Role } from '../../src/domain/access.ts';
import type { ApiKey, Credentials } from '../../src/domain/api-key.ts';
import type { Engine } from '../../src/engine/index.ts';
import type { CreateKeyRequest } from '../../src/engine/keys.ts';
import { CALLER } from './calls.ts';

export interface MadeKey extends ApiKey {
  /** The text that its holder sends. */
  readonly key: string;
  /** What stands behind the id. */
  readonly secret: string;
  readonly credentials: Credentials;
}

/** A role on these names, topics and subscriptions alike. */
export function grant(role: Role, ...names: string[]): Grant {
  const topics = role === 'consumer' ? [] : names;
  return { role, topics, subscriptions: role === 'publisher' ? [] : names };
}

/** A key of `acme`, for everything unless told otherwise. */
export async function makeKey(engine: Engine, fields: Partial<CreateKeyRequest> = {}): Promise<MadeKey> {
  const wanted = { client: 'acme', roles: [grant('admin', '*')], caller: CALLER, ...fields };
  const { apiKey, key } = await engine.createKey(wanted);
  return { ...apiKey, key, secret: key.slice(apiKey.keyId.length + 1), credentials: { id: null, secret: key } };
}
