// The secret key: where it comes from, and what is kept of it.

import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyFileError } from '../../src/secrets/key-file.ts';
import { openSecretKeys } from '../../src/secrets/secret-key.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-secret-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const nothingGiven = { current: null, previous: null };
const open = () => openSecretKeys({ ...nothingGiven, dataDir });
const file = () => join(dataDir, 'secret-key');

describe('the secret key', () => {
  it('is made once, of 32 random bytes, for the eyes of its owner alone', async () => {
    const { keys, exposed } = await open();
    expect([keys?.current.length, keys?.previous, exposed]).toEqual([32, null, []]);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await readFile(file(), 'utf8')).toBe(`${keys?.current.toString('base64url')}\n`);
    expect(await open()).toEqual({ keys, exposed: [] });
    expect(await readdir(dataDir)).toEqual(['secret-key']);
  });

  it('given by the environment is taken as it is, and kept nowhere', async () => {
    const given = { current: Buffer.alloc(32, 1), previous: Buffer.alloc(32, 2) };
    expect(await openSecretKeys({ ...given, dataDir })).toEqual({ keys: given, exposed: [] });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('is none where several instances may share a database, and none is given', async () => {
    expect(await openSecretKeys({ ...nothingGiven, dataDir: null })).toEqual({ keys: null, exposed: [] });
  });

  it('is made anew when the kept one is renamed, which then is the previous one', async () => {
    const { keys: old } = await open();
    await rename(file(), `${file()}-previous`);
    const { keys } = await open();
    expect(keys?.previous).toEqual(old?.current);
    expect(keys?.current).not.toEqual(old?.current);
  });

  it('that others may read is named', async () => {
    await open();
    await chmod(file(), 0o640);
    expect((await open()).exposed).toEqual([file()]);
  });

  it.each(['', 'short', 'x'.repeat(44)])('that is %j is refused in a sentence', async (text) => {
    await writeFile(file(), text);
    await expect(open()).rejects.toThrow(KeyFileError);
    await expect(open()).rejects.toThrow(`${file()} does not hold 32 bytes in base64url`);
  });
});
