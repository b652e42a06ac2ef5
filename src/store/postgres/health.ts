// Database health: unavailable after 1.5 s without a byte on any connection, probe included.
// It is also unavailable as soon as a connection was lost and the probe cannot connect. Calls are
// then refused at once, and the database is probed until it answers. A slow statement does no
// harm: the probe is answered meanwhile. Silence is counted in ticks of a timer, not by a clock,
// because a process that was itself suspended received nothing in that time.
// See docs/decisions/0030-when-the-database-is-away.md.

import { WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Probe } from './probe.ts';

const TICK_MS = 50;
/** Silent ticks after which the probe queries: 0.3 seconds. */
const TICKS_TO_PROBE = 6;
/** Silent ticks after which the database is unavailable: 1.5 seconds. */
const TICKS_TO_UNAVAILABLE = 30;
/** Ticks in which another connection may still receive something after the probe failed. */
const TICKS_TO_CONFIRM = 2;
/** While it is unavailable: how long an answer may take, and the pauses between, which grow. */
const ANSWER_MS = 1_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 1_000;
/** Refused callers get different times, so that they do not return in step. */
const RETRY_AFTER_SECONDS_MAX = 3;

/** What the engine knows about the database's health. */
export interface DatabaseHealth {
  /** Whether the database answers. */
  isAvailable(): boolean;
  /** Whether the database answers; if not, calls `resume` once it does. */
  availableOr(resume: () => void): boolean;
  /** The fault of a call that came while the database was unavailable. */
  refuse(): WillcallError;
}

export interface HealthMonitorOptions {
  readonly probe: Probe;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Called when the database became unavailable: no open connection can be trusted any more. */
  readonly onUnavailable: () => void;
  /** Called when it is available again, after everything that waited for that was resumed. */
  readonly onAvailable: () => void;
}

/** Judges the health from what arrives on connections; see the head of this file. */
export class HealthMonitor implements DatabaseHealth {
  readonly #options: HealthMonitorOptions;
  /** Rejects what waits for the database now. */
  readonly #waits = new Set<(fault: WillcallError) => void>();
  readonly #resumes = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;
  /** Chunks that arrived from the database, and how many had when the last tick ended. */
  #received = 0;
  #receivedBefore = 0;
  #silentTicks = 0;
  #verdict: Promise<void> | null = null;
  #isAvailable = true;
  #stopped = false;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  isAvailable(): boolean {
    return this.#isAvailable;
  }

  availableOr(resume: () => void): boolean {
    if (!this.#isAvailable) this.#resumes.add(resume);
    return this.#isAvailable;
  }

  refuse(): WillcallError {
    const message = 'The database does not answer now; try again in a moment.';
    return new WillcallError('database_unavailable', message, {
      retryAfterSeconds: 1 + Math.floor(Math.random() * RETRY_AFTER_SECONDS_MAX),
    });
  }

  /** To be called with every chunk from the database, on whatever connection. */
  noteReceived(): void {
    this.#received += 1;
  }

  /**
   * Waits for work that the database has to do, at most until the database becomes unavailable;
   * does not begin the work while it is.
   */
  async wait<T>(begin: () => Promise<T>): Promise<T> {
    if (!this.#isAvailable) throw this.refuse();
    const { promise, reject } = Promise.withResolvers<never>();
    this.#waits.add(reject);
    if (this.#timer === null) this.#startTicking();
    try {
      return await Promise.race([begin(), promise]);
    } finally {
      this.#waits.delete(reject);
    }
  }

  /** To be called when a connection was lost or not made; resolves when the health is known. */
  suspect(): Promise<void> {
    if (!this.#isAvailable || this.#stopped) return Promise.resolve();
    this.#verdict ??= this.#probe().finally(() => {
      this.#verdict = null;
    });
    return this.#verdict;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#options.probe.drop();
  }

  /** Resolves when the probe was answered, or the database is unavailable. */
  async #probe(): Promise<void> {
    try {
      const answered = await this.wait(() => this.#options.probe.query());
      if (answered) this.noteReceived();
      else if (!(await this.wait(() => this.#receivesAnything()))) {
        this.#markUnavailable('it cannot be reached');
      }
    } catch {
      // It became unavailable meanwhile.
    }
  }

  /** Whether anything arrives in the next ticks. */
  async #receivesAnything(): Promise<boolean> {
    const before = this.#received;
    await pause(TICKS_TO_CONFIRM * TICK_MS);
    return this.#received > before;
  }

  #startTicking(): void {
    this.#receivedBefore = this.#received;
    this.#silentTicks = 0;
    this.#scheduleTick();
  }

  #scheduleTick(): void {
    this.#timer = setTimeout(() => this.#tick(), TICK_MS).unref();
  }

  #tick(): void {
    const isOver = this.#waits.size === 0 || this.#stopped;
    this.#silentTicks = this.#received > this.#receivedBefore ? 0 : this.#silentTicks + 1;
    this.#receivedBefore = this.#received;
    if (isOver || this.#silentTicks >= TICKS_TO_UNAVAILABLE) {
      this.#timer = null;
      if (!isOver) this.#markUnavailable('nothing was received from it');
      return;
    }
    this.#scheduleTick();
    if (this.#silentTicks >= TICKS_TO_PROBE) void this.suspect();
  }

  #markUnavailable(reason: string): void {
    if (!this.#isAvailable || this.#stopped) return;
    this.#isAvailable = false;
    this.#options.logger.warn({ reason }, 'the database is unavailable: calls are refused until it answers');
    for (const reject of [...this.#waits]) reject(this.refuse());
    this.#options.probe.drop();
    this.#options.onUnavailable();
    void this.#awaitAvailable(performance.now());
  }

  async #awaitAvailable(since: number): Promise<void> {
    for (let tried = 0; ; tried += 1) {
      // Jittered, so that instances do not probe in step.
      const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** tried);
      await pause(pauseMs * (0.75 + Math.random() / 2));
      if (this.#stopped) return;
      const late = pause(ANSWER_MS).then(() => false);
      if (await Promise.race([this.#options.probe.query(), late])) break;
      this.#options.probe.drop();
    }
    this.#isAvailable = true;
    const unavailableMs = Math.round(performance.now() - since);
    this.#options.logger.info({ unavailableMs }, 'the database answers again');
    const resumes = [...this.#resumes];
    this.#resumes.clear();
    for (const resume of resumes) resume();
    this.#options.onAvailable();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
