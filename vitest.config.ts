// Two kinds of tests. `npm test` runs the first: whole, within minutes, with git, Node and npm
// alone. `npm run test:long` runs *.long.test.ts: faults, mutants and soaks, and what needs other
// tools. `npx vitest run <path>` finds both. Each kind has one real PostgreSQL for its run
// (test/support/global-setup.ts); each test file gets a database of its own.

import { defineConfig } from 'vitest/config';

const LONG = 'test/**/*.long.test.ts';
/** Of each kind, not of the whole: there it would run once more. */
const globalSetup = ['test/support/global-setup.ts'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    allowOnly: false,
    projects: [
      {
        extends: true,
        // Files share a process: loading the modules anew for each took a third of all. No module
        // of ours keeps state that another file could see.
        test: { name: 'short', globalSetup, isolate: false, include: ['test/**/*.test.ts'], exclude: [LONG] },
      },
      {
        extends: true,
        test: { name: 'long', globalSetup, include: [LONG], testTimeout: 1_800_000, hookTimeout: 600_000 },
      },
    ],
    // These bounds end what would never end; no test that passes comes near them on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What a test waits for comes soon or never: it looks often, and gives up late, whatever else
    // the machine does.
    expect: { poll: { interval: 5, timeout: 90_000 } },
    retry: 0,
  },
});
