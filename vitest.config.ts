import { defineConfig } from 'vitest/config';

// One real PostgreSQL for the whole run (test/support/global-setup.ts); each test file gets a
// database of its own.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // What a test waits for comes soon or never: it looks often, and gives up late, whatever else
    // the machine does.
    expect: { poll: { interval: 5, timeout: 20_000 } },
    retry: 0,
    allowOnly: false,
  },
});
