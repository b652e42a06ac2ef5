// The work that waits for room in the byte budget. It resumes a few at a time, as many as the room
// is expected to serve: all at once would bring more than fits.

/** What one receive that resumes may bring. */
const RECEIVE_BYTES = 4 * 1024 * 1024;
const PAUSE_MS = 10;

type Resume = () => void;

export class ResumeList {
  readonly #bytesFree: () => number;
  readonly #waiting = new Set<Resume>();
  #timer: NodeJS.Timeout | null = null;

  constructor(bytesFree: () => number) {
    this.#bytesFree = bytesFree;
  }

  add(resume: Resume): void {
    this.#waiting.add(resume);
  }

  /**
   * Something may have become free: resumes what there is room for, and the others a little later.
   */
  run(): void {
    if (this.#timer === null) this.#resumeSome();
  }

  #resumeSome(): void {
    const bytesFree = this.#bytesFree();
    if (this.#waiting.size === 0 || bytesFree <= 0) return;
    let count = Math.max(1, Math.floor(bytesFree / RECEIVE_BYTES));
    for (const resume of this.#waiting) {
      if (count === 0) break;
      count -= 1;
      this.#waiting.delete(resume);
      resume();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#resumeSome();
    }, PAUSE_MS).unref();
  }
}
