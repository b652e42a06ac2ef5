// The logger as modules receive it, so that none knows which one it is; Pino satisfies it.

export interface Logger {
  /**
   * Fields first, then a sentence that stays the same from call to call; what varies is a field.
   */
  debug(fields: object, message: string): void;
  /** Absent: every level is. Asked before fields are gathered that are dear on a hot path. */
  isLevelEnabled?(level: 'debug'): boolean;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  /** `fields.err` holds the Error, when there is one. */
  error(fields: object, message: string): void;
}
