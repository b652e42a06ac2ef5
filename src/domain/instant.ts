// Instants: points in time with the database's microseconds, which a Date alone drops.

const FRACTION_DIGITS = 6;
const MILLISECOND_DIGITS = 3;

/** A Date that knows its microseconds, and writes RFC 3339 in UTC with six digits of a second. */
export class Instant extends Date {
  /** Beyond the whole milliseconds: 0 to 999. */
  readonly microseconds: number;

  constructor(milliseconds: number, microseconds: number) {
    super(milliseconds);
    this.microseconds = microseconds;
  }

  override toISOString(): string {
    const fraction = String(this.microseconds).padStart(MILLISECOND_DIGITS, '0');
    return `${super.toISOString().slice(0, -1)}${fraction}Z`;
  }

  override toJSON(): string {
    return this.toISOString();
  }
}

/**
 * The instant of a text with a fraction of seconds or none; `parse` reads the text without one.
 * Digits beyond microseconds are dropped.
 */
export function readInstant(text: string, parse: (text: string) => Date): Instant {
  const digits = /\.(\d+)/.exec(text)?.[1] ?? '';
  const micros = Number(digits.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, '0'));
  const seconds = parse(digits === '' ? text : text.replace(`.${digits}`, '')).getTime();
  return new Instant(seconds + Math.floor(micros / 1000), micros % 1000);
}

/** Whether both are the same to the microsecond. */
export function isSameInstant(one: Date, other: Date): boolean {
  return one.getTime() === other.getTime() && microsecondsOf(one) === microsecondsOf(other);
}

export function microsecondsOf(at: Date): number {
  return at instanceof Instant ? at.microseconds : 0;
}
