// PostgreSQL of an older major from the npm packages of test/matrix, in a directory of its own, for
// one run of the tests. Unlike the embedded one of the service it is thrown away at the end, so
// nothing of it is flushed to disk.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, findBinaries } from '../../src/embedded/binaries.ts';
import { type ProcessUser, runCommand } from '../../src/embedded/command.ts';
import { chooseProcessUser } from '../../src/embedded/user.ts';
import type { Server } from './server.ts';

/** Where root keeps programs that the account of PostgreSQL could not reach otherwise. */
const SHARED_DIR = '/var/lib/willcall';
const START_SECONDS_MAX = 120;

/** Installs the packages as their lock file says. Throws a sentence when npm cannot. */
export async function installPackages(): Promise<void> {
  const npm = spawn('npm', ['ci', '--no-audit', '--no-fund'], { cwd: import.meta.dirname, stdio: 'inherit' });
  const [code] = (await once(npm, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`npm ci in test/matrix ended with ${code}`);
}

/** A new server of the major; `settings` are given to it on its command line. */
export async function startPackaged(major: string, settings: readonly string[]): Promise<Server> {
  const user = await chooseProcessUser();
  const binaries = await findBinaries(user, SHARED_DIR, findPackage(major));
  const home = await mkdtemp(join(tmpdir(), `willcall-matrix-${major}-`));
  const cluster = join(home, 'cluster');
  const password = randomBytes(16).toString('hex');
  try {
    await initialize({ binaries, user, home, cluster, password });
    const port = await findFreePort();
    const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', ...settings];
    await control(binaries, user, [
      ...['start', '--wait', `--timeout=${START_SECONDS_MAX}`, `--pgdata=${cluster}`],
      ...[`--log=${join(home, 'log')}`, `--options=${options.map((option) => `-c ${option}`).join(' ')}`],
    ]);
    return {
      version: binaries.version,
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      stop: async () => {
        await control(binaries, user, ['stop', '--wait', '--mode=immediate', `--pgdata=${cluster}`]);
        await rm(home, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

function findPackage(major: string): string {
  const name = `postgres-${major}-${process.platform}-${process.arch}`;
  const directory = join(import.meta.dirname, 'node_modules', name);
  if (existsSync(directory)) return directory;
  throw new Error(`there is no package of it for ${process.platform} on ${process.arch}`);
}

interface Plan {
  binaries: Binaries;
  user: ProcessUser | undefined;
  home: string;
  cluster: string;
  password: string;
}

async function initialize({ binaries, user, home, cluster, password }: Plan): Promise<void> {
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  await chmod(home, 0o700);
  if (user) {
    await chown(passwordFile, user.uid, user.gid);
    await chown(home, user.uid, user.gid);
  }
  const { code, output } = await runCommand(
    binaries.initdb,
    [
      ...[`--pgdata=${cluster}`, '--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      ...['--encoding=UTF8', '--locale=C', '--no-instructions', '--no-sync'],
    ],
    user,
  );
  if (code !== 0) throw new Error(`initdb failed: ${output.trim()}`);
}

async function control({ pgCtl }: Binaries, user: ProcessUser | undefined, command: string[]): Promise<void> {
  const { code, output } = await runCommand(pgCtl, command, user);
  if (code !== 0) throw new Error(`pg_ctl ${command[0]} failed: ${output.trim()}`);
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
