// Supervisor of the embedded server: starts it again when it has ended without the service's doing.
// The kernel kills it when memory is short, and an operator may stop it by mistake. What was
// committed is recovered by PostgreSQL; clients of the service are refused meanwhile. A server that
// cannot be started again, or that ends again and again, is given up.

/** What the supervisor does for one server. */
export interface SupervisorOptions {
  isServing(): Promise<boolean>;
  /** Starts the server again on the same port; gives up early when `isStopped` says so. */
  restart(isStopped: () => boolean): Promise<void>;
  log(line: string): void;
  warn(line: string): void;
  /** Called at most once, when the server is given up. */
  onGivenUp(error: Error): void;
}

export interface Supervisor {
  /** Checks at once, as when a connection to the server has ended. */
  check(): void;
  /** Ends the supervision; resolves when a restart under way has ended. */
  stop(): Promise<void>;
}

const CHECK_MS = 5_000;
/** So many ends within so long a time mean that starting again does not help. */
const ENDS_MAX = 5;
const ENDS_WITHIN_MS = 60_000;

export function supervise(options: SupervisorOptions): Supervisor {
  return new ServerSupervisor(options);
}

class ServerSupervisor implements Supervisor {
  readonly #options: SupervisorOptions;
  readonly #timer: NodeJS.Timeout;
  /** When the server ended lately. */
  #ends: number[] = [];
  #checking: Promise<void> | null = null;
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.check(), CHECK_MS).unref();
  }

  check(): void {
    if (this.#stopped) return;
    this.#checking ??= this.#restartIfEnded()
      .catch((error: Error) => this.#giveUp(error))
      .finally(() => {
        this.#checking = null;
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#checking;
  }

  async #restartIfEnded(): Promise<void> {
    const { isServing, restart, log, warn } = this.#options;
    if (await isServing()) return;
    if (this.#stopped) return;
    const began = performance.now();
    this.#ends = [...this.#ends.filter((end) => began - end < ENDS_WITHIN_MS), began];
    if (this.#ends.length > ENDS_MAX) {
      throw new Error(`it ended ${this.#ends.length} times within ${ENDS_WITHIN_MS / 1000} seconds`);
    }
    warn('the embedded PostgreSQL has ended: it is started again');
    await restart(() => this.#stopped);
    if (!this.#stopped) log(`PostgreSQL runs again after ${Math.round(performance.now() - began)} ms`);
  }

  #giveUp(error: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#options.onGivenUp(error);
  }
}
