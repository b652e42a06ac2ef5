// nginx with the configuration of docs/proxies.md, on loopback, with addresses and certificate
// exchanged.

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export interface Nginx {
  readonly port: number;
  /** What it logged about errors. */
  readonly words: string[];
  stop(): Promise<void>;
}

/** Debian keeps it where only root's path leads. */
const candidates = ['nginx', '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx'];

/** The program. Throws a sentence where there is none, or nothing to make a certificate with. */
export function findNginx(): string {
  const found = candidates.find((candidate) => works(candidate, '-v'));
  if (found !== undefined && works('openssl', 'version')) return found;
  throw new Error('This test needs nginx and openssl; in Debian: apt-get install nginx-light openssl');
}

/** The documented block. */
export function readConfiguration(page: string): string {
  return /<!-- nginx:start -->\s*```nginx\n(.*?)```/s.exec(page)?.[1] ?? '';
}

export async function startNginx(program: string, configuration: string, serviceUrl: string): Promise<Nginx> {
  const folder = await mkdtemp(path.join(tmpdir(), 'willcall-nginx-'));
  const port = await findPort();
  const certificate = path.join(folder, 'certificate.pem');
  const key = path.join(folder, 'key.pem');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=willcall.example.org'],
    ...['-keyout', key, '-out', certificate],
  ]);
  const site = exchange(configuration, {
    'server 127.0.0.1:8080;': `server ${new URL(serviceUrl).host};`,
    'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
    '/etc/ssl/willcall.pem': certificate,
    '/etc/ssl/private/willcall.key': key,
  });
  await writeFile(path.join(folder, 'nginx.conf'), frame(folder, site));
  const child = spawn(program, ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const words: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => words.push(chunk));
  await waitUntilListening(child, port, words);
  return {
    port,
    words,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One process in the foreground; everything that nginx writes stays in the folder. */
function frame(folder: string, site: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((name) => `${name}_temp_path ${path.join(folder, name)};`).join('\n');
  const main = `daemon off;\nmaster_process off;\npid ${path.join(folder, 'pid')};\nerror_log stderr warn;`;
  return `${main}\nevents {}\nhttp {\naccess_log off;\n${paths}\n${site}\n}\n`;
}

/** Every one of them has to be there: what is tested is what is documented. */
function exchange(text: string, replacements: Readonly<Record<string, string>>): string {
  let exchanged = text;
  for (const [from, to] of Object.entries(replacements)) {
    if (!exchanged.includes(from)) throw new Error(`The documented configuration has no "${from}".`);
    exchanged = exchanged.replaceAll(from, to);
  }
  return exchanged;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function waitUntilListening(child: ChildProcess, port: number, words: string[]): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended at its start: ${words.join('')}`);
    const socket = connect(port, '127.0.0.1');
    const connected = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function works(program: string, argument: string): boolean {
  try {
    execFileSync(program, [argument], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
