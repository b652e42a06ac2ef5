// Public keys as API keys have them: the kinds that are taken, and what is left of a JSON Web Key.

import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isSecretJwk, readPublicKey } from '../../src/domain/public-key.ts';

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const publicOf = ({ publicKey }: { publicKey: { export(options: { format: 'jwk' }): JsonWebKey } }) =>
  publicKey.export({ format: 'jwk' }) as Record<string, unknown>;

const taken = { RSA: rsa(2048), 'P-256': ec('P-256'), Ed25519: generateKeyPairSync('ed25519') };

describe.each(Object.entries(taken))('a key of %s', (_, pair) => {
  it('is taken as it is', () => {
    expect(readPublicKey(publicOf(pair))).toEqual(publicOf(pair));
  });

  it('is taken without what is not of the key', () => {
    const jwk = { ...publicOf(pair), kid: 'wk_1', use: 'sig', alg: 'whatever', key_ops: ['verify'] };
    expect(readPublicKey(jwk)).toEqual(publicOf(pair));
  });

  it('is refused with its private part', () => {
    const jwk = pair.privateKey.export({ format: 'jwk' }) as Record<string, unknown>;
    expect([readPublicKey(jwk), isSecretJwk(jwk)]).toEqual([null, true]);
  });
});

it.each([
  ['too short', publicOf(rsa(1024))],
  ['of another curve', publicOf(ec('P-384'))],
  ['of another kind', publicOf(generateKeyPairSync('x25519'))],
  ['symmetric', { kty: 'oct', k: 'c2VjcmV0' }],
  ['without its members', { kty: 'RSA' }],
  ['no point of the curve', { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
  ['of numbers', { kty: 'RSA', n: 1, e: 2 }],
  ['far too long', { kty: 'RSA', n: 'A'.repeat(100_000), e: 'AQAB' }],
])('a key that is %s is refused', (_, jwk) => {
  expect(readPublicKey(jwk)).toBeNull();
});
