// What the command line means. Nothing is started here.

import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './options.ts';

const known = {
  workloads: [
    { name: 'lifecycle', summary: '', isLong: false },
    { name: 'soak', summary: '', isLong: true },
  ],
  peers: [
    { name: 'willcall', summary: '' },
    { name: 'noop', summary: '' },
  ],
};

describe('parseOptions', () => {
  it('measures everything that is not long, of all systems, when nothing is said', () => {
    const options = parseOptions([], known);
    expect(options?.workloads).toEqual(['lifecycle']);
    expect(options?.peers).toEqual(['willcall', 'noop']);
    expect(options?.plots).toBeNull();
  });

  it('measures what is long when asked for it, by flag or by name', () => {
    expect(parseOptions(['--long'], known)?.workloads).toEqual(['lifecycle', 'soak']);
    expect(parseOptions(['--only', 'soak'], known)?.workloads).toEqual(['soak']);
  });

  it('holds a snapshot for ten minutes and takes twenty million messages in a long run', () => {
    const options = parseOptions(['--long'], known);
    expect(options?.snapshotSeconds).toBe(600);
    expect(options?.backlogs.at(-1)).toBe(20_000_000);
  });

  it('takes sizes of backlogs in ascending order, whatever order they were given in', () => {
    expect(parseOptions(['--backlog', '5000,1000'], known)?.backlogs).toEqual([1000, 5000]);
  });

  it('takes files of figures only together with a place for the plots', () => {
    expect(parseOptions(['--plots', 'docs', 'a.json', 'b.json'], known)?.plots).toEqual({
      directory: 'docs',
      figureFiles: ['a.json', 'b.json'],
    });
    expect(() => parseOptions(['a.json'], known)).toThrow(UsageError);
    expect(() => parseOptions(['--plots', 'docs'], known)).toThrow(UsageError);
  });

  it('names the flag that is wrong', () => {
    expect(() => parseOptions(['--rounds', 'many'], known)).toThrow('--rounds');
    expect(() => parseOptions(['--only', 'juggling'], known)).toThrow('--only');
  });
});
