// Message ids: 21 bytes, written as 28 characters of base64url, stored as bytes.
// Numbering (1: the topic's log, 2: delayed messages), topic, number, and the salt of the publish.
// With the salt, an id never names a later message that reuses its numbers after a failover which
// lost commits.

/** Length of a stored id. */
export const messageIdBytes = 21;
const CHARACTERS = 28;

export type Numbering = 'log' | 'scheduled';

export interface MessageIdParts {
  readonly numbering: Numbering;
  readonly topicId: number;
  /** The sequence, or the number among the delayed messages. */
  readonly number: number;
  readonly salt: bigint;
}

/** Formats the id for the API. */
export function formatMessageId(parts: MessageIdParts): string {
  const bytes = Buffer.allocUnsafe(messageIdBytes);
  bytes.writeUInt8(parts.numbering === 'log' ? 1 : 2, 0);
  bytes.writeInt32BE(parts.topicId, 1);
  bytes.writeUInt32BE(Math.floor(parts.number / 0x1_0000_0000), 5);
  bytes.writeUInt32BE(parts.number % 0x1_0000_0000, 9);
  bytes.writeBigInt64BE(parts.salt, 13);
  return bytes.toString('base64url');
}

/** Returns the bytes of the id as stored; null for anything that is not an id. */
export function parseMessageId(id: string): Buffer | null {
  if (id.length !== CHARACTERS) return null;
  const bytes = Buffer.from(id, 'base64url');
  const known = bytes.length === messageIdBytes && (bytes[0] === 1 || bytes[0] === 2);
  return known && bytes.toString('base64url') === id ? bytes : null;
}
