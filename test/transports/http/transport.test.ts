// A route that does not say what it does cannot be served.

import { expect, it } from 'vitest';
import { refuseUnguarded } from '../../../src/transports/http/transport.ts';

it('refuses a route that names no operation and is not open to all', () => {
  expect(() => refuseUnguarded('/v1/new', undefined)).toThrow('/v1/new names no operation');
  expect(() => refuseUnguarded('/v1/new', {})).toThrow('/v1/new names no operation');
  expect(() => refuseUnguarded('/v1/new', { operation: 'publish' })).not.toThrow();
  expect(() => refuseUnguarded('/healthz', { open: true })).not.toThrow();
});
