// A system under test: how its process is started and reached, and what it can do. One folder each,
// listed in index.ts.

import type { Target } from '../load/queue-client.ts';

export interface PeerCommand {
  /** Module run by Node; its line on standard output that matches says that it is ready. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly readyPattern: RegExp;
}

export interface Peer {
  /** As it stands in tables and after `--peer`. */
  readonly name: string;
  /** One line for the report: what it is, and what it does not do. */
  readonly summary: string;
  readonly needsDatabase: boolean;
  /**
   * Its packages come with the bench's own package.json, and are installed when it is first
   * measured.
   */
  readonly needsPackages: boolean;
  /**
   * A library: its work is done, and its processor time counted, in the load generator's process.
   */
  readonly worksInGenerator: boolean;
  /** A receive can wait for a message, answered by a wakeup and not by polling. */
  readonly canWait: boolean;
  /** What is not acknowledged within its visibility timeout comes back. */
  readonly canExpire: boolean;
  /**
   * All of Willcall's API: topics with several subscriptions, piggybacked acknowledgments, every
   * way to settle.
   */
  readonly isWillcall: boolean;
  /** How many instances may share one database. */
  readonly instancesMax: number;
  /** `databaseUrl` is null exactly when it needs no database. */
  command(databaseUrl: string | null): PeerCommand;
  /** How the load generator reaches the instance whose ready line's first group was `ready`. */
  target(ready: string, databaseUrl: string | null): Target | Promise<Target>;
}
