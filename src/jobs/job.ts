// What a job is: when it runs and what it does once.

/** One piece of upkeep; `run` does it once and throws what went wrong. */
export interface Job {
  readonly name: string;
  /** Five or six cron fields, seconds first. */
  readonly schedule: string;
  /** Instances do not run it in step: each run is put off by up to so many milliseconds. */
  readonly jitterMs: number;
  run(): Promise<void>;
}
