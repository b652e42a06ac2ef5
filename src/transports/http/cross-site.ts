// Browsers keep the key of a Basic prompt and send it along with whatever a page of any site asks of this origin. What
// changes anything is refused there; no other client sends these headers. No page of another origin can read an answer:
// nothing here allows it to (CORS). See docs/security.md.

import type { IncomingMessage } from 'node:http';
import { DoorError } from '../rest/errors.ts';

/** Throws `cross_site` for a call of a browser that no page of this origin, nor a person at the address bar, has made. */
export function refuseCrossSite({ method, headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  if (site === undefined && headers.origin === undefined) return;
  if (method === 'GET' || method === 'HEAD') return;
  // Fetch Metadata, section 2.3; browsers without it say at least where a page came from (the Fetch standard, section 3.2).
  const own = site === undefined ? isOwn(headers.origin, headers.host) : site === 'same-origin' || site === 'none';
  if (!own) throw new DoorError('cross_site', 'A page of another site made this call in a browser: nothing was done.');
}

/** The scheme is left out: a proxy in front has another one. */
function isOwn(origin: string | undefined, host: string | undefined): boolean {
  const authority = /^https?:\/\/(.+)$/.exec(origin ?? '')?.[1];
  return authority !== undefined && authority.toLowerCase() === host?.toLowerCase();
}
