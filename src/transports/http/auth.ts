// Who is calling, and whether they may: a key, by Bearer or by Basic for clients that know nothing else, is shown to the
// engine, and what it opens is held against the operation that the route names. No key is known here.

import type { FastifyRequest } from 'fastify';
import type { Principal } from '../../domain/access.ts';
import { type Access, checkAccess, type Operation } from '../../domain/access.ts';
import type { Credentials } from '../../domain/api-key.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/index.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, and what they may do; set before any route that is not open runs, else null. */
    access: Access | null;
    /** The name for records. */
    caller: Principal;
  }
  interface FastifyContextConfig {
    /** What the route does, for the table of who may do it. */
    operation?: Operation;
    /** True: the route needs no key. */
    open?: true;
    /** True: the route reads its query string; elsewhere a query is refused. */
    query?: true;
  }
}

/** What a 401 asks for. */
export const authenticateChallenge = ['Bearer realm="willcall"', 'Basic realm="willcall", charset="UTF-8"'];

/** Whose request it is; a promise only where the engine has to look. Throws `unauthenticated`. */
export function authenticate(request: FastifyRequest, engine: Engine): Access | Promise<Access> {
  const credentials = credentialsOf(request);
  if (credentials === null) {
    throw new WillcallError(
      'unauthenticated',
      'Send the key as "Authorization: Bearer <key>", or by Basic with its id as the user name.',
    );
  }
  const found = engine.authenticate(credentials);
  return found instanceof Promise ? found.then(required) : required(found);
}

/** Lets the caller in to the route, or throws `forbidden`, whether or not there is what the path names. */
export function admitCaller(request: FastifyRequest, access: Access, operation: Operation | undefined): void {
  request.access = access;
  request.caller = access.principal;
  if (operation !== undefined) checkAccess(access, operation, request.params as Record<string, string>);
}

/** A route that forgot to say what it does would be open to every key: then the door does not open at all. */
export function refuseUnguarded(url: string, config: { operation?: Operation; open?: true } | undefined): void {
  if (config?.operation === undefined && config?.open !== true) {
    throw new Error(`The route ${url} names no operation, so nobody knows who may call it.`);
  }
}

/** The caller of a route that is not open. */
export function accessOf(request: FastifyRequest): Access {
  if (request.access === null) throw new WillcallError('unauthenticated', 'This call needs a key.');
  return request.access;
}

function required(access: Access | null): Access {
  if (access !== null) return access;
  throw new WillcallError('unauthenticated', 'The key is not good here: it is wrong, expired or revoked.');
}

/** How many headers are remembered, and for how long at most: secrets are not kept for longer than they are shown. */
const SHOWN_MAX = 10_000;
const SHOWN_MS = 60_000;
/** Longer ones are no key's. */
const SHOWN_CHARACTERS_MAX = 512;
/** What was shown lately, which mostly is what is shown next, on whatever connection. */
const shown = new Map<string, Credentials | null>();

function credentialsOf({ headers }: FastifyRequest): Credentials | null {
  const header = headers.authorization ?? '';
  const known = shown.get(header);
  if (known !== undefined) return known;
  const credentials = readCredentials(header);
  if (header.length > SHOWN_CHARACTERS_MAX) return credentials;
  if (shown.size === 0) setTimeout(() => shown.clear(), SHOWN_MS).unref();
  if (shown.size < SHOWN_MAX) shown.set(header, credentials);
  return credentials;
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
