// A service in a process of its own, to be killed: starts the embedded PostgreSQL of a data
// directory, says so in one line of JSON on standard output, and then lives until it is killed.

import { startEmbeddedPostgres } from '../../src/embedded/index.ts';

const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '', settings: { fsync: 'off' } });
process.stdout.write(`${JSON.stringify({ url: postgres.url, adopted: postgres.adopted })}\n`);
