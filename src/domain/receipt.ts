// Receipts: the opaque token of one message in one delivery.
// 33 bytes, version first, as 44 characters of base64url. It fences by the delivery's random nonce,
// which is kept with the delivery and compared when settling; it needs no signature, because
// without the nonce a made-up receipt settles nothing.

const VERSION = 1;
const BYTES = 33;
const CHARACTERS = 44;

/** What a receipt says, all of it still to be checked against the delivery. */
export interface ReceiptParts {
  readonly topicId: number;
  readonly subscriptionId: number;
  readonly deliveryNo: number;
  readonly sequence: number;
  readonly nonce: bigint;
}

/** The token for a message of a delivery. */
export function formatReceipt(parts: ReceiptParts): string {
  const bytes = Buffer.allocUnsafe(BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeInt32BE(parts.topicId, 1);
  bytes.writeInt32BE(parts.subscriptionId, 5);
  writeNumber(bytes, parts.deliveryNo, 9);
  writeNumber(bytes, parts.sequence, 17);
  bytes.writeBigInt64BE(parts.nonce, 25);
  return bytes.toString('base64url');
}

/** Null for anything that `formatReceipt` cannot have made. */
export function parseReceipt(receipt: string): ReceiptParts | null {
  if (receipt.length !== CHARACTERS) return null;
  const bytes = Buffer.from(receipt, 'base64url');
  if (bytes.length !== BYTES || bytes[0] !== VERSION || bytes.toString('base64url') !== receipt) return null;
  const parts = {
    topicId: bytes.readInt32BE(1),
    subscriptionId: bytes.readInt32BE(5),
    deliveryNo: readNumber(bytes, 9),
    sequence: readNumber(bytes, 17),
    nonce: bytes.readBigInt64BE(25),
  };
  const plausible =
    parts.topicId > 0 &&
    parts.subscriptionId > 0 &&
    parts.deliveryNo > 0 &&
    parts.sequence > 0 &&
    Number.isSafeInteger(parts.deliveryNo) &&
    Number.isSafeInteger(parts.sequence);
  return plausible ? parts : null;
}

function writeNumber(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset);
  bytes.writeUInt32BE(value % 0x1_0000_0000, offset + 4);
}

function readNumber(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4);
}
