// Message bodies are bytes, sent as text where they are valid UTF-8, and as base64 elsewhere.

import type { NewMessage, ReceivedMessage } from './types.ts';

/** The arguments of one call of String.fromCharCode have to fit on the stack. */
const CHUNK_BYTES = 8192;

/** The bytes of a message, exactly as they were published. */
export function bytesOf(message: Pick<ReceivedMessage, 'body' | 'bodyEncoding'>): Uint8Array {
  if (message.bodyEncoding === 'utf8') return new TextEncoder().encode(message.body);
  return Uint8Array.from(atob(message.body), (character) => character.charCodeAt(0));
}

/** A message as the service takes it: bytes go as base64. */
export function packBody({ body, ...rest }: NewMessage) {
  return typeof body === 'string' ? { ...rest, body } : { ...rest, body: toBase64(body), bodyEncoding: 'base64' };
}

function toBase64(bytes: Uint8Array): string {
  let characters = '';
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    characters += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  }
  return btoa(characters);
}
