// Authentication by a key in the Authorization header: Bearer, or Basic for clients that know
// nothing else. The engine says what the presented credentials open; no key is known here. What was
// presented lately is remembered, because a client presents the same on each call.

import type { FastifyRequest } from 'fastify';
import type { Access } from '../../domain/access.ts';
import type { Credentials } from '../../domain/api-key.ts';
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

/** Authentication that remembers presented credentials for as long as its listener lives. */
export function createKeyAuthentication(engine: Pick<Engine, 'authenticate'>): Authentication {
  const presented = new Map<string, Credentials | null>();

  function recall({ headers }: FastifyRequest): Credentials | null {
    const header = headers.authorization ?? '';
    const known = presented.get(header);
    if (known !== undefined) return known;
    const credentials = readCredentials(header);
    if (header.length > REMEMBERED_CHARACTERS_MAX) return credentials;
    if (presented.size === 0) setTimeout(() => presented.clear(), REMEMBERED_MS).unref();
    if (presented.size < REMEMBERED_MAX) presented.set(header, credentials);
    return credentials;
  }

  function authenticate(request: FastifyRequest): Access | Promise<Access> {
    const credentials = recall(request);
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

function readCredentials(header: string): Credentials | null {
  const match = /^(bearer|basic) +([^\s]+) *$/i.exec(header);
  const [, scheme, token] = match ?? [];
  if (scheme === undefined || token === undefined) return null;
  if (scheme.toLowerCase() === 'bearer') return { id: null, secret: token };
  const pair = Buffer.from(token, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? null : { id: pair.slice(0, colon), secret: pair.slice(colon + 1) };
}
