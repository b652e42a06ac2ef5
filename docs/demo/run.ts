// npm run demo: starts the real service on a temporary directory and plays a story with it, every
// step as request and answer. Ends with 1 and a sentence where the service did something else.
// Leaves nothing behind, on Ctrl-C too.

import { Disproved } from './proof.ts';
import { createScreen, type Screen } from './screen.ts';
import { type Service, startService } from './service.ts';
import { createStage, type Stage } from './stage.ts';
import { crash, openTheCounter, publish, workWithoutAHitch } from './story.ts';
import { poison, readTheRecords, waitForWork } from './trouble.ts';

async function play(stage: Stage): Promise<void> {
  await openTheCounter(stage);
  await publish(stage);
  await workWithoutAHitch(stage);
  await crash(stage);
  await poison(stage);
  await waitForWork(stage);
  await readTheRecords(stage);
}

async function run(screen: Screen): Promise<number> {
  const startedAt = performance.now();
  let service: Service | null = null;
  let stage: Stage | null = null;
  const tidyUp = async () => {
    stage?.clear();
    await service?.stop();
  };
  const interrupt = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => reject(new Interrupted(signal)));
    }
  });
  const starting = startService();
  try {
    screen.say(
      'Starting Willcall with a PostgreSQL of its own on a temporary directory. The first start takes seconds.',
    );
    service = await Promise.race([starting, interrupt]);
    stage = await createStage(service, screen);
    screen.say(`It listens on ${service.baseUrl} and keeps its data in ${service.folder}.`);
    await Promise.race([play(stage), interrupt]);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    screen.say(`The story is told: everything was checked, in ${seconds} seconds. Stopping, tidying up.`);
    return 0;
  } catch (error) {
    screen.failed(error instanceof Error ? error.message : String(error));
    if (!(error instanceof Interrupted)) screen.verbatim(explain(error, service));
    return error instanceof Interrupted ? 130 : 1;
  } finally {
    // Interrupted while it was starting: wait for it, then stop it.
    if (service === null) service = await starting.catch(() => null);
    await tidyUp();
  }
}

/** Where it happened, unless it is a claim that says so itself, and what the service had to say. */
function explain(error: unknown, service: Service | null): string[] {
  const where = error instanceof Disproved || !(error instanceof Error) ? [] : [error.stack ?? ''];
  const words = service?.lastWords() ?? [];
  return [...where, ...(words.length === 0 ? [] : ['The last lines of the service:', ...words])];
}

class Interrupted extends Error {
  constructor(signal: string) {
    super(`Interrupted by ${signal}. Tidying up.`);
  }
}

process.exitCode = await run(createScreen(process.stdout));
