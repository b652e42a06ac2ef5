import { beforeEach, describe, expect, it } from 'vitest';
import { DeferredFloor, type QueryOutcome } from '../../../src/engine/waiting/deferred-floor.ts';

const MARGIN_MS = 12_000;
const CLOCK_MARGIN_MS = 250;
const START_MS = Date.UTC(2026, 0, 1);

let floor: DeferredFloor;

beforeEach(() => {
  floor = new DeferredFloor();
});

/** A look so many milliseconds after the first one. */
function look(atMs: number, seen: Partial<QueryOutcome> = {}): void {
  const checkedAt = new Date(START_MS + atMs);
  floor.learn({ checkedAt, deferredDrained: true, snapshot: null, transactionNo: null, ...seen });
}

/** In milliseconds after the first look. */
const floorMs = () => (floor.at === null ? null : floor.at.getTime() - START_MS);

describe('the floor over what is deferred', () => {
  it('is unknown at first, and when it was forgotten', () => {
    expect(floor.at).toBeNull();
    look(0);
    floor.forget();
    expect(floor.at).toBeNull();
  });

  it('follows looks that found nothing due by the margin', () => {
    look(0);
    look(5_000);
    expect(floorMs()).toBe(5_000 - MARGIN_MS);
  });

  it('stays where it is when a look left something that was due', () => {
    look(0, { transactionNo: 10 });
    look(5_000, { deferredDrained: false, snapshot: '20:20:' });
    expect(floorMs()).toBe(-MARGIN_MS);
  });

  it('stays where it is when another instance had the lock', () => {
    look(0);
    floor.learn({ checkedAt: null, deferredDrained: false, snapshot: null, transactionNo: null });
    expect(floorMs()).toBe(-MARGIN_MS);
  });

  it('follows a look that handed something out at once, when no earlier transaction runs any more', () => {
    look(0, { transactionNo: 10 });
    look(5, { snapshot: '12:13:12' });
    expect(floorMs()).toBe(-CLOCK_MARGIN_MS);
  });

  it('waits for a transaction that was under way', () => {
    look(0, { transactionNo: 10 });
    look(5, { snapshot: '9:13:9' });
    expect(floorMs()).toBe(5 - MARGIN_MS);
    look(10, { snapshot: '12:14:12' });
    expect(floorMs()).toBe(-CLOCK_MARGIN_MS);
  });

  it('waits where the database does not know the number yet, as after a failover that lost some', () => {
    look(0, { transactionNo: 10 });
    look(5, { snapshot: '10:10:' });
    expect(floorMs()).toBe(5 - MARGIN_MS);
  });

  it('takes the next look that handed something out once one is proved', () => {
    look(0, { transactionNo: 10 });
    look(5, { transactionNo: 11, snapshot: '11:11:' });
    look(9, { snapshot: '12:12:' });
    expect(floorMs()).toBe(5 - CLOCK_MARGIN_MS);
  });

  it('does not wait for a stranger who has been writing for longer than a statement of ours may run', () => {
    const stranger = 3;
    look(0, { transactionNo: 10, snapshot: `${stranger}:10:${stranger}` });
    look(MARGIN_MS, { transactionNo: 20, snapshot: `${stranger}:20:${stranger}` });
    look(MARGIN_MS + 5, { snapshot: `${stranger}:21:${stranger}` });
    expect(floorMs()).toBe(5);
    look(MARGIN_MS + 10, { transactionNo: 21, snapshot: `${stranger}:21:${stranger}` });
    look(MARGIN_MS + 15, { snapshot: `${stranger}:22:${stranger}` });
    expect(floorMs()).toBe(MARGIN_MS + 10 - CLOCK_MARGIN_MS);
  });

  it('never goes back', () => {
    look(0, { transactionNo: 10 });
    look(5, { snapshot: '11:11:' });
    look(10);
    expect(floorMs()).toBe(-CLOCK_MARGIN_MS);
  });
});
