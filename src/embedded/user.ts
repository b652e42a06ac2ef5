// Account that PostgreSQL runs as: it refuses to run as root, so root starts it as an ordinary
// account. That account may be unable to enter root's directories; this file finds out and changes
// no mode.

import { EmbeddedPostgresError, type ProcessUser, runCommand } from './command.ts';

const ROOT_UID = 0;
/** The usual names of the account that database packages make, on Linux and on macOS. */
const POSTGRES_ACCOUNTS = ['postgres', '_postgres'];

/**
 * The account to run PostgreSQL as; undefined means as ourselves, which serves everyone but root.
 */
export async function chooseProcessUser(): Promise<ProcessUser | undefined> {
  if (process.getuid?.() !== ROOT_UID) return undefined;
  for (const name of POSTGRES_ACCOUNTS) {
    const user = await lookUpUser(name);
    if (user) return user;
  }
  await createPostgresAccount();
  const user = (await lookUpUser('postgres')) ?? (await lookUpUser('nobody'));
  if (user) return user;
  throw new EmbeddedPostgresError(
    'PostgreSQL does not run as root, and there is no account to run it as: create a user named postgres, ' +
      'start Willcall as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own.',
  );
}

/** Whether the account can enter the directory, really tried as that account. */
export async function canEnter(user: ProcessUser | undefined, directory: string): Promise<boolean> {
  if (user === undefined) return true;
  return (await runCommand('/bin/sh', ['-c', 'cd -- "$0"', directory], user)).code === 0;
}

async function lookUpUser(name: string): Promise<ProcessUser | undefined> {
  const uid = await runCommand('id', ['-u', name]);
  const gid = await runCommand('id', ['-g', name]);
  if (uid.code !== 0 || gid.code !== 0) return undefined;
  const user = { uid: Number(uid.output), gid: Number(gid.output) };
  return Number.isInteger(user.uid) && Number.isInteger(user.gid) && user.uid > ROOT_UID ? user : undefined;
}

/**
 * Makes the account that a database package would have made; where those commands are missing
 * nothing happens.
 */
async function createPostgresAccount(): Promise<void> {
  await runCommand('groupadd', ['--system', 'postgres']);
  await runCommand('useradd', [
    '--system',
    '--gid=postgres',
    '--no-create-home',
    '--home-dir=/nonexistent',
    '--shell=/usr/sbin/nologin',
    'postgres',
  ]);
}
