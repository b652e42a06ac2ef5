// The load generator's process: takes one job from its parent, runs that driver, reports, and ends.
// It ends as well when the parent goes away, so that nothing is left behind by a bench that was
// killed.

import type { DriverModule, LoadEvent, LoadJob } from './protocol.ts';

process.once('disconnect', () => process.exit(1));
process.once('message', (message) => {
  void run(message as LoadJob);
});

async function run(job: LoadJob): Promise<void> {
  try {
    const module = (await import(job.driver)) as DriverModule;
    await module.drive(job.settings, {
      measuring: () => report({ type: 'measuring' }),
      window: (figures) => report({ type: 'window', figures }),
    });
    report({ type: 'done' });
  } catch (error) {
    report({ type: 'failed', text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function report(event: LoadEvent): void {
  process.send?.(event);
}
