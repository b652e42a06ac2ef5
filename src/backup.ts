// Backup command: `npm run backup -- <folder>` copies the embedded database and the keys.
// The service may be running; the copy is a data directory (docs/operations.md).

import { parseConfig } from './config.ts';
import { backUpEmbeddedPostgres, EmbeddedPostgresError } from './embedded/index.ts';

const MIB = 1024 * 1024;
const USAGE = 'name one folder that does not exist yet: npm run backup -- <folder>';

try {
  const { dataDir, databaseUrl } = parseConfig(process.env);
  const [folder, ...others] = process.argv.slice(2);
  if (folder === undefined || others.length > 0) throw new EmbeddedPostgresError(USAGE);
  if (databaseUrl !== null) {
    throw new EmbeddedPostgresError(
      'DATABASE_URL names a PostgreSQL of your own: back it up with its tools (pg_dump, pg_basebackup).',
    );
  }
  const { folder: path, files, bytes } = await backUpEmbeddedPostgres({ dataDir, folder });
  process.stdout.write(`willcall backed up to ${path}: ${files} files, ${Math.ceil(bytes / MIB)} MiB\n`);
} catch (error) {
  process.stderr.write(`willcall could not back up: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
