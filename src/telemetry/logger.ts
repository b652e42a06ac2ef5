// The logger of the service: pino, one JSON object per line, on standard error.
// Standard output is left to the few lines that a person reads at the start.

import { destination, pino } from 'pino';
import type { Logger } from '../domain/logger.ts';

const STDERR = 2;

/** Makes the logger. Lines are written synchronously, so that a crash does not lose the last. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: STDERR, sync: true }));
}
