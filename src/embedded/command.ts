// Child processes: runs PostgreSQL's programs (initdb, pg_ctl, postgres) as the right user.
// Children get a session of their own, so that a terminal's Ctrl-C reaches the service alone, and
// an environment of their own, so that a stray PGPORT or PGDATA changes nothing.

import { spawn } from 'node:child_process';

/** The account that owns a cluster and runs its server. */
export interface ProcessUser {
  uid: number;
  gid: number;
}

/**
 * How a command ended. `code` is null when it could not be started or died of a signal; `output`
 * then says why.
 */
export interface CommandResult {
  code: number | null;
  output: string;
}

/**
 * A start, a stop or a cluster that PostgreSQL refused; the message says what the operator can do.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** On Windows a server inherits our pipes and holds them open; so the exit of pg_ctl counts. */
const PIPES_LINGER_MS = 500;

/** Runs a command to its end; never rejects. `user` undefined runs it as ourselves. */
export function runCommand(file: string, args: string[], user?: ProcessUser): Promise<CommandResult> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(file, args, {
      // Our own working directory may be closed to the other user.
      ...(process.platform === 'win32' ? {} : { cwd: '/' }),
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
      env: { PATH, LC_ALL: 'C', TZ: 'UTC' },
      detached: true,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', (error) => resolve({ code: null, output: error.message }));
    child.on('exit', (code, signal) => {
      const end = () => resolve({ code, output: signal ? `${output}ended by ${signal}` : output });
      const timer = setTimeout(end, PIPES_LINGER_MS);
      child.on('close', () => {
        clearTimeout(timer);
        end();
      });
    });
  });
}
