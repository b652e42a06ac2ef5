// What REST calls have in their paths and headers, read strictly.

import type { FastifyRequest } from 'fastify';
import { limits } from '../../domain/limits.ts';
import { refuse } from '../http/faults.ts';
import { idempotencyKeyPattern, NAME_RULE } from './schemas/fields.ts';

/** The name of a topic or subscription in the path. */
export function parseName(request: FastifyRequest, parameter: 'topic' | 'subscription'): string {
  const name = (request.params as Record<string, string | undefined>)[parameter] ?? '';
  if (limits.namePattern.test(name)) return name;
  throw refuse([{ field: parameter, message: NAME_RULE }]);
}

/** The id of a key in the path, whatever it is: a malformed id is no key's. */
export function parseKeyId(request: FastifyRequest): string {
  return (request.params as Record<string, string | undefined>).key ?? '';
}

/** The key that marks a repetition of this call; undefined when there is none. */
export function readIdempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  const { rawHeaders } = request.raw;
  const sent = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'idempotency-key').length;
  if (sent > 1) throw refuse([{ field: 'Idempotency-Key', message: 'must be sent once' }]);
  if (typeof key === 'string' && idempotencyKeyPattern.test(key)) return key;
  throw refuse([
    {
      field: 'Idempotency-Key',
      message: `must be 1 to ${limits.idempotencyKeyCharactersMax} visible ASCII characters`,
    },
  ]);
}

/** Throws where the header is sent: a batch has a key for each of its messages. */
export function refuseIdempotencyKey(request: FastifyRequest): void {
  if (request.headers['idempotency-key'] === undefined) return;
  const message = 'is for one message: give each message of a batch its own "dedupe_key"';
  throw refuse([{ field: 'Idempotency-Key', message }]);
}
