// Sentences for the faults of the engine, with the field names of this API.

import type { FaultData, FieldError, FieldFault, WillcallError } from '../../domain/errors.ts';
import { summarize } from '../http/faults.ts';
import { describePath } from '../http/field-paths.ts';
import { settingPath } from './schemas/setting-table.ts';
import { subscriptionTable } from './schemas/settings.ts';
import { toSnakeCase } from './wire-names.ts';

export interface Sentence {
  readonly detail: string;
  readonly fields: readonly FieldError[];
}

const sentences: { readonly [Code in keyof FaultData]: (data: FaultData[Code]) => string } = {
  invalid_request: ({ fields }) => summarize(fields.map(describeField)),
  topic_not_found: ({ topic }) => `There is no topic named ${topic}.`,
  subscription_not_found: ({ subscription }) => `There is no subscription named ${subscription}.`,
  ledger_not_found: ({ ledger }) => `There is no ledger with the id ${ledger}.`,
  ledger_replaced: ({ subscription, ledger }) =>
    `The name ${subscription} has had more than one ledger, and means another one now than ` +
    (ledger === null
      ? 'the number may be of: read on by the `next` of a page, or at /v1/ledgers/{id}/….'
      : `the cursor is of: read that one on at /v1/ledgers/${ledger}/….`),
  topic_conflict: ({ topic, differing }) =>
    `There is a topic ${topic} with other settings (${listFields(differing)}); change it with PATCH.`,
  subscription_conflict: ({ subscription, differing }) =>
    `There is a subscription ${subscription} with other settings (${listFields(differing)}); ` +
    'change what can be with PATCH.',
  message_too_large: ({ topic, maxMessageBytes }) =>
    `${topic} takes bodies of at most ${maxMessageBytes} bytes (max_message_bytes); nothing was published.`,
  idempotency_conflict: () => 'A dedupe key names one body: use a new key for a new message; nothing was published.',
  backlog_full: ({ topic }) =>
    `${topic} is full: one of its subscriptions would be further behind than it may (max_backlog); ` +
    'nothing was published.',
};

/** Of a fault that carries data from its code's sentence, of another its own message. */
export function writeSentence({ code, data, message, fields }: WillcallError): Sentence {
  if (data === null) return { detail: message, fields };
  const write = sentences[code as keyof FaultData] as (data: unknown) => string;
  return { detail: write(data), fields: 'fields' in data ? data.fields.map(describeField) : fields };
}

function describeField(fault: FieldFault): FieldError {
  return { field: wirePath(fault.path), message: describeRule(fault) };
}

/** Where the wire has the field that the domain knows by this path. */
function wirePath(path: FieldFault['path']): string {
  const parts = path.map((part) => (typeof part === 'number' ? [part] : settingPath(subscriptionTable, part)));
  return describePath(parts.flat());
}

function describeRule(fault: FieldFault): string {
  switch (fault.rule) {
    case 'not_reserved':
      return `must be another name than ${fault.reserved.join(' or ')}, which are taken`;
    case 'not_prefixed':
      return `must not begin with ${fault.prefixes.join(' or ')}, as ids do`;
    case 'cursor':
      return 'must be the `next` of a page of this list';
    case 'message_id':
      return 'must be the id of a message, as publish and receive give it';
    case 'not_before':
      return `must not be before ${toSnakeCase(fault.other)}`;
    case 'in_future':
      return 'must be in the future';
    case 'in_range':
      return 'is out of its bounds, or does not go with the other settings';
    case 'not_in_future':
      return 'must not be in the future: what is published from now on is what "latest" begins with';
    case 'absent':
      return `opens nothing to a ${fault.role}: leave it out`;
    case 'not_empty':
      return `must name what the ${fault.role} is for; ["*"] is all ${fault.kinds.join(' or ')}`;
    case 'at_most':
      return `must not exceed ${toSnakeCase(fault.other)}, which is ${fault.value}`;
    case 'bytes_at_most':
      return `has ${fault.bytes} bytes; ${fault.topic} takes at most ${fault.bytesMax}`;
    case 'public_key':
      return fault.secret
        ? 'is a private or secret key: keep it to yourself, and send the public key'
        : 'must be a public key as a JSON Web Key: RSA of 2048 to 4096 bits, P-256 or Ed25519';
    case 'needs_secret_key':
      return 'needs a secret key, which this service does not have: set WILLCALL_SECRET_KEY';
    case 'one_body_per_key':
      return `was used for another body: ${JSON.stringify(fault.key)}`;
  }
}

function listFields(names: readonly string[]): string {
  return names.map(toSnakeCase).join(', ');
}
