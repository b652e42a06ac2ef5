// Settings of the service, read once from the environment and nowhere else; each transport brings
// its slice. A wrong value stops the start with one sentence that names the variable and says what
// would be right. No sentence repeats a value, because it may be a secret.

import { z } from 'zod';
import { type FairUse, fairUseDefaults } from './domain/fair-use.ts';
import { limits } from './domain/limits.ts';
import { SECRET_KEY_BYTES } from './domain/secrets.ts';
import { wholeNumber } from './settings.ts';
import { findNearest } from './spelling.ts';
import { readTransportSettings, type TransportSettings, transportVariables } from './transports/settings.ts';

/** All settings, with defaults filled in. */
export interface Config {
  /** Null: Willcall starts a PostgreSQL of its own. */
  readonly databaseUrl: string | null;
  /**
   * Migrates with this login when it is set; the service itself then uses `databaseUrl` as it is.
   */
  readonly databaseOwnerUrl: string | null;
  /** Bypasses a transaction pooler, for LISTEN and migrations. */
  readonly databaseDirectUrl: string | null;
  /** What `databaseUrl` leads through; a transaction pooler needs `databaseDirectUrl` too. */
  readonly databasePooler: 'none' | 'transaction';
  readonly databaseConnectionsMax: number;
  readonly dataDir: string;
  /** Null: the key kept in `dataDir`, made on the first start. */
  readonly adminKey: string | null;
  /** Null where the environment gives none. */
  readonly secretKeys: { readonly current: Buffer | null; readonly previous: Buffer | null };
  readonly schema: string;
  readonly runtimeRole: string;
  readonly logLevel: LogLevel;
  readonly fairUse: FairUse;
  readonly transports: TransportSettings;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A setting that is wrong; the message is the whole sentence for the operator. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const ADMIN_KEY_CHARACTERS_MIN = 32;
const ADMIN_KEY_CHARACTERS_MAX = 512;
const CONNECTIONS_DEFAULT = 10;
const CONNECTIONS_MIN = 2;
const CONNECTIONS_MAX = 100;
const MIB = 1024 * 1024;
// PostgreSQL cuts identifiers at 63 bytes; the runtime role's default appends a suffix to the
// schema's name.
const RUNTIME_ROLE_SUFFIX = '_runtime';
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;
const SCHEMA_CHARACTERS_MAX = 63 - RUNTIME_ROLE_SUFFIX.length;

const POSTGRES_URL = 'must be a PostgreSQL connection URL such as postgres://user:password@host:5432/database';
const IDENTIFIER_RULE = 'lower-case letters, digits and underscores, not beginning with a digit or with pg_';

const postgresUrl = z.string().refine(isPostgresUrl, { error: POSTGRES_URL }).optional();
const identifier = (charactersMax: number) =>
  z.string().refine((value) => IDENTIFIER.test(value) && value.length <= charactersMax && !value.startsWith('pg_'), {
    error: `must be a PostgreSQL name of at most ${charactersMax} characters: ${IDENTIFIER_RULE}`,
  });

const SECRET_KEY_RULE = `must be ${SECRET_KEY_BYTES} random bytes in base64 or hexadecimal digits, such as openssl rand -base64 32 makes`;
const secretKey = z
  .string()
  .transform((value, context) => {
    const bytes = readBytes(value);
    if (bytes.length === SECRET_KEY_BYTES) return bytes;
    context.addIssue({ code: 'custom', message: SECRET_KEY_RULE });
    return z.NEVER;
  })
  .optional();

const schema = z.object({
  DATABASE_URL: postgresUrl,
  DATABASE_OWNER_URL: postgresUrl,
  DATABASE_DIRECT_URL: postgresUrl,
  WILLCALL_DATABASE_POOLER: z.enum(['none', 'transaction'], { error: 'must be none or transaction' }).default('none'),
  WILLCALL_DATABASE_CONNECTIONS: wholeNumber(CONNECTIONS_MIN, CONNECTIONS_MAX).default(CONNECTIONS_DEFAULT),
  WILLCALL_DATA_DIR: z.string().default('.willcall'),
  ...transportVariables,
  WILLCALL_ADMIN_KEY: z
    .string()
    .regex(new RegExp(`^[\\x21-\\x7e]{${ADMIN_KEY_CHARACTERS_MIN},${ADMIN_KEY_CHARACTERS_MAX}}$`), {
      error: `must be ${ADMIN_KEY_CHARACTERS_MIN} to ${ADMIN_KEY_CHARACTERS_MAX} printable ASCII characters without spaces`,
    })
    .optional(),
  WILLCALL_SECRET_KEY: secretKey,
  WILLCALL_SECRET_KEY_PREVIOUS: secretKey,
  WILLCALL_KEY_REQUESTS_PER_SECOND: wholeNumber(0, limits.keyRequestsPerSecondMax).default(
    fairUseDefaults.keyRequestsPerSecond,
  ),
  WILLCALL_KEY_PARKED_RECEIVES: wholeNumber(1, limits.parkedReceivesMax).default(fairUseDefaults.keyParkedReceives),
  WILLCALL_PARKED_RECEIVES: wholeNumber(1, limits.parkedReceivesMax).default(fairUseDefaults.parkedReceives),
  WILLCALL_TRAFFIC_MIB: wholeNumber(limits.trafficBytesMin / MIB, limits.trafficBytesMax / MIB).default(
    fairUseDefaults.trafficBytes / MIB,
  ),
  WILLCALL_SCHEMA: identifier(SCHEMA_CHARACTERS_MAX).default('willcall'),
  WILLCALL_RUNTIME_ROLE: identifier(63).optional(),
  WILLCALL_LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
});

/** The variables that `parseConfig` knows, in the order of the documentation. */
export const configVariables: readonly string[] = Object.keys(schema.shape);

/**
 * Reads the settings out of an environment; an empty value counts as absent. Throws ConfigError.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  refuseUnknown(env);
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigError(`${String(issue?.path[0])} ${issue?.message}.`);
  }
  const values = parsed.data;
  for (const name of ['DATABASE_OWNER_URL', 'DATABASE_DIRECT_URL'] as const) {
    if (values[name] !== undefined && values.DATABASE_URL === undefined) {
      throw new ConfigError(`${name} is of use only together with DATABASE_URL: set that too, or unset ${name}.`);
    }
  }
  if (values.WILLCALL_DATABASE_POOLER === 'transaction' && values.DATABASE_DIRECT_URL === undefined) {
    throw new ConfigError(
      'WILLCALL_DATABASE_POOLER=transaction needs a way past the pooler, for LISTEN and migrations: set DATABASE_DIRECT_URL.',
    );
  }
  const secretKeys = {
    current: values.WILLCALL_SECRET_KEY ?? null,
    previous: values.WILLCALL_SECRET_KEY_PREVIOUS ?? null,
  };
  if (secretKeys.previous !== null && (secretKeys.current?.equals(secretKeys.previous) ?? true)) {
    throw new ConfigError(
      'WILLCALL_SECRET_KEY_PREVIOUS is of use beside another, newer WILLCALL_SECRET_KEY alone: see docs/operations.md.',
    );
  }
  return {
    databaseUrl: values.DATABASE_URL ?? null,
    databaseOwnerUrl: values.DATABASE_OWNER_URL ?? null,
    databaseDirectUrl: values.DATABASE_DIRECT_URL ?? null,
    databasePooler: values.WILLCALL_DATABASE_POOLER,
    databaseConnectionsMax: values.WILLCALL_DATABASE_CONNECTIONS,
    dataDir: values.WILLCALL_DATA_DIR,
    adminKey: values.WILLCALL_ADMIN_KEY ?? null,
    secretKeys,
    schema: values.WILLCALL_SCHEMA,
    runtimeRole: values.WILLCALL_RUNTIME_ROLE ?? values.WILLCALL_SCHEMA + RUNTIME_ROLE_SUFFIX,
    logLevel: values.WILLCALL_LOG_LEVEL,
    fairUse: {
      keyRequestsPerSecond: values.WILLCALL_KEY_REQUESTS_PER_SECOND,
      keyParkedReceives: values.WILLCALL_KEY_PARKED_RECEIVES,
      parkedReceives: values.WILLCALL_PARKED_RECEIVES,
      trafficBytes: values.WILLCALL_TRAFFIC_MIB * MIB,
    },
    transports: readTransportSettings(values),
  };
}

/** A misspelt setting would be ignored silently, and its default would surprise much later. */
function refuseUnknown(env: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith('WILLCALL_') || configVariables.includes(name)) continue;
    const nearest = findNearest(name, configVariables);
    const hint = nearest === null ? 'unset it.' : `did you mean ${nearest}?`;
    throw new ConfigError(`${name} is not a setting of Willcall: ${hint}`);
  }
}

/** Of base64, base64url or hexadecimal digits; empty for what is neither. */
function readBytes(value: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(value)) return Buffer.from(value, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(value) ? Buffer.from(value, 'base64') : Buffer.alloc(0);
}

function isPostgresUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'postgres:' || url.protocol === 'postgresql:');
}
