// Conditional requests by entity tags (RFC 9110, section 13): If-Match and If-None-Match. A client
// reads a tag, decides, and sends it along; what has changed meanwhile is not overwritten.

import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { refuse } from './faults.ts';

const TAG = /(?:W\/)?"[\x21\x23-\x7e]*"/;
const LIST = new RegExp(`^\\s*(?:\\*|${TAG.source}(?:\\s*,\\s*${TAG.source})*)\\s*$`);
const TAG_BYTES = 12;

export type Verdict = 'met' | 'failed' | 'not_modified';

/** The strong tag of a representation. */
export function createEntityTag(representation: object): string {
  const digest = createHash('sha256').update(JSON.stringify(representation)).digest();
  return `"${digest.subarray(0, TAG_BYTES).toString('base64url')}"`;
}

/** Whether the request has a condition. */
export function hasCondition({ headers }: FastifyRequest): boolean {
  return headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
}

/**
 * Judges the conditions of the request in their order (section 13.2.2); `tag` is that of what there
 * is, null where there is nothing. Throws `invalid_request` for a header that is no list of tags.
 */
export function judgeConditions(request: FastifyRequest, tag: string | null): Verdict {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  if (ifMatch !== undefined && !lists(readTags('If-Match', ifMatch), tag)) return 'failed';
  if (ifNoneMatch === undefined) return 'met';
  // Weak comparison: what is the same in meaning need not be got again.
  const tags = readTags('If-None-Match', ifNoneMatch).map((each) => each.replace(/^W\//, ''));
  if (!lists(tags, tag)) return 'met';
  return request.method === 'GET' || request.method === 'HEAD' ? 'not_modified' : 'failed';
}

function lists(tags: readonly string[], tag: string | null): boolean {
  return tag !== null && (tags.includes('*') || tags.includes(tag));
}

function readTags(field: string, header: string): readonly string[] {
  if (!LIST.test(header)) throw refuse([{ field, message: 'must be "*", or entity tags in quotes' }]);
  return header.trim() === '*' ? ['*'] : (header.match(new RegExp(TAG, 'g')) ?? []);
}
