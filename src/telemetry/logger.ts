// The logger of the service: pino, one JSON object a line, on standard error. Standard output is
// left to the few lines that a person reads at the start.

import { destination, pino } from 'pino';
import type { Logger } from '../domain/logger.ts';

const STDERR = 2;

/** Makes the logger. Lines are written at once: a crash must not take the last ones with it. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: STDERR, sync: true }));
}
