import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAdminKey } from '../../src/secrets/admin-key.ts';
import { KeyFileError } from '../../src/secrets/key-file.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-key-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('the admin key', () => {
  it('is made once, of 32 random bytes, for the eyes of its owner alone', async () => {
    const nested = join(dataDir, 'not', 'there', 'yet');
    const made = await openAdminKey(null, nested);
    expect(made).toEqual({
      key: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      path: join(nested, 'admin-key'),
      isNew: true,
      isExposed: false,
    });
    expect((await stat(made.path ?? '')).mode & 0o777).toBe(0o600);
    expect(await readFile(made.path ?? '', 'utf8')).toBe(`${made.key}\n`);
    expect(await openAdminKey(null, nested)).toEqual({ ...made, isNew: false });
  });

  it('is one and the same for all who start at once, and leaves no drafts behind', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => openAdminKey(null, dataDir)));
    expect(new Set(keys.map(({ key }) => key)).size).toBe(1);
    expect(keys.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(await readdir(dataDir)).toEqual(['admin-key']);
  });

  it('given by the environment is taken as it is, and kept nowhere', async () => {
    const given = 'g'.repeat(32);
    expect(await openAdminKey(given, dataDir)).toEqual({ key: given, path: null, isNew: false, isExposed: false });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it.runIf(process.platform !== 'win32').each([0o640, 0o604, 0o666, 0o620])(
    'kept in a file that others may read or write, %o, is told apart',
    async (mode) => {
      const { key, path } = await openAdminKey(null, dataDir);
      await chmod(path ?? '', mode);
      expect(await openAdminKey(null, dataDir)).toEqual({ key, path, isNew: false, isExposed: true });
    },
  );

  it('kept in a file that holds none is refused with a sentence', async () => {
    await writeFile(join(dataDir, 'admin-key'), 'too short\n');
    const refused = openAdminKey(null, dataDir);
    await expect(refused).rejects.toThrow(KeyFileError);
    await expect(refused).rejects.toThrow(/admin-key does not hold a key of at least 32 characters: restore it/);
  });

  it('that cannot be kept is refused with a sentence', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    await chmod(file, 0o600);
    await expect(openAdminKey(null, join(file, 'below'))).rejects.toThrow(
      /cannot be read or made .* set WILLCALL_ADMIN_KEY/,
    );
  });
});
