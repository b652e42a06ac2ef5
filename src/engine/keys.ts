// API keys: create, get, list, revoke. A secret leaves this file once, in the answer to its
// creation; a hash is kept. A revoked key keeps its row, and revoking it again changes nothing.

import { randomBytes } from 'node:crypto';
import { type Grant, type Principal, roleScopes } from '../domain/access.ts';
import { type ApiKey, formatKey, formatKeyId, isKeyId } from '../domain/api-key.ts';
import { type FieldFault, WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { PublicKey } from '../domain/public-key.ts';
import { isSecretJwk, readPublicKey } from '../domain/public-key.ts';
import type { Store } from '../store/index.ts';
import { type ActRequest, actorOf, logActs } from './journal.ts';
import { digest } from './lookups/keyring.ts';
import { type PageRequest, readPage } from './pages.ts';
import type { Secrets } from './secrets.ts';
import type { Wakeups } from './waiting/wakeups.ts';

const SECRET_BYTES = 32;
const ID_RANDOM_BYTES = 4;
/** Principals of the service's own; also in capitals, no client can have these names. */
const RESERVED = ['admin', 'willcall'];

export interface CreateKeyRequest extends ActRequest {
  /** Whose key it is: the principal of what is done with it. */
  readonly client: string;
  readonly roles: readonly Grant[];
  /** Absent or null: never. */
  readonly expiresAt?: Date | null | undefined;
  /** 0 is no bound. Absent or null: what the instance sets. */
  readonly requestsPerSecond?: number | null | undefined;
  /** JSON Web Keys, at most `PUBLIC_KEYS_MAX`, with which signatures of its holder are verified. */
  readonly publicKeys?: readonly Readonly<Record<string, unknown>>[] | null | undefined;
  /** Whether the holder is to have a secret that this service can derive again (`deriveSecret`). */
  readonly derivesSecret?: boolean | undefined;
}

export interface KeyQuery extends PageRequest<string> {
  readonly client?: string | undefined;
}

export interface KeyVerbs {
  /** `key` is the key's text, which nothing keeps. Throws `invalid_request`. */
  createKey(request: CreateKeyRequest): Promise<{ apiKey: ApiKey; key: string }>;
  /** Revoked and expired ones too. Throws `key_not_found`. */
  getKey(keyId: string): Promise<ApiKey>;
  /** In the order of their making. */
  listKeys(query: KeyQuery): Promise<{ keys: readonly ApiKey[]; next: string | null; hasMore: boolean }>;
  /**
   * Ends the key on every instance within a second; changes nothing when repeated. Throws
   * `key_not_found`.
   */
  revokeKey(keyId: string, caller: Principal, callerKeyId?: string | null): Promise<void>;
}

interface KeyDeps {
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly logger: Logger;
  readonly secrets: Secrets;
}

export function createKeyVerbs({ store, wakeups, logger, secrets }: KeyDeps): KeyVerbs {
  async function createKey({ client, roles, ...request }: CreateKeyRequest) {
    const actor = actorOf(request);
    const { expiresAt = null, requestsPerSecond = null } = request;
    const publicKeys = (request.publicKeys ?? []).map(readPublicKey);
    const secretVersion = request.derivesSecret === true ? secrets.version : null;
    checkRequest({ ...request, client, roles }, publicKeys, secretVersion);
    const keyId = formatKeyId(new Date(), randomBytes(ID_RANDOM_BYTES));
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const secretSha256 = digest(secret);
    const row = {
      keyId,
      client,
      roles,
      secretSha256,
      expiresAt,
      requestsPerSecond,
      secretVersion,
      publicKeys: publicKeys.length === 0 ? null : publicKeys.filter((key) => key !== null),
    };
    const apiKey = logActs(logger, actor, await store.keys.create(row, actor));
    wakeups.wakeKey(keyId);
    return { apiKey, key: formatKey({ id: keyId, secret }) };
  }

  async function getKey(keyId: string): Promise<ApiKey> {
    const [found] = isKeyId(keyId) ? await store.keys.find([keyId]) : [];
    if (found === undefined) throw notFound();
    const { secretSha256: _, checkedAt: __, ...apiKey } = found;
    return apiKey;
  }

  async function listKeys({ after = '', limit, client }: KeyQuery) {
    const read = (rows: number) => store.keys.list({ after, limit: rows, client: client ?? null });
    const { items, next, hasMore } = await readPage(limit, read, ({ keyId }) => keyId);
    return { keys: items, next, hasMore };
  }

  async function revokeKey(keyId: string, caller: Principal, callerKeyId: string | null = null): Promise<void> {
    const actor = actorOf({ caller, keyId: callerKeyId });
    const revoked = isKeyId(keyId) ? await store.keys.revoke(keyId, actor) : null;
    if (revoked === null) throw notFound();
    wakeups.wakeKey(keyId);
    logActs(logger, actor, revoked);
  }

  return { createKey, getKey, listKeys, revokeKey };
}

/** Without the id, because a user may have pasted a whole key. */
function notFound(): WillcallError {
  return new WillcallError('key_not_found', 'There is no key with this id; a list of the keys shows their ids.');
}

function checkRequest(
  { client, roles, expiresAt, publicKeys, derivesSecret }: Omit<CreateKeyRequest, 'caller'>,
  readKeys: readonly (PublicKey | null)[],
  secretVersion: number | null,
): void {
  const fields = roles.flatMap(findFaults);
  if (RESERVED.includes(client.toLowerCase())) {
    fields.push({ path: ['client'], rule: 'not_reserved', reserved: RESERVED });
  }
  if (expiresAt !== null && expiresAt !== undefined && expiresAt.getTime() <= Date.now()) {
    fields.push({ path: ['expiresAt'], rule: 'in_future' });
  }
  for (const [index, key] of readKeys.entries()) {
    const secret = isSecretJwk(publicKeys?.[index] ?? {});
    if (key === null) fields.push({ path: ['publicKeys', index], rule: 'public_key', secret });
  }
  if (derivesSecret === true && secretVersion === null) {
    fields.push({ path: ['derivesSecret'], rule: 'needs_secret_key' });
  }
  if (fields.length > 0) throw new WillcallError('invalid_request', { fields });
}

/** Refuses a grant that opens nothing, or names what its role has no use for. */
function findFaults({ role, ...names }: Grant, index: number): FieldFault[] {
  const kinds = roleScopes[role];
  const useless = (['topics', 'subscriptions'] as const).filter(
    (kind) => !kinds.includes(kind) && names[kind].length > 0,
  );
  const faults: FieldFault[] = useless.map((kind) => ({ path: ['roles', index, kind], rule: 'absent', role }));
  const [first] = kinds;
  if (first !== undefined && kinds.every((kind) => names[kind].length === 0)) {
    faults.push({ path: ['roles', index, first], rule: 'not_empty', role, kinds });
  }
  return faults;
}
