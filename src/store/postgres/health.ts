// Whether the database is there. It is away when nobody who waits for it has heard a byte of it for a second and a half, a probe
// on a connection of its own among them, or when the probe finds nobody to connect to. While it is away whoever asks is refused at
// once, and it is probed until it answers. A statement that is merely slow does not matter: the probe is answered meanwhile.
// Silence is counted in turns of a timer, not by a clock: a process that was held up itself has not listened.
// See docs/decisions/0030-when-the-database-is-away.md.

import { WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Probe } from './probe.ts';

const TURN_MS = 50;
/** Turns of silence after which the probe asks: 0.3 seconds. */
const TURNS_TO_PROBE = 6;
/** And after which the database is away: 1.5 seconds. */
const TURNS_TO_AWAY = 30;
/** Turns in which somebody else may still be answered although the probe found nobody. */
const TURNS_TO_BELIEVE = 2;
/** While it is away: how long an answer may take, and the pauses between, which grow. */
const ANSWER_MS = 1_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 1_000;
/** Refused callers are told different times, so that they do not come back in step. */
const RETRY_AFTER_SECONDS_MAX = 3;

/** What the engine knows of it. */
export interface Reach {
  /** Whether the database answers; if not, `goOn` is called once it does. */
  isThere(goOn: () => void): boolean;
  /** The fault of who asked while it was away. */
  refuse(): WillcallError;
}

export interface WatchOptions {
  readonly probe: Probe;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** It has gone: what was connected to it is of no use any more. */
  readonly onAway: () => void;
  /** It is back, and those who waited for that have been told. */
  readonly onBack: () => void;
}

export class Watch implements Reach {
  readonly #options: WatchOptions;
  /** How to give up what waits for the database now. */
  readonly #waits = new Set<(fault: WillcallError) => void>();
  readonly #goOns = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;
  /** Pieces that came from the database, and how many had when the last turn ended. */
  #heard = 0;
  #heardBefore = 0;
  #silentTurns = 0;
  #verdict: Promise<void> | null = null;
  #isAway = false;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  isThere(goOn: () => void): boolean {
    if (this.#isAway) this.#goOns.add(goOn);
    return !this.#isAway;
  }

  refuse(): WillcallError {
    return new WillcallError('database_unavailable', 'The database does not answer now; try again in a moment.', {
      retryAfterSeconds: 1 + Math.floor(Math.random() * RETRY_AFTER_SECONDS_MAX),
    });
  }

  /** Something came from the database, on whatever connection. */
  hear(): void {
    this.#heard += 1;
  }

  /** Waits for work that the database has to do, and no longer than until it is away; begins none while it is. */
  async wait<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#isAway) throw this.refuse();
    const { promise, reject } = Promise.withResolvers<never>();
    this.#waits.add(reject);
    if (this.#timer === null) this.#listen();
    try {
      return await Promise.race([begin(), promise]);
    } finally {
      this.#waits.delete(reject);
    }
  }

  /** A connection was lost or not made: resolves when it is known whether the database is away. */
  doubt(): Promise<void> {
    if (this.#isAway || this.#stopped) return Promise.resolve();
    this.#verdict ??= this.#ask().finally(() => {
      this.#verdict = null;
    });
    return this.#verdict;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#options.probe.drop();
  }

  /** Resolves when the probe was answered, or the database is away. */
  async #ask(): Promise<void> {
    try {
      const answered = await this.wait(() => this.#options.probe.ask());
      if (answered) this.hear();
      else if (!(await this.wait(() => this.#listenAgain()))) this.#leave('it cannot be reached');
    } catch {
      // It was found to be away meanwhile.
    }
  }

  /** Whether anything is heard in the next turns. */
  async #listenAgain(): Promise<boolean> {
    const before = this.#heard;
    await pause(TURNS_TO_BELIEVE * TURN_MS);
    return this.#heard > before;
  }

  #listen(): void {
    this.#heardBefore = this.#heard;
    this.#silentTurns = 0;
    this.#nextTurn();
  }

  #nextTurn(): void {
    this.#timer = setTimeout(() => this.#endTurn(), TURN_MS).unref();
  }

  #endTurn(): void {
    const isOver = this.#waits.size === 0 || this.#stopped;
    this.#silentTurns = this.#heard > this.#heardBefore ? 0 : this.#silentTurns + 1;
    this.#heardBefore = this.#heard;
    if (isOver || this.#silentTurns >= TURNS_TO_AWAY) {
      this.#timer = null;
      if (!isOver) this.#leave('nothing was heard of it');
      return;
    }
    this.#nextTurn();
    if (this.#silentTurns >= TURNS_TO_PROBE) void this.doubt();
  }

  #leave(reason: string): void {
    if (this.#isAway || this.#stopped) return;
    this.#isAway = true;
    this.#options.logger.warn({ reason }, 'the database is away: calls are refused until it answers');
    for (const giveUp of [...this.#waits]) giveUp(this.refuse());
    this.#options.probe.drop();
    this.#options.onAway();
    void this.#findAgain(performance.now());
  }

  async #findAgain(since: number): Promise<void> {
    for (let tried = 0; ; tried += 1) {
      // Jittered, so that instances do not ask in step.
      await pause(Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** tried) * (0.75 + Math.random() / 2));
      if (this.#stopped) return;
      const isBack = await Promise.race([this.#options.probe.ask(), pause(ANSWER_MS).then(() => false)]);
      if (isBack) break;
      this.#options.probe.drop();
    }
    this.#isAway = false;
    const awayMs = Math.round(performance.now() - since);
    this.#options.logger.info({ awayMs }, 'the database answers again');
    const goOns = [...this.#goOns];
    this.#goOns.clear();
    for (const goOn of goOns) goOn();
    this.#options.onBack();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
