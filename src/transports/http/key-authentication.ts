// Authentication by a key in the Authorization header: Bearer, or Basic for clients that know
// nothing else. The engine says what the presented credentials open; no key is known here. What was
// presented lately is remembered, because a client presents the same on each call.

import type { FastifyRequest } from 'fastify';
import type { Access } from '../../domain/access.ts';
import { type Credentials, readKey } from '../../domain/api-key.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { Authentication } from './transport.ts';

/** How many headers are remembered, and for how long at most, so that secrets do not stay. */
const REMEMBERED_MAX = 10_000;
const REMEMBERED_MS = 60_000;
/** Longer headers hold no key. */
const REMEMBERED_CHARACTERS_MAX = 512;

/** What a 401 asks for. */
export const keyChallenge = ['Bearer realm="willcall"', 'Basic realm="willcall", charset="UTF-8"'];

interface Presented {
  /** Null for a header that holds none. */
  readonly credentials: Credentials | null;
  /** The id that they name, whether or not there is such a key; null where they name none. */
  readonly keyId: string | null;
}

/** Authentication that remembers presented credentials for as long as its listener lives. */
export function createKeyAuthentication(engine: Pick<Engine, 'authenticate'>): Authentication {
  const remembered = new Map<string, Presented>();

  function recall({ headers }: FastifyRequest): Presented {
    const header = headers.authorization ?? '';
    const known = remembered.get(header);
    if (known !== undefined) return known;
    const presented = readPresented(header);
    if (header.length > REMEMBERED_CHARACTERS_MAX) return presented;
    if (remembered.size === 0) setTimeout(() => remembered.clear(), REMEMBERED_MS).unref();
    if (remembered.size < REMEMBERED_MAX) remembered.set(header, presented);
    return presented;
  }

  function authenticate(request: FastifyRequest): Access | Promise<Access> {
    const { credentials, keyId } = recall(request);
    request.presentedKeyId = keyId;
    if (credentials === null) {
      throw new WillcallError(
        'unauthenticated',
        'Send the key as "Authorization: Bearer <key>", or by Basic with its id as the user name.',
      );
    }
    const found = engine.authenticate(credentials);
    return found instanceof Promise ? found.then(requireAccess) : requireAccess(found);
  }

  return { challenge: keyChallenge, authenticate };
}

function requireAccess(access: Access | null): Access {
  if (access !== null) return access;
  throw new WillcallError('unauthenticated', 'The key is not good here: it is wrong, expired or revoked.');
}

function readPresented(header: string): Presented {
  const credentials = readCredentials(header);
  return { credentials, keyId: credentials === null ? null : (readKey(credentials)?.id ?? null) };
}

function readCredentials(header: string): Credentials | null {
  const match = /^(bearer|basic) +([^\s]+) *$/i.exec(header);
  const [, scheme, token] = match ?? [];
  if (scheme === undefined || token === undefined) return null;
  if (scheme.toLowerCase() === 'bearer') return { id: null, secret: token };
  const pair = Buffer.from(token, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? null : { id: pair.slice(0, colon), secret: pair.slice(colon + 1) };
}
