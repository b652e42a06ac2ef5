// The service as a process: reads the environment, says where it is and how to try it, and stops on SIGTERM or SIGINT
// in good order, within a bound. A second signal ends it at once. Faults that an operator can mend are one sentence.

import { AdminKeyError } from './admin-key.ts';
import { ConfigError, parseConfig } from './config.ts';
import { EmbeddedPostgresError } from './embedded/index.ts';
import { MigrationError } from './store/schema/migrate.ts';
import { createLogger } from './telemetry/logger.ts';
import { startWillcall, type Willcall } from './willcall.ts';

const STOP_MS_MAX = 15_000;

try {
  const config = parseConfig(process.env);
  const starting = startWillcall(config, createLogger(config.logLevel));
  stopOnSignals(starting);
  introduce(await starting);
} catch (error) {
  process.stderr.write(`willcall could not start: ${explain(error)}\n`);
  process.exit(1);
}

/** A signal during the start waits for its end, so that nothing is left behind half started. */
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
      process.stderr.write(`willcall could not stop in order: ${explain(error)}\n`);
      process.exit(1);
    }
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
}

/** The last line is read by programs: it says that requests are taken, and where. */
function introduce({ url, adminKey, database }: Willcall): void {
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

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function explain(error: unknown): string {
  if (isForOperators(error)) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'The port is taken: set WILLCALL_PORT to a free one, or to 0 to have one picked.';
  if (code === 'EADDRNOTAVAIL') return 'WILLCALL_HOST is not an address of this machine.';
  if (code === 'EACCES') return 'This user may not listen on that port: set WILLCALL_PORT to one above 1023.';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function isForOperators(error: unknown): error is Error {
  return [ConfigError, AdminKeyError, EmbeddedPostgresError, MigrationError].some((kind) => error instanceof kind);
}
