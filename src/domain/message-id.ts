// Message ids: which numbering (1: the topic's log, 2: the delayed ones), topic, number, and the
// salt of the publish that made it, so that after a failover which lost commits an old id never
// names a message that reuses its numbers. 21 bytes, as 28 characters of base64url. Stored with the
// message and in the ledger as these bytes.

/** Of an id as it is stored. */
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

/** The id in the words of the API. */
export function formatMessageId(parts: MessageIdParts): string {
  const bytes = Buffer.allocUnsafe(messageIdBytes);
  bytes.writeUInt8(parts.numbering === 'log' ? 1 : 2, 0);
  bytes.writeInt32BE(parts.topicId, 1);
  bytes.writeUInt32BE(Math.floor(parts.number / 0x1_0000_0000), 5);
  bytes.writeUInt32BE(parts.number % 0x1_0000_0000, 9);
  bytes.writeBigInt64BE(parts.salt, 13);
  return bytes.toString('base64url');
}

/** The id's bytes as stored; null for anything that is not an id. */
export function parseMessageId(id: string): Buffer | null {
  if (id.length !== CHARACTERS) return null;
  const bytes = Buffer.from(id, 'base64url');
  const known = bytes.length === messageIdBytes && (bytes[0] === 1 || bytes[0] === 2);
  return known && bytes.toString('base64url') === id ? bytes : null;
}
