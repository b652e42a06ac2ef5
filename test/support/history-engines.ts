// Where clients make histories on engines in this process: several instances on one database, whose
// upkeep runs much more often than a service's.

import type { TestEngine } from './engine.ts';
import type { Recorder } from './history.ts';
import type { Stage } from './history-clients.ts';

/** All of a stage but what is played there. */
export function stageOf(recorder: Recorder, engines: readonly TestEngine[]): Omit<Stage, 'topics' | 'subscriptions'> {
  return {
    calls: recorder.calls,
    clientOf: (instance, name) => {
      const engine = engines[instance];
      if (engine === undefined) throw new Error(`there is no instance ${instance}`);
      return recorder.clientOf(engine, `instance ${instance}`, name);
    },
    countLeft: async (subscription) => {
      const stats = (await engines[0]?.getSubscription(subscription))?.stats;
      return stats === undefined ? null : stats.backlog + stats.inFlight + stats.deferred;
    },
    sweep: () => Promise.all(engines.map((engine) => engine.sweep())),
    goOn: () => false,
    forgotten: [],
  };
}
