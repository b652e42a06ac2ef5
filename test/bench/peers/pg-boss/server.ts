// What runs beside the callers of pg-boss: makes its schema, and supervises.

import { makeBoss } from './library.ts';

const boss = await makeBoss(process.env.DATABASE_URL ?? '', true);
boss.on('error', (error) => process.stderr.write(`${error.stack ?? error.message}\n`));
await boss.start();
process.once('SIGTERM', () => {
  void boss.stop({ graceful: false }).then(() => process.exit(0));
});
process.stdout.write('ready\n');
