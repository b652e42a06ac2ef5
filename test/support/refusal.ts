// How the REST transport refuses: a problem document with a stable code, the headers of every
// answer, and the field at fault.

import { expect } from 'vitest';
import type { CallOptions, Client } from './client.ts';

export interface Refusal {
  /** 400 unless said otherwise. */
  readonly status?: number;
  /** `invalid_request` unless said otherwise. */
  readonly code?: string;
  readonly field?: string;
  /** What the answer has to mention, such as the limit. */
  readonly says?: string;
}

/** Makes the call, which has to be refused so. */
export async function expectRefusal(
  client: Client,
  [method, path, options]: [string, string, CallOptions],
  expected: Refusal,
): Promise<void> {
  const { status, headers, json } = await client.call(method, path, options);
  expect({ status, code: json?.code }).toEqual({
    status: expected.status ?? 400,
    code: expected.code ?? 'invalid_request',
  });
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(json).toMatchObject({ type: `urn:willcall:problem:${json.code}`, status, title: expect.any(String) });
  if (expected.field !== undefined) {
    expect(json.errors?.map(({ field }) => field)).toContain(expected.field);
    expect(json.detail.startsWith(json.errors?.[0]?.field ?? '?')).toBe(true);
  }
  if (expected.says !== undefined) expect(JSON.stringify(json.errors ?? json.detail)).toContain(expected.says);
}
