// The engine's faults in the words of the API.

import { describe, expect, it } from 'vitest';
import { type FieldFault, WillcallError } from '../../../src/domain/errors.ts';
import { writeSentence } from '../../../src/transports/rest/sentences.ts';

describe('a fault that carries data', () => {
  it.each([
    [new WillcallError('topic_not_found', { topic: 'payments' }), 'There is no topic named payments.'],
    [
      new WillcallError('subscription_not_found', { subscription: 'acme-erp' }),
      'There is no subscription named acme-erp.',
    ],
    [
      new WillcallError('topic_conflict', { topic: 't', differing: ['retentionSeconds', 'maxMessageBytes'] }),
      'There is a topic t with other settings (retention_seconds, max_message_bytes); change it with PATCH.',
    ],
    [
      new WillcallError('subscription_conflict', { subscription: 's', differing: ['topic', 'minBackoffSeconds'] }),
      'There is a subscription s with other settings (topic, min_backoff_seconds); change what can be with PATCH.',
    ],
    [
      new WillcallError('backlog_full', { topic: 'payments' }),
      'payments is full: one of its subscriptions would be further behind than it may (max_backlog); nothing was published.',
    ],
  ])('is written with the names of the wire: %s', (fault, detail) => {
    expect(writeSentence(fault)).toEqual({ detail, fields: [] });
  });

  const faults: [FieldFault, string, string][] = [
    [
      { path: ['client'], rule: 'not_reserved', reserved: ['admin', 'willcall'] },
      'client',
      'must be another name than admin or willcall, which are taken',
    ],
    [{ path: ['expiresAt'], rule: 'in_future' }, 'expires_at', 'must be in the future'],
    [
      { path: ['roles', 1, 'topics'], rule: 'absent', role: 'consumer' },
      'roles[1].topics',
      'opens nothing to a consumer: leave it out',
    ],
    [
      { path: ['roles', 0, 'topics'], rule: 'not_empty', role: 'admin', kinds: ['topics', 'subscriptions'] },
      'roles[0].topics',
      'must name what the admin is for; ["*"] is all topics or subscriptions',
    ],
    [
      { path: ['minBackoffSeconds'], rule: 'at_most', other: 'maxBackoffSeconds', value: 600 },
      'retry.min_backoff_seconds',
      'must not exceed max_backoff_seconds, which is 600',
    ],
    [
      { path: ['messages', 3, 'body'], rule: 'bytes_at_most', bytes: 300, topic: 'payments', bytesMax: 256 },
      'messages[3].body',
      'has 300 bytes; payments takes at most 256',
    ],
    [
      { path: ['publicKeys', 2], rule: 'public_key', secret: true },
      'public_keys[2]',
      'is a private or secret key: keep it to yourself, and send the public key',
    ],
    [{ path: ['after'], rule: 'cursor' }, 'after', 'must be the `next` of a page of this list'],
    [
      { path: ['messages', 0, 'dedupeKey'], rule: 'one_body_per_key', key: 'ping "1"' },
      'messages[0].dedupe_key',
      'was used for another body: "ping \\"1\\""',
    ],
  ];

  it.each(faults)('names the field that breaks a rule: %j', (fault, field, message) => {
    expect(writeSentence(new WillcallError('invalid_request', { fields: [fault] }))).toEqual({
      detail: `${field} ${message}.`,
      fields: [{ field, message }],
    });
  });

  it('about several fields lists them all, and its sentence has the first', () => {
    const fields: FieldFault[] = [
      { path: ['expiresAt'], rule: 'in_future' },
      { path: ['client'], rule: 'not_reserved', reserved: ['admin'] },
    ];
    const { detail, fields: listed } = writeSentence(new WillcallError('invalid_request', { fields }));
    expect(detail).toBe('expires_at must be in the future (1 more under errors).');
    expect(listed.map(({ field }) => field)).toEqual(['expires_at', 'client']);
  });
});

it('a fault that carries a sentence keeps it', () => {
  expect(writeSentence(new WillcallError('overloaded', 'Try again.'))).toEqual({ detail: 'Try again.', fields: [] });
});
