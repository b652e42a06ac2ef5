// A PostgreSQL server that the tests are run on once.

export interface Server {
  /** As the server states it, such as `15.18`. */
  readonly version: string;
  /** As a user that may create databases and roles. */
  readonly url: string;
  stop(): Promise<void>;
}
