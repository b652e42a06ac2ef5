// What an HTTP transport is to the listener that it is mounted on: routes, and what differs from
// the other transports there. Whatever it leaves out, it has as every HTTP transport has it.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access, Operation, Principal } from '../../domain/access.ts';
import type { RenderFault } from './faults.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller and what it may do; set before any route runs that is not open, else null. */
    access: Access | null;
    /** The caller's name for records. */
    caller: Principal;
  }
  interface FastifyContextConfig {
    /** What the route does, for the table of access rules. */
    operation?: Operation;
    /** What to do about a body that is too large, where sending less at a time would not help. */
    whenTooLarge?: string;
    /** True: the route needs no key. */
    open?: true;
    /** True: it judges `If-Match`; elsewhere nothing has an entity tag that could match. */
    conditional?: true;
    /** True: the route reads its query string; elsewhere a query is refused. */
    query?: true;
  }
}

/** How the clients of a transport authenticate. */
export interface Authentication {
  /** The `WWW-Authenticate` of a 401. */
  readonly challenge: readonly string[];
  /**
   * Whose request it is; a promise only where the engine asks the database. Throws
   * `unauthenticated`.
   */
  authenticate(request: FastifyRequest): Access | Promise<Access>;
}

/** A transport that is mounted on the common listener. */
export interface HttpTransport {
  /** For log lines. */
  readonly name: string;
  /**
   * Adds its routes, each with an `operation` or `open` in its config, and its content types where
   * they are not any, read as bytes (`readBody`).
   */
  mount(scope: FastifyInstance): void;
  /** Its error shape; absent: problem documents (RFC 9457). */
  readonly renderFault?: RenderFault;
  /**
   * Headers of each of its answers, such as a Content-Security-Policy, over those that all answers
   * have.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: a key by Bearer or Basic. */
  readonly authentication?: Authentication;
  /** False: answers are not compressed. */
  readonly compression?: false;
  /** Milliseconds without a byte in either direction until a request under way is given up. */
  readonly stallMs?: number;
  /**
   * Resolves when what its answers have left to do is done; called when the last of them is over.
   */
  stop?(): Promise<void>;
}

/** The caller of a route that is not open. */
export function accessOf(request: FastifyRequest): Access {
  if (request.access === null) throw new Error('The route is open, so no key has been presented.');
  return request.access;
}

/** Who calls a route that is not open, and with which key; null for the admin key. */
export function callerOf(request: FastifyRequest): { readonly caller: Principal; readonly keyId: string | null } {
  const { principal, keyId } = accessOf(request);
  return { caller: principal, keyId };
}

/** Throws for a route that does not say what it does: it would be open to every key. */
export function refuseUnguarded(url: string, config: { operation?: Operation; open?: true } | undefined): void {
  if (config?.operation === undefined && config?.open !== true) {
    throw new Error(`The route ${url} names no operation, so no access rule covers it.`);
  }
}
