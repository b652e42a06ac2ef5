// The consumers of docs/clients, and how each is made ready and run.

import { execFile, execFileSync } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A program and its arguments. */
export type Command = readonly [string, ...string[]];

export interface Consumer {
  readonly language: string;
  /** In the repository. */
  readonly source: string;
  /** What has to be on the machine: each is run with these arguments and has to end well. */
  readonly needs: readonly Command[];
  /**
   * The packages of Debian that bring it; null where Debian has none, so that it is run by chance.
   */
  readonly debian: string | null;
  /** Makes it ready in a folder of its own. */
  prepare(source: string, folder: string): Promise<Command>;
}

const consumers: readonly Consumer[] = [
  {
    language: 'bash',
    source: 'docs/clients/bash/consumer.sh',
    debian: 'bash curl',
    needs: [
      ['bash', '--version'],
      ['curl', '--version'],
    ],
    prepare: async (source) => ['bash', source],
  },
  {
    language: 'C#',
    source: 'docs/clients/csharp/Consumer.cs',
    needs: [['dotnet', '--version']],
    debian: null,
    async prepare(source, folder) {
      const { stdout } = await run('dotnet', ['--version']);
      const target = `net${stdout.split('.')[0]}.0`;
      const settings = `<OutputType>Exe</OutputType><TargetFramework>${target}</TargetFramework>`;
      const project = `<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup>${settings}</PropertyGroup></Project>\n`;
      await cp(source, path.join(folder, 'Consumer.cs'));
      await writeFile(path.join(folder, 'Consumer.csproj'), project);
      await run('dotnet', ['build', '--output', 'out'], { cwd: folder });
      return ['dotnet', path.join(folder, 'out/Consumer.dll')];
    },
  },
  {
    language: 'Go',
    source: 'docs/clients/go/consumer.go',
    needs: [['go', 'version']],
    debian: 'golang-go',
    async prepare(source, folder) {
      const program = path.join(folder, 'consumer');
      await run('go', ['build', '-o', program, source], { cwd: folder });
      return [program];
    },
  },
  {
    language: 'Java',
    source: 'docs/clients/java/Consumer.java',
    debian: 'default-jdk-headless',
    needs: [
      ['java', '-version'],
      ['javac', '-version'],
    ],
    async prepare(source, folder) {
      await run('javac', ['-d', folder, source]);
      return ['java', '-cp', folder, 'Consumer'];
    },
  },
  {
    language: 'PHP',
    source: 'docs/clients/php/consumer.php',
    debian: 'php-cli',
    // Without pcntl it cannot hear a SIGTERM.
    needs: [['php', '-r', "exit(function_exists('pcntl_async_signals') ? 0 : 1);"]],
    prepare: async (source) => ['php', source],
  },
  {
    language: 'Python',
    source: 'docs/clients/python/consumer.py',
    debian: 'python3',
    needs: [['python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 9))']],
    prepare: async (source) => ['python3', source],
  },
  {
    language: 'TypeScript',
    source: 'docs/clients/typescript/consumer.ts',
    needs: [],
    debian: '',
    async prepare(source, folder) {
      await installClient(folder);
      await cp(source, path.join(folder, 'consumer.ts'));
      return [process.execPath, path.join(folder, 'consumer.ts')];
    },
  },
];

/** Every consumer of the documentation. */
export function listConsumers(): readonly Consumer[] {
  return consumers;
}

/** Throws a sentence where the machine lacks what the consumer needs. */
export function checkToolchain({ language, needs, debian }: Consumer): void {
  const missing = needs.filter((command) => !works(command)).map(([program]) => program);
  if (missing.length === 0) return;
  throw new Error(`The consumer in ${language} needs ${missing.join(', ')}; in Debian: apt-get install ${debian}`);
}

/** The package as npm would pack it, in the folder's `node_modules`. */
export async function installClient(folder: string): Promise<void> {
  const home = path.join(folder, 'node_modules/willcall');
  await mkdir(home, { recursive: true });
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', 'tsconfig.client.json', '--outDir', path.join(home, 'dist/client')], {
    cwd: root,
  });
  await cp(path.join(root, 'package.json'), path.join(home, 'package.json'));
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }\n');
}

/** The absolute path of a file of the repository. */
export function inRepository(name: string): string {
  return path.join(root, name);
}

function works([program, ...args]: Command): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
