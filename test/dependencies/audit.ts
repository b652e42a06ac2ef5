// npm run audit: asks the registry for advisories about the packages of production, moderate ones
// and worse. Ends with 0 when there is none, 1 when there is one, and 3 when the registry gave no
// advisories at all. Needs a network; what can be checked without one is in dependencies.test.ts,
// which is part of the gate.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exitCodes, judgeReport } from './advisories.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ASK = ['audit', '--omit=dev', '--json', '--fetch-retries=1', '--fetch-timeout=30000'];

const npm = process.env.npm_execpath;
const { stdout, error } =
  npm === undefined
    ? spawnSync('npm', ASK, { cwd: ROOT, encoding: 'utf8' })
    : spawnSync(process.execPath, [npm, ...ASK], { cwd: ROOT, encoding: 'utf8' });
const { verdict, sentences } = judgeReport(error === undefined ? stdout : JSON.stringify({ message: error.message }));
process.stdout.write(`${sentences.join('\n')}\n`);
process.exitCode = exitCodes[verdict];
