// What can be said of the packages without asking anybody: out of package.json, package-lock.json
// and the list in docs/development.md. Each rule returns what breaks it, in sentences.

export interface Package {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

export interface LockFile {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, Package>>;
}

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

/** A row of the list: a package that is asked for, why, and what it brings along. */
export interface Listed {
  readonly names: readonly string[];
  readonly why: string;
  readonly brings: readonly string[];
}

/**
 * Ask for nothing but that they are named; PSF-2.0 and MPL-2.0 are of tools that are not handed on.
 */
const LICENSES = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD', 'BlueOak-1.0.0'];
const TOOL_LICENSES = [...LICENSES, 'MIT OR Apache-2.0', 'Unlicense', 'PSF-2.0', 'MPL-2.0'];
/** These say it in a way of long ago (`licenses`), which npm does not copy. */
const SAID_OTHERWISE: Readonly<Record<string, string>> = { ssh2: 'MIT', buildcheck: 'MIT', 'cpu-features': 'MIT' };
/** From npm, at a version or what is compatible with it. */
const RANGE = /^[\^~]?\d+\.\d+\.\d+(-[\w.]+)?$/;
const SHA_512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** The rows between the markers of the page; packages stand between backquotes. */
export function readList(page: string): Listed[] {
  const [, table = ''] = /<!-- dependencies:start -->\n([\s\S]*?)<!-- dependencies:end -->/.exec(page) ?? [];
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) => {
    const [, names = '', why = '', brings = ''] = line.split('|').map((cell) => cell.trim());
    const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    return { names: named(names), why, brings: named(brings) };
  });
}

/**
 * What is in production and on no list, on the list and not in production, or there without a
 * reason.
 */
export function findUnlisted(manifest: Manifest, lock: LockFile, list: readonly Listed[]): string[] {
  const asked = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)];
  const listedAsked = list.flatMap(({ names }) => names);
  const brought = production(lock).filter((name) => !asked.includes(name));
  const listedBrought = list.flatMap(({ brings }) => brings);
  return [
    ...missing(asked, listedAsked).map((name) => `${name} is asked for and not listed with its reason`),
    ...missing(listedAsked, asked).map((name) => `${name} is listed and not asked for`),
    ...missing(brought, listedBrought).map((name) => `${name} is brought along and not listed`),
    ...missing(listedBrought, brought).map((name) => `${name} is listed as brought along and is not`),
    ...list.filter(({ why }) => why === '').map(({ names }) => `${names.join(', ')} has no reason`),
  ];
}

/** Packages whose bytes the lock file does not pin, or that come from elsewhere than a registry. */
export function findUnpinned(manifest: Manifest, lock: LockFile): string[] {
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  const ranges = Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies });
  return [
    ...(lock.lockfileVersion === 3 ? [] : ['the lock file is of another version']),
    ...ranges.filter(([, range]) => !RANGE.test(range)).map(([name, range]) => `${name} is asked for as ${range}`),
    ...installed(lock)
      .filter(([, { integrity, resolved, link }]) => !SHA_512.test(integrity ?? '') || resolved !== undefined || link)
      .map(([path]) => `${path} has no SHA-512, or an address of its own`),
  ];
}

/**
 * Packages that run a program when they are installed, and that nobody has decided about; and
 * decisions about none.
 */
export function findUndecidedScripts({ allowScripts }: Manifest, lock: LockFile): string[] {
  const withScript = installed(lock).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const names = withScript.map(([path]) => nameOf(path));
  return [
    ...missing(names, Object.keys(allowScripts)).map(
      (name) => `${name} has an install script that nobody decided about`,
    ),
    ...missing(Object.keys(allowScripts), names).map((name) => `${name} has no install script to decide about`),
  ];
}

/** Packages under a licence that is not on the list, or under none. */
export function findForeignLicenses(lock: LockFile): string[] {
  return installed(lock)
    .map(([path, each]) => [path, { ...each, license: each.license ?? SAID_OTHERWISE[nameOf(path)] }] as const)
    .filter(([, { license, dev }]) => !(dev ? TOOL_LICENSES : LICENSES).includes(license ?? ''))
    .map(([path, { license }]) => `${path} is under ${license ?? 'no licence that it names'}`);
}

function installed({ packages }: LockFile): [path: string, Package][] {
  return Object.entries(packages).filter(([path]) => path !== '');
}

function production(lock: LockFile): string[] {
  return [
    ...new Set(
      installed(lock)
        .filter(([, { dev }]) => dev !== true)
        .map(([path]) => nameOf(path)),
    ),
  ];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function missing(names: readonly string[], from: readonly string[]): string[] {
  return names.filter((name) => !from.includes(name));
}
