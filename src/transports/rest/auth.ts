// Who is calling: a key, by Bearer or as the password of Basic for clients that know nothing else. The door is handed an
// Authenticator and knows no key itself, so that keys with roles can take the single admin key's place.

import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { WillcallError } from '../../domain/errors.ts';
import type { Principal } from '../../engine/types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling; set before any route that is not open runs. */
    caller: Principal;
  }
  interface FastifyContextConfig {
    /** True: the route needs no key. */
    open?: true;
    /** True: the route reads its query string; elsewhere a query is refused. */
    query?: true;
  }
}

/** What a client showed. `id` is the user name of Basic, null with Bearer. */
export interface Credentials {
  readonly id: string | null;
  readonly secret: string;
}

/** Who shows these credentials; null when nobody does. */
export type Authenticator = (credentials: Credentials) => Principal | null;

/** What a 401 asks for. */
export const authenticateChallenge = ['Bearer realm="willcall"', 'Basic realm="willcall", charset="UTF-8"'];

const ADMIN: Principal = 'admin';

/** The one admin key, whatever the user name. Digests are compared, so that the time tells nothing, not even a length. */
export function createAdminAuthenticator(adminKey: string): Authenticator {
  const expected = digest(adminKey);
  return ({ secret }) => (timingSafeEqual(digest(secret), expected) ? ADMIN : null);
}

/** Sets `request.caller`, or throws `unauthenticated`. */
export function authorize(request: FastifyRequest, authenticate: Authenticator): void {
  const credentials = readCredentials(request.headers.authorization);
  if (credentials === null) {
    throw new WillcallError(
      'unauthenticated',
      'Send the key as "Authorization: Bearer <key>", or as the Basic password.',
    );
  }
  const principal = authenticate(credentials);
  if (principal === null) throw new WillcallError('unauthenticated', 'The key is not known here: check it.');
  request.caller = principal;
}

function readCredentials(header: string | undefined): Credentials | null {
  const match = /^(bearer|basic) +([^\s]+) *$/i.exec(header ?? '');
  const [, scheme, token] = match ?? [];
  if (scheme === undefined || token === undefined) return null;
  if (scheme.toLowerCase() === 'bearer') return { id: null, secret: token };
  const pair = Buffer.from(token, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon === -1 ? null : { id: pair.slice(0, colon), secret: pair.slice(colon + 1) };
}

function digest(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
