// The threat model held to the code: the table of calls and roles is that of the routes and rules,
// each file and test that the page names exists, and each threat has a test or says that there can
// be none.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { accessRules, type Role, roles } from '../../src/domain/access.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';
import type { Route } from '../../src/transports/rest/routes/route.ts';

const root = join(import.meta.dirname, '../..');
const page = await readFile(join(root, 'docs/security.md'), 'utf8');

/** What a role may do with a call; a dash is nothing. */
const cellOf = (route: Route, role: Role | null): string => {
  if (route.open) return 'yes';
  const { on, roles: allowed } = accessRules[route.operation];
  if (role === null || !(allowed as readonly Role[]).includes(role)) return '–';
  return on === 'keys' ? 'of everything' : 'own';
};
const writeTable = (): string => {
  const columns = [null, ...roles];
  const rows = routes
    .toSorted((a, b) => Number(b.open ?? false) - Number(a.open ?? false) || a.url.localeCompare(b.url, 'en'))
    .map((route) => {
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      return `| \`${route.method} ${path}\` | ${columns.map((role) => cellOf(route, role)).join(' | ')} |`;
    });
  const head = `| call | no key | ${roles.map((role) => `\`${role}\``).join(' | ')} |`;
  return [head, `|${' --- |'.repeat(columns.length + 1)}`, ...rows].join('\n');
};

interface Threat {
  readonly what: string;
  readonly shownBy: string;
}

/** The rows of every table whose last column says by which test a threat is shown. */
const threats: readonly Threat[] = page
  .split('\n\n')
  .filter((block) => /^\| [^\n]* \| proved by \|\n/.test(block))
  .flatMap((table) => table.split('\n').slice(2))
  .filter((row) => row.startsWith('| '))
  .map((row) => {
    const cells = row.slice(2, -2).split(' | ');
    return { what: cells[0] ?? '', shownBy: cells.at(-1) ?? '' };
  });

/** Files with the tests that are named behind each. */
const readProofs = (text: string) =>
  [...text.matchAll(/`(test\/[^`]+)`((?:,? "(?:[^"\\]|\\.)*")*)/g)].map(([, file = '', names = '']) => ({
    file,
    names: [...names.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, name = '']) => name.replaceAll('\\"', '"')),
  }));
/** Titles as they stand in a test file. */
const readTitles = (source: string): Set<string> => {
  const titles = source.matchAll(
    /(?:^\s*(?:it|describe)\b[^'"`\n]*\(|\)\(|^)\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/gm,
  );
  return new Set([...titles].map(([, single, double]) => (single ?? double ?? '').replace(/\\(.)/g, '$1')));
};

describe('the threat model', () => {
  it('has the table of calls and roles that the service goes by', () => {
    const [, table = ''] = /<!-- access:start -->\n([\s\S]*?)<!-- access:end -->/.exec(page) ?? [];
    expect(table.trim()).toBe(writeTable());
  });

  it('has threats in number, each with what shows it, or with the reason why nothing can', () => {
    expect(threats.length).toBeGreaterThan(35);
    const unshown = threats.filter(({ shownBy }) => readProofs(shownBy).length === 0);
    expect(unshown.map(({ what }) => what)).toEqual([
      'A secret is measured by the time its comparison takes',
      'messages',
    ]);
  });

  it('names only tests that exist', async () => {
    const proofs = readProofs(page);
    expect(proofs.length).toBeGreaterThan(50);
    for (const { file, names } of proofs) {
      const titles = readTitles(await readFile(join(root, file), 'utf8'));
      expect([file, names.filter((name) => !titles.has(name))]).toEqual([file, []]);
    }
  });

  it('notices a test that does not exist, or is only mentioned', async () => {
    const titles = readTitles(await readFile(import.meta.filename, 'utf8'));
    expect(titles).toContain('names only tests that exist');
    expect(titles).not.toContain('names only tests that exist ');
    expect(titles).not.toContain('names only');
  });

  it('names only files and places that exist', async () => {
    const files = [...page.matchAll(/`((?:src|migrations|test)\/[\w./-]+)`/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(60);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    for (const [, target = ''] of page.matchAll(/\]\(([^)]+)\)/g)) {
      const [file = '', anchor] = target.split('#');
      const text = file === '' ? page : await readFile(join(root, 'docs', file), 'utf8');
      if (anchor === undefined) continue;
      const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      expect([target, anchors.includes(anchor)]).toEqual([target, true]);
    }
  });
});
