// The comment lint as a command: `npm run lint` runs it over every TypeScript and SQL file of git.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findBreaches } from './width.ts';

// Numbered migrations are never edited once landed: databases keep a digest of their text.
const LANDED = /^migrations\/\d{4}-/;

const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.sql'], {
  encoding: 'utf8',
});
if (listed.status !== 0) throw new Error(`git cannot list the files: ${listed.stderr}`);

let count = 0;
for (const path of listed.stdout.split('\n')) {
  if (path === '' || LANDED.test(path) || !existsSync(path)) continue;
  for (const { line, rule } of findBreaches(path, readFileSync(path, 'utf8'))) {
    process.stderr.write(`${path}:${line}: ${rule}\n`);
    count++;
  }
}
if (count > 0) {
  process.stderr.write(`${count} comment lines to mend\n`);
  process.exitCode = 1;
}
