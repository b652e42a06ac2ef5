// Preloaded into an instance of the service: sets the clock of its process wrong, by what its
// environment says. The clock that only counts (performance.now, timers) goes on as it does on a
// machine whose time of day is wrong.

const shiftMs = Number(process.env.CHAOS_CLOCK_SHIFT_MS ?? 0);

if (shiftMs !== 0) {
  const TrueDate = Date;
  class WrongDate extends TrueDate {
    constructor(...fields: unknown[]) {
      if (fields.length === 0) super(TrueDate.now() + shiftMs);
      else super(...(fields as [number]));
    }
    static override now(): number {
      return TrueDate.now() + shiftMs;
    }
  }
  globalThis.Date = WrongDate as DateConstructor;
}
