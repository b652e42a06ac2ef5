// Child processes of the bench: started here, watched, and ended by pid, in reverse order, whatever
// happens. One that ends before it was told to fails the run, with the last lines that it wrote.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const STOP_MS_MAX = 10_000;
const START_MS_MAX = 60_000;
const LINES_KEPT = 40;

export interface ServerProcess {
  readonly pid: number;
  /** What the pattern's first group matched in the line that said it was ready. */
  readonly ready: string;
  /** The end of what it has written so far. */
  lastLines(): string;
  /** Ends it orderly, or by force after ten seconds. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  readonly name: string;
  /** Module run by the Node that runs the bench. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Matches the line on standard output that says the server is ready. */
  readonly readyPattern: RegExp;
}

export class Processes {
  readonly #running = new Set<ChildProcess>();
  readonly #onFailure: (error: Error) => void;
  #ending = false;

  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    // The last resort: an exit that skipped the orderly end.
    process.once('exit', () => {
      for (const child of this.#running) {
        child.kill('SIGKILL');
      }
    });
  }

  /**
   * Keeps any child process from outliving the bench; it may end by itself only if `mayEnd` says
   * so.
   */
  watch(child: ChildProcess, name: string, mayEnd: () => boolean, lastLines: () => string): void {
    this.#running.add(child);
    if (this.#ending) {
      child.kill('SIGKILL');
    }
    child.once('exit', (code, signal) => {
      this.#running.delete(child);
      if (!mayEnd() && !this.#ending) {
        this.#onFailure(new Error(`${name} ended by itself (${signal ?? `code ${code}`}):\n${lastLines()}`));
      }
    });
  }

  /** Ends all that still run, and whatever is started later by work that has not noticed yet. */
  async stopAll(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#running].map(stopChild));
  }

  /** Starts a server and waits for the line that says it is ready. */
  async startServer(command: ServerCommand): Promise<ServerProcess> {
    const child = spawn(process.execPath, [command.script], {
      cwd: command.workingDirectory,
      env: { PATH: process.env.PATH, HOME: command.workingDirectory, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A terminal's Ctrl-C reaches the bench alone, which then ends the others in order.
      detached: true,
    });
    const lines = new LastLines();
    let stopping = false;
    this.watch(
      child,
      command.name,
      () => stopping,
      () => lines.toString(),
    );
    child.stderr.on('data', (chunk: Buffer) => lines.add(chunk));
    const ready = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${command.name} was not ready in time:\n${lines}`)),
        START_MS_MAX,
      );
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${command.name} ended while starting:\n${lines}`)));
      child.stdout.on('data', (chunk: Buffer) => {
        const found = lines.add(chunk, command.readyPattern);
        if (found !== null) {
          clearTimeout(timer);
          resolve(found);
        }
      });
    });
    return {
      pid: child.pid ?? 0,
      ready,
      lastLines: () => lines.toString(),
      stop: () => {
        stopping = true;
        return stopChild(child);
      },
    };
  }
}

/** Ends a child by SIGTERM, and by SIGKILL when that takes too long. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(timer);
}

/** The end of what a process wrote, for the message when it fails. */
class LastLines {
  #lines: string[] = [];
  #rest = '';
  #found = false;

  /**
   * What the pattern's first group matched in a line that is now complete; null until then, and
   * ever after.
   */
  add(chunk: Buffer, pattern?: RegExp): string | null {
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines = [...this.#lines, ...lines].slice(-LINES_KEPT);
    if (pattern === undefined || this.#found) {
      return null;
    }
    for (const line of lines) {
      const match = pattern.exec(line)?.[1];
      if (match !== undefined) {
        this.#found = true;
        return match;
      }
    }
    return null;
  }

  toString(): string {
    return [...this.#lines, this.#rest].join('\n');
  }
}
