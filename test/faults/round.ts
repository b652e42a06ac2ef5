// One round: clients do everything that clients do, right and wrong, on topics of the round's own,
// while faults befall the service and its database; then everything heals, the clients finish, and
// the history is judged. Everything that is decided here comes from the seed.

import { createClient } from '../support/client.ts';
import { type Call, createRecorder, type RecordingClient } from '../support/history.ts';
import { checkHistory, type History, type Violation } from '../support/history-check.ts';
import { drawPlan, playPlan, type Stage } from '../support/history-clients.ts';
import { createHttpPerformer, type HttpPerformer, RefusedError } from '../support/history-http.ts';
import { readRows } from '../support/history-rows.ts';
import type { Fault } from './faults/index.ts';
import type { Lab } from './lab/lab.ts';
import { createRandom, type Random } from './lab/random.ts';
import { pause, until, whileMoving } from './lab/waiting.ts';

export interface RoundOptions {
  readonly seed: number;
  /** Dealt in an order of the seed's; each side its own, both at once. */
  readonly faults: readonly Fault[];
  /** One fault at a time, and none before every instance serves again. */
  readonly alone?: boolean;
  /**
   * How long the service may take to work again after a fault: by default until nobody would wait
   * any longer, for other processes may have the processor.
   */
  readonly recoveryMsMax?: number;
  readonly onFault?: (name: string) => void;
  /** Is given what will be recorded, as it grows. */
  readonly onStart?: (calls: readonly Call[]) => void;
}

export interface RoundReport {
  readonly history: History;
  readonly violations: readonly Violation[];
  /** Answers that no fault explains: 500, or a refusal of a good request. */
  readonly complaints: readonly string[];
  readonly inflicted: readonly { readonly name: string; readonly recoveredMs: number }[];
}

const topics = ['orders', 'events'];
const subscriptions = [
  { name: 'ledger', topic: 'orders', json: { max_attempts: 4, max_deliveries: 8, retry: { min_backoff_seconds: 0 } } },
  { name: 'archive', topic: 'orders', json: { max_attempts: 5, max_in_flight: 12, retry: { min_backoff_seconds: 0 } } },
  { name: 'alarm', topic: 'events', json: { max_attempts: 3, retry: { min_backoff_seconds: 1 } } },
];
const size = {
  ...{ topics: topics.length, subscriptions: subscriptions.length },
  ...{ publishers: 4, publishesEach: 12, consumersEach: 2, roundsEach: 24 },
};
/** A round hangs when no call begins and no fault either for so long. */
const STILL_MS_MAX = 180_000;

/** Leaves the lab healed. Throws when the round hangs; a slow machine only makes it longer. */
export async function playRound(lab: Lab, options: RoundOptions): Promise<RoundReport> {
  const random = createRandom(options.seed);
  const subjects = await createSubjects(lab, `seed-${options.seed}`);
  const recorder = createRecorder();
  options.onStart?.(recorder.calls);
  let over = false;
  const stage = await openStage(lab, { recorder, goOn: () => !over, ...subjects });
  const begun: string[] = [];
  const onFault = (name: string) => {
    begun.push(name);
    options.onFault?.(name);
  };
  const playing = playPlan(drawPlan(options.seed, size), stage);
  const sides = options.alone === true ? [['service', 'database']] : [['service'], ['database']];
  const inflicting = sides.map((side) => {
    const faults = options.faults.filter((fault) => side.includes(fault.side));
    return inflictAll(lab, random.fork(side.join()), { ...options, onFault, faults });
  });
  // A harness that fails must not leave the players waiting.
  const inflictedAll = Promise.all(inflicting).finally(() => {
    over = true;
  });
  const whole = inflictedAll.then(() => lab.heal()).then(() => playing);
  await whileMoving(whole, {
    measure: () => recorder.calls.length + begun.length,
    state: () => `${recorder.calls.length} calls were made, the faults were ${begun.join(', ')}`,
    stillMsMax: STILL_MS_MAX,
  });
  const inflicted = await inflictedAll;
  stage.close();
  const history = { calls: recorder.calls, rows: await readRows(lab.cluster, subjects.topicIds), disturbed: true };
  return {
    history,
    violations: checkHistory(history, { drained: true }),
    complaints: unexplained(recorder.calls),
    inflicted: inflicted.flat(),
  };
}

async function inflictAll(lab: Lab, random: Random, options: RoundOptions) {
  const { faults, onFault, recoveryMsMax, alone = false } = options;
  const inflicted: { name: string; recoveredMs: number }[] = [];
  for (const fault of random.shuffle(faults)) {
    await pause(random.whole(100, 700));
    onFault?.(fault.name);
    await fault.inflict(lab, random);
    const recoveredMs = await until(() => serves(lab, alone), `the service works after: ${fault.name}`, recoveryMsMax);
    inflicted.push({ name: fault.name, recoveredMs });
  }
  return inflicted;
}

/** Where faults overlap, the other side's may have befallen one of them. */
async function serves({ instances }: Lab, all: boolean): Promise<boolean> {
  const ready = await Promise.all(instances.map((instance) => instance.isReady()));
  return all ? ready.every((one) => one) : ready.includes(true);
}

/** Topics and subscriptions of one round's own. */
async function createSubjects(lab: Lab, prefix: string) {
  const admin = createClient(lab.instances[0].url, lab.adminKey);
  const named = (name: string) => `${prefix}-${name}`;
  const put = async (path: string, json: object) => {
    // The instances may still be recovering from the round before.
    const isMade = async () => {
      const { status, bytes } = await admin.call('PUT', path, { json });
      if (status !== 200 && status !== 201 && status !== 503) {
        throw new Error(`PUT ${path} was answered ${status}: ${bytes}`);
      }
      return status !== 503;
    };
    await until(isMade, `${path} is there`);
  };
  for (const name of topics) await put(`/v1/topics/${named(name)}`, {});
  for (const { name, topic, json } of subscriptions) {
    const retry = { ...json.retry, max_backoff_seconds: 1 };
    await put(`/v1/subscriptions/${named(name)}`, {
      ...{ topic: named(topic), visibility_timeout_seconds: 1, ...json, retry },
    });
  }
  admin.close();
  const names = topics.map(named);
  const rows = await lab.cluster.query<{ id: number }>(
    'select topic_id as id from willcall.topic where name = any ($1)',
    [names],
  );
  return {
    ...{ topicIds: rows.map(({ id }) => id), topics: names },
    subscriptions: subscriptions.map(({ name }) => named(name)),
  };
}

interface StageOptions extends Pick<Stage, 'goOn' | 'topics' | 'subscriptions'> {
  readonly recorder: ReturnType<typeof createRecorder>;
}

/** Every client has a key of its own, with which it calls both instances. */
async function openStage(lab: Lab, options: StageOptions): Promise<Stage & { close(): void }> {
  const { recorder, ...rest } = options;
  const names = [
    ...Array.from({ length: size.publishers }, (_, i) => `publisher-${i}`),
    ...Array.from({ length: size.subscriptions * size.consumersEach }, (_, i) => `consumer-${i}`),
    'drain',
  ];
  const admin = createClient(lab.instances[0].url, lab.adminKey);
  const performers: HttpPerformer[] = [];
  const clients = new Map<string, RecordingClient>();
  for (const name of names) {
    const json = { client: name, roles: [{ role: 'admin', topics: ['*'], subscriptions: ['*'] }] };
    const { key } = (await admin.call<{ key: string }>('POST', '/v1/keys', { json })).json;
    for (const [no, instance] of lab.instances.entries()) {
      const performer = createHttpPerformer(instance.url, key);
      performers.push(performer);
      clients.set(`${name} ${no}`, recorder.record(performer, instance.name, name));
    }
  }
  return {
    ...rest,
    calls: recorder.calls,
    clientOf: (instance, name) => {
      const client = clients.get(`${name} ${instance}`);
      if (client === undefined) throw new Error(`${name} does not play on instance ${instance}`);
      return client;
    },
    countLeft: async (subscription) => {
      type Answer = { stats: { backlog: number; in_flight: number; deferred: number } };
      const answer = await admin.call<Answer>('GET', `/v1/subscriptions/${subscription}`).catch(() => null);
      if (answer?.status !== 200) return null;
      const { backlog, in_flight: inFlight, deferred } = answer.json.stats;
      return backlog + inFlight + deferred;
    },
    sweep: null,
    forgotten: [],
    close: () => {
      for (const one of [...performers, admin]) one.close();
    },
  };
}

/**
 * A request that took too long to arrive, or a service that cannot serve now, is what faults do.
 */
const EXPLAINED = new Set([408, 503]);

function unexplained(calls: readonly Call[]): string[] {
  return calls.flatMap(({ error, verb, client, instance }) =>
    error instanceof RefusedError && !EXPLAINED.has(error.status)
      ? [`${verb} of ${client} on ${instance}: ${error.message}`]
      : [],
  );
}
