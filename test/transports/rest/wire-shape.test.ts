// Answers made after their schemas.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { wireShape } from '../../../src/transports/rest/wire-shape.ts';

describe('an answer after its schema', () => {
  it('has the fields of the schema in its order, and no others', () => {
    const schema = z.object({ ack_no: z.int(), body_sha256: z.string(), name: z.string().nullable() });
    const value = { name: null, secret: 's', bodySha256: 'ab', ackNo: 1 };
    expect(JSON.stringify(wireShape(schema, value))).toBe('{"ack_no":1,"body_sha256":"ab","name":null}');
  });

  it('reaches into objects and lists, null or not', () => {
    const attempt = z.object({ ended_by: z.string() });
    const schema = z.object({ last_attempt: attempt.nullable(), all_attempts: z.array(attempt) });
    const shaped = wireShape(schema, { lastAttempt: { endedBy: 'a' }, allAttempts: [{ endedBy: 'b' }] });
    expect(shaped).toEqual({ last_attempt: { ended_by: 'a' }, all_attempts: [{ ended_by: 'b' }] });
    expect(wireShape(schema, { lastAttempt: null, allAttempts: [] })).toEqual({ last_attempt: null, all_attempts: [] });
  });

  it("keeps the publisher's names, and times as they are", () => {
    const schema = z.object({ attributes: z.record(z.string(), z.string()), dead_at: z.custom<Date>() });
    const value = { attributes: { traceId: '1', trace_id: '2' }, deadAt: new Date(0) };
    expect(wireShape(schema, value)).toEqual({ attributes: { traceId: '1', trace_id: '2' }, dead_at: new Date(0) });
  });
});
