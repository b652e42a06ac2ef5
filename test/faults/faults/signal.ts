// Signals to processes of PostgreSQL, each of which may have ended since it was seen.

/** False: there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
