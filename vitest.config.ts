import { defineConfig } from 'vitest/config';

// One real PostgreSQL for the whole run (test/support/global-setup.ts); each test file gets a database of its own.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    retry: 0,
    allowOnly: false,
  },
});
