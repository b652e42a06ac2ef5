// Protection against cross-site requests: a browser keeps the key of a Basic prompt and sends it
// with whatever a page of any site asks of this origin. Calls that change anything are refused
// there; no other client sends these headers. No page of another origin can read an answer, because
// nothing here allows it (CORS). See docs/security.md.

import type { IncomingMessage } from 'node:http';
import { HttpFault } from './faults.ts';

/**
 * Throws `cross_site` for a browser's call that neither a page of this origin nor the address bar
 * made.
 */
export function refuseCrossSite({ method, headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  if (site === undefined && headers.origin === undefined) return;
  if (method === 'GET' || method === 'HEAD') return;
  // Fetch Metadata, section 2.3; older browsers say at least where a page came from (the Fetch
  // standard, section 3.2).
  const own = site === undefined ? isOwn(headers.origin, headers.host) : site === 'same-origin' || site === 'none';
  if (!own) throw new HttpFault('cross_site', 'A page of another site made this call in a browser: nothing was done.');
}

/** The scheme is left out: a proxy in front has another one. */
function isOwn(origin: string | undefined, host: string | undefined): boolean {
  const authority = /^https?:\/\/(.+)$/.exec(origin ?? '')?.[1];
  return authority !== undefined && authority.toLowerCase() === host?.toLowerCase();
}
