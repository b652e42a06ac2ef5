import { describe, expect, it } from 'vitest';
import { ConfigError, configVariables, parseConfig } from '../src/config.ts';

const sentence = (env: Record<string, string>): string => {
  try {
    parseConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('expected a refusal');
};

describe('the settings', () => {
  it('has a default for everything', () => {
    expect(parseConfig({})).toEqual({
      databaseUrl: null,
      databaseOwnerUrl: null,
      databaseDirectUrl: null,
      databasePooler: 'none',
      databaseConnectionsMax: 10,
      dataDir: '.willcall',
      adminKey: null,
      secretKeys: { current: null, previous: null },
      schema: 'willcall',
      runtimeRole: 'willcall_runtime',
      logLevel: 'info',
      fairUse: {
        keyRequestsPerSecond: 1_000,
        keyParkedReceives: 1_000,
        parkedReceives: 20_000,
        trafficBytes: 268_435_456,
      },
      transports: { http: { host: '127.0.0.1', port: 8080 } },
    });
  });

  it('takes what the environment says', () => {
    const adminKey = 'k'.repeat(32);
    expect(
      parseConfig({
        DATABASE_URL: 'postgres://app@db/app',
        DATABASE_OWNER_URL: 'postgresql://owner@db/app',
        DATABASE_DIRECT_URL: 'postgres://app@db:5433/app',
        WILLCALL_DATABASE_POOLER: 'transaction',
        WILLCALL_DATABASE_CONNECTIONS: '4',
        WILLCALL_DATA_DIR: '/var/lib/willcall',
        WILLCALL_HOST: '::',
        WILLCALL_PORT: '0',
        WILLCALL_ADMIN_KEY: adminKey,
        WILLCALL_SECRET_KEY: '01'.repeat(32),
        WILLCALL_SECRET_KEY_PREVIOUS: Buffer.alloc(32, 2).toString('base64'),
        WILLCALL_KEY_REQUESTS_PER_SECOND: '50',
        WILLCALL_KEY_PARKED_RECEIVES: '7',
        WILLCALL_PARKED_RECEIVES: '70',
        WILLCALL_TRAFFIC_MIB: '64',
        WILLCALL_SCHEMA: 'notices',
        WILLCALL_LOG_LEVEL: 'debug',
      }),
    ).toEqual({
      databaseUrl: 'postgres://app@db/app',
      databaseOwnerUrl: 'postgresql://owner@db/app',
      databaseDirectUrl: 'postgres://app@db:5433/app',
      databasePooler: 'transaction',
      databaseConnectionsMax: 4,
      dataDir: '/var/lib/willcall',
      adminKey,
      secretKeys: { current: Buffer.alloc(32, 1), previous: Buffer.alloc(32, 2) },
      schema: 'notices',
      runtimeRole: 'notices_runtime',
      logLevel: 'debug',
      fairUse: { keyRequestsPerSecond: 50, keyParkedReceives: 7, parkedReceives: 70, trafficBytes: 67_108_864 },
      transports: { http: { host: '::', port: 0 } },
    });
  });

  it('counts an empty value as absent', () => {
    expect(parseConfig({ DATABASE_URL: '', WILLCALL_PORT: '' })).toMatchObject({
      databaseUrl: null,
      transports: { http: { port: 8080 } },
    });
  });

  it('leaves variables of others alone', () => {
    expect(() => parseConfig({ PATH: '/bin', PGHOST: 'elsewhere', willcall_port: '1' })).not.toThrow();
  });

  it('refuses a misspelt setting and suggests the right one', () => {
    expect(sentence({ WILLCALL_PROT: '80' })).toBe(
      'WILLCALL_PROT is not a setting of Willcall: did you mean WILLCALL_PORT?',
    );
    expect(sentence({ WILLCALL_ADMIN_KEYS: 'x' })).toContain('did you mean WILLCALL_ADMIN_KEY?');
  });

  it('refuses an unknown setting that resembles none', () => {
    expect(sentence({ WILLCALL_TELEPORTATION_DEVICE: 'on' })).toBe(
      'WILLCALL_TELEPORTATION_DEVICE is not a setting of Willcall: unset it.',
    );
  });

  it.each([
    ['DATABASE_URL', 'mysql://root@db/app', 'PostgreSQL connection URL'],
    ['DATABASE_URL', 'db.example', 'PostgreSQL connection URL'],
    ['WILLCALL_PORT', '65536', 'a whole number from 0 to 65535'],
    ['WILLCALL_PORT', '80.5', 'a whole number from 0 to 65535'],
    ['WILLCALL_PORT', '-1', 'a whole number from 0 to 65535'],
    ['WILLCALL_HOST', 'http://here', 'a host name or an IP address'],
    ['WILLCALL_ADMIN_KEY', 'short', '32 to 512 printable ASCII characters'],
    ['WILLCALL_ADMIN_KEY', `${'k'.repeat(31)} k`, '32 to 512 printable ASCII characters'],
    ['WILLCALL_SECRET_KEY', 'short', '32 random bytes in base64 or hexadecimal digits'],
    ['WILLCALL_SECRET_KEY', 'ab'.repeat(31), '32 random bytes'],
    ['WILLCALL_SECRET_KEY', Buffer.alloc(31, 1).toString('base64'), '32 random bytes'],
    ['WILLCALL_SCHEMA', 'Willcall', 'a PostgreSQL name of at most 55 characters'],
    ['WILLCALL_SCHEMA', 's'.repeat(56), 'a PostgreSQL name of at most 55 characters'],
    ['WILLCALL_SCHEMA', 'pg_mine', 'a PostgreSQL name of at most 55 characters'],
    ['WILLCALL_RUNTIME_ROLE', 'a-b', 'a PostgreSQL name of at most 63 characters'],
    ['WILLCALL_LOG_LEVEL', 'loud', 'one of debug, info, warn, error, silent'],
    ['WILLCALL_DATABASE_POOLER', 'session', 'must be none or transaction'],
    ['WILLCALL_DATABASE_CONNECTIONS', '1', 'a whole number from 2 to 100'],
    ['WILLCALL_DATABASE_CONNECTIONS', '101', 'a whole number from 2 to 100'],
  ])('answers a wrong %s (%s) with one sentence that names it, without the value', (name, value, rule) => {
    const text = sentence({ [name]: value });
    expect(text.startsWith(`${name} must be `)).toBe(true);
    expect(text).toContain(rule);
    expect(text.endsWith('.')).toBe(true);
    if (name.endsWith('KEY') || name.endsWith('URL')) expect(text).not.toContain(value);
  });

  it('refuses a transaction pooler without a way past it', () => {
    expect(sentence({ DATABASE_URL: 'postgres://x@y/z', WILLCALL_DATABASE_POOLER: 'transaction' })).toContain(
      'set DATABASE_DIRECT_URL',
    );
  });

  it.each([
    { WILLCALL_SECRET_KEY_PREVIOUS: 'ab'.repeat(32) },
    { WILLCALL_SECRET_KEY: 'ab'.repeat(32), WILLCALL_SECRET_KEY_PREVIOUS: 'AB'.repeat(32) },
  ])('refuses a previous secret key without another, newer one: %j', (env) => {
    expect(sentence(env)).toContain('WILLCALL_SECRET_KEY_PREVIOUS is of use beside another, newer WILLCALL_SECRET_KEY');
  });

  it('takes a secret key in hexadecimal digits, base64 and base64url', () => {
    const bytes = Buffer.alloc(32, 0xfb);
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      const env = { WILLCALL_SECRET_KEY: bytes.toString(encoding) };
      expect(parseConfig(env).secretKeys.current).toEqual(bytes);
    }
  });

  it.each(['DATABASE_OWNER_URL', 'DATABASE_DIRECT_URL'])('refuses %s without DATABASE_URL', (name) => {
    expect(sentence({ [name]: 'postgres://x@y/z' })).toContain(`${name} is of use only together with DATABASE_URL`);
  });

  it('names every variable it knows', () => {
    expect(configVariables).toContain('WILLCALL_RUNTIME_ROLE');
    expect(configVariables).toHaveLength(18);
  });
});
