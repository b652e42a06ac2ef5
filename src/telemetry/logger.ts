// The logger of the service: pino, one JSON object per line, on standard error.
// Standard output is left to the few lines that a person reads at the start.

import { hostname } from 'node:os';
import { destination, pino, stdTimeFunctions } from 'pino';
import type { Logger } from '../domain/logger.ts';

const STDERR = 2;

/**
 * Makes the logger. Levels are words, and each line names its process and machine. Lines are
 * written synchronously, so that a crash does not lose the last.
 */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: { pid: process.pid, host: hostname() },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination({ fd: STDERR, sync: true }));
}
