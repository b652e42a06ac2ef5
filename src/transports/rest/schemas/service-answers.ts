// What the service says of itself.

import { z } from 'zod';
import { components } from './components.ts';

export const health = z
  .object({ status: z.literal('ok').describe('Always `ok`.') })
  .register(components, { id: 'Health', description: 'A process that answers.', examples: { ok: { status: 'ok' } } });

export const readiness = z.object({ status: z.literal('ready').describe('Always `ready`.') }).register(components, {
  id: 'Readiness',
  description: 'A service whose database is available.',
  examples: { ready: { status: 'ready' } },
});

/** Only its version: what else is in it, the specification says. */
export const openApiDocument = z
  .looseObject({ openapi: z.string().describe('The version of the OpenAPI Specification.') })
  .register(components, {
    id: 'OpenApiDocument',
    description: 'An OpenAPI document (https://spec.openapis.org/oas/v3.1).',
    examples: { 'its beginning': { openapi: '3.1.1' } },
  });
