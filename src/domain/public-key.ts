// Public keys of an API key's holder, with which a transport verifies what the holder signed.
// JSON Web Keys (RFC 7517): RSA, elliptic curve P-256, and Ed25519.

import { createPublicKey, type JsonWebKey } from 'node:crypto';

export const PUBLIC_KEYS_MAX = 8;
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 4096;
/** More than any of these keys has. */
const MEMBER_CHARACTERS_MAX = 1024;

/** The members that make the key, and no others. */
export type PublicKey =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/** Whether it is a private key, or the secret of a symmetric one: then it must not be kept. */
export function isSecretJwk(jwk: Readonly<Record<string, unknown>>): boolean {
  return 'd' in jwk || 'k' in jwk;
}

/** Null for what is no public key of a kind that is taken. */
export function readPublicKey(jwk: Readonly<Record<string, unknown>>): PublicKey | null {
  if (isSecretJwk(jwk)) return null;
  const { kty, crv, n, e, x, y } = jwk;
  if ([n, e, x, y].some((member) => member !== undefined && !isMember(member))) return null;
  try {
    const key = createPublicKey({ key: { kty, crv, n, e, x, y } as JsonWebKey, format: 'jwk' });
    const whole = key.export({ format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (whole.kty === 'RSA' && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) return pickRsa(whole);
    if (whole.kty === 'EC' && whole.crv === 'P-256') return pickEc(whole);
    if (whole.kty === 'OKP' && whole.crv === 'Ed25519') return { kty: 'OKP', crv: 'Ed25519', x: whole.x ?? '' };
    return null;
  } catch {
    return null;
  }
}

function isMember(member: unknown): boolean {
  return typeof member === 'string' && member.length <= MEMBER_CHARACTERS_MAX;
}

function pickRsa({ n = '', e = '' }: JsonWebKey): PublicKey {
  return { kty: 'RSA', n, e };
}

function pickEc({ x = '', y = '' }: JsonWebKey): PublicKey {
  return { kty: 'EC', crv: 'P-256', x, y };
}
