// Process entry: reads the environment, prints where the service listens, and stops on signals.
// SIGTERM and SIGINT stop it in order, within a bound; a second signal ends it at once. A start
// error that an operator can repair is one sentence without a stack.

import { ConfigError, parseConfig } from './config.ts';
import { EmbeddedPostgresError } from './embedded/index.ts';
import { SecretKeyError } from './engine/secrets.ts';
import { KeyFileError } from './secrets/key-file.ts';
import { DatabaseSetupError } from './store/postgres/session.ts';
import { MigrationError } from './store/schema/migrate.ts';
import { createLogger } from './telemetry/logger.ts';
import { startWillcall, type Willcall } from './willcall.ts';

const STOP_MS_MAX = 15_000;

try {
  const config = parseConfig(process.env);
  const starting = startWillcall(config, createLogger(config.logLevel));
  stopOnSignals(starting);
  const willcall = await starting;
  printBanner(willcall);
  void willcall.failed.then((error) => endAfterFailure(willcall, error));
} catch (error) {
  process.stderr.write(`willcall could not start: ${describeError(error)}\n`);
  process.exit(1);
}

/** A signal during the start waits for the end of the start, so that nothing stays half started. */
function stopOnSignals(starting: Promise<Willcall>): void {
  let signalled = false;
  const stop = async () => {
    if (signalled) process.exit(1);
    signalled = true;
    setTimeout(() => {
      process.stderr.write(`willcall did not stop within ${STOP_MS_MAX / 1000} seconds: ended at once\n`);
      process.exit(1);
    }, STOP_MS_MAX).unref();
    try {
      await (await starting).stop();
      process.exit(0);
    } catch (error) {
      process.stderr.write(`willcall could not stop in order: ${describeError(error)}\n`);
      process.exit(1);
    }
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
}

/** Ends with 1, on which a supervisor starts the service again. */
async function endAfterFailure(willcall: Willcall, error: Error): Promise<void> {
  process.stderr.write(`willcall ended: ${describeError(error)}\n`);
  setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
  await willcall.stop().catch(() => {});
  process.exit(1);
}

/** Programs read the last line: it says that requests are taken, and at which address. */
function printBanner({ url, adminKey, database }: Willcall): void {
  const key = adminKey.path === null ? '$WILLCALL_ADMIN_KEY' : `$(cat ${quote(adminKey.path)})`;
  const lines = [
    `data       ${database}`,
    `admin key  ${adminKey.path ?? 'as given in WILLCALL_ADMIN_KEY'}`,
    ...(adminKey.isNew ? [`           ${adminKey.key} (made now, shown this once)`] : []),
    `try        curl -X PUT -H "Authorization: Bearer ${key}" ${url}/v1/subscriptions/hello`,
    `willcall listening on ${url}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** A path as one word of a shell. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** A sentence where an operator can repair it, else the stack. */
function describeError(error: unknown): string {
  if (isForOperators(error)) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'The port is taken: set WILLCALL_PORT to a free one, or to 0 to have one picked.';
  if (code === 'EADDRNOTAVAIL') return 'WILLCALL_HOST is not an address of this machine.';
  if (code === 'EACCES') return 'This user may not listen on that port: set WILLCALL_PORT to one above 1023.';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function isForOperators(error: unknown): error is Error {
  const kinds = [ConfigError, KeyFileError, SecretKeyError, EmbeddedPostgresError, DatabaseSetupError, MigrationError];
  return kinds.some((kind) => error instanceof kind);
}
