// DELETE /v1/keys/{key}: revokes a key, on every instance within a second. Its record stays.

import { callerOf } from '../../http/transport.ts';
import { parseKeyId } from '../requests.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'revokeKey',
  tag: 'Keys',
  summary: 'Revoke a key',
  description:
    'The instance that answers refuses the key at once, all others within a second; a receive that is ' +
    'parked under it gets an empty answer. The record stays. Can be repeated.',
  answers: { 204: { description: 'Revoked, now or earlier.' } },
  problems: ['key_not_found'],
};

export const revokeKey: Route = {
  method: 'DELETE',
  url: '/v1/keys/:key',
  operation: 'revokeKey',
  describe,
  handle: async (request, reply, { engine }) => {
    const { caller, keyId } = callerOf(request);
    await engine.revokeKey(parseKeyId(request), caller, keyId);
    return reply.code(204).send();
  },
};
