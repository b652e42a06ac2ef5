// What the bench and its load generator say to each other over the channel between the two
// processes. A driver is a module of this folder that exports `drive`; it reports window by window,
// so that the bench can read processor time at the same borders.

export interface LoadJob {
  /** File URL of a module that exports `drive` (see `DriverModule`). */
  readonly driver: string;
  readonly settings: unknown;
}

export type LoadEvent =
  | { readonly type: 'measuring' }
  | { readonly type: 'window'; readonly figures: unknown }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly text: string };

/** How a driver reports while it runs; `Figures` is plain data. */
export interface Reporter<Figures> {
  /** The warm-up is over: the first window begins now. */
  measuring(): void;
  /** A window ended, and the next one, if there is one, began. */
  window(figures: Figures): void;
}

export interface DriverModule {
  drive(settings: unknown, reporter: Reporter<unknown>): Promise<void>;
}
