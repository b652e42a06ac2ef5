// The states of a waiter: the table in the header of waiter.ts is the machine, and what it
// promises.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isAnswered, nextState, type WaiterEvent, type WaiterState } from '../../../src/engine/waiting/waiter.ts';

const STATES: readonly WaiterState[] = ['urgent', 'new', 'parked', 'asked', 'last', 'left', 'done'];
const EVENTS: readonly WaiterEvent[] = ['ask', 'expire', 'leave', 'find', 'findNothing', 'refuse'];

const source = readFileSync(new URL('../../../src/engine/waiting/waiter.ts', import.meta.url), 'utf8');

/** The cells of each row of the header's table that begins with one of these words. */
function rowsOf(names: readonly string[]): string[][] {
  return [...source.matchAll(/^\/\/ {3}(\w+) +\|(.*)$/gm)]
    .filter(([, name = '']) => names.includes(name))
    .map(([, name = '', cells = '']) => [name, ...cells.split('|').slice(0, EVENTS.length).map(trimmed)]);
}

const trimmed = (cell: string) => cell.trim();

it('changes as the table in the header says', () => {
  expect(rowsOf(['state'])).toEqual([['state', ...EVENTS]]);
  const table = STATES.map((state) => [
    state,
    ...EVENTS.map((event) => (nextState(state, event) === state ? '' : nextState(state, event))),
  ]);
  expect(rowsOf(STATES)).toEqual(table);
});

const histories = fc.record({
  first: fc.constantFrom<WaiterState>('urgent', 'new'),
  events: fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }),
});

function play(first: WaiterState, events: readonly WaiterEvent[]): WaiterState[] {
  const states = [first];
  for (const event of events) states.push(nextState(states.at(-1) ?? first, event));
  return states;
}

it('is answered once at most, and not forgotten: a query that it is in always ends', () => {
  fc.assert(
    fc.property(histories, ({ first, events }) => {
      const states = play(first, events);
      const answered = states.findIndex(isAnswered);
      if (answered !== -1) expect(states.slice(answered).every(isAnswered)).toBe(true);
      for (const state of states) {
        for (const end of ['find', 'refuse'] as const) {
          if (['asked', 'last', 'left'].includes(state)) expect(nextState(state, end)).toBe('done');
        }
      }
    }),
  );
});

it('whose time is over or whose client is gone is never asked for again', () => {
  fc.assert(
    fc.property(histories, fc.constantFrom<WaiterEvent>('expire', 'leave'), ({ first, events }, end) => {
      const states = play(first, [...events, end]);
      const after = nextState(nextState(states.at(-1) ?? first, 'findNothing'), 'ask');
      expect(after).toBe('done');
    }),
  );
});

it('that does not wait is never parked', () => {
  fc.assert(
    fc.property(histories, ({ events }) => {
      expect(play('urgent', events)).not.toContain('parked');
    }),
  );
});
