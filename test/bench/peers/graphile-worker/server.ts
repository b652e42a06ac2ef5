// Makes graphile-worker's schema and stays, so that it is a system with a process like the others.

import { openLibrary } from './library.ts';

const library = await openLibrary(process.env.DATABASE_URL ?? '');
await library.utils.migrate();
process.once('SIGTERM', () => {
  void library.close().then(() => process.exit(0));
});
// The pool alone would let the process end once its connections are idle.
setInterval(() => {}, 60_000);
process.stdout.write('ready\n');
