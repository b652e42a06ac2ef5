// Clients that make histories: publishers and consumers who do what a plan says, all at once, over
// several instances. A plan is plain data that fast-check draws from a seed; what the calls then
// meet is up to the machine. Who gets no answer pauses, and asks again where that is without harm.

import fc from 'fast-check';
import { formatReceipt, parseReceipt } from '../../src/domain/receipt.ts';
import type { SettleVerb } from '../../src/domain/settling.ts';
import type { Call, InputFields, ReceiveCall, RecordingClient } from './history.ts';

/** What becomes of a message in a consumer's hands. */
const fates = [
  'acknowledge',
  'acknowledge',
  'acknowledge along the way',
  'acknowledge along the way',
  'acknowledge twice in one call',
  'acknowledge on both instances',
  'acknowledge atomically',
  'acknowledge atomically with a forged one',
  'acknowledge and release',
  'release',
  'release with an error',
  'release for later',
  'extend, then acknowledge',
  'extend, then forget',
  'reject',
  'forget',
  'forget',
  'forget',
  'forget',
] as const;
type Fate = (typeof fates)[number];

/** What is done with receipts that somebody got some time ago: forgotten ones, or any. */
interface Afterthought {
  readonly verb: SettleVerb;
  readonly ofForgotten: boolean;
  readonly which: readonly number[];
}

/** A call that may be made again, on the other instance: at the same time, or after its answer. */
type Repetition = 'at once' | 'afterwards';

interface Round {
  readonly instance: number;
  readonly maxMessages: number;
  readonly waitMs: number;
  readonly visibilityTimeoutSeconds: number | null;
  readonly repetition: Repetition | null;
  /** Null: stays for the answer. */
  readonly leavesAfterMs: number | null;
  /** By position in the batch. */
  readonly fates: readonly Fate[];
  readonly afterthought: Afterthought | null;
}

export interface Plan {
  readonly publishers: readonly {
    readonly topic: number;
    readonly instance: number;
    readonly batches: readonly {
      readonly messages: number;
      readonly pauseMs: number;
      readonly repetition: Repetition | null;
    }[];
  }[];
  readonly consumers: readonly { readonly subscription: number; readonly rounds: readonly Round[] }[];
}

export interface PlanSize {
  readonly topics: number;
  readonly subscriptions: number;
  readonly publishers: number;
  readonly publishesEach: number;
  readonly consumersEach: number;
  readonly roundsEach: number;
}

/** In so many of ten cases; null in the others. */
const sometimes = <T>(arbitrary: fc.Arbitrary<T>, weight: number): fc.Arbitrary<T | null> =>
  fc.oneof({ arbitrary, weight }, { arbitrary: fc.constant(null), weight: 10 - weight });

function drawRound(): fc.Arbitrary<Round> {
  return fc.record({
    instance: fc.nat(1),
    maxMessages: fc.integer({ min: 1, max: 8 }),
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 20, max: 500 })),
    visibilityTimeoutSeconds: sometimes(fc.integer({ min: 1, max: 2 }), 3),
    repetition: sometimes(fc.constantFrom<Repetition>('at once', 'afterwards'), 1),
    leavesAfterMs: sometimes(fc.nat(12), 1),
    fates: fc.array(fc.constantFrom(...fates), { minLength: 1, maxLength: 6 }),
    afterthought: sometimes(drawAfterthought(), 6),
  });
}

function drawAfterthought(): fc.Arbitrary<Afterthought> {
  return fc.record({
    verb: fc.constantFrom<SettleVerb>('acknowledge', 'release', 'extend', 'reject'),
    ofForgotten: fc.boolean(),
    which: fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }),
  });
}

function drawPublish() {
  return fc.record({
    messages: fc.integer({ min: 1, max: 6 }),
    pauseMs: fc.nat(500),
    repetition: sometimes(fc.constantFrom<Repetition>('at once', 'afterwards'), 3),
  });
}

/** The same plan for the same seed and size. */
export function drawPlan(seed: number, size: PlanSize): Plan {
  const publishers = Array.from({ length: size.publishers }, (_, i) =>
    fc.record({
      topic: fc.constant(i % size.topics),
      instance: fc.nat(1),
      batches: fc.array(drawPublish(), { minLength: size.publishesEach, maxLength: size.publishesEach }),
    }),
  );
  const consumers = Array.from({ length: size.subscriptions * size.consumersEach }, (_, i) =>
    fc.record({
      subscription: fc.constant(i % size.subscriptions),
      rounds: fc.array(drawRound(), { minLength: size.roundsEach, maxLength: size.roundsEach }),
    }),
  );
  const plan = fc.record({ publishers: fc.tuple(...publishers), consumers: fc.tuple(...consumers) });
  const [drawn] = fc.sample(plan, { seed, numRuns: 1 });
  if (drawn === undefined) throw new Error('no plan was drawn');
  return drawn;
}

/** Who plays where. */
export interface Stage {
  /** What was recorded so far. */
  readonly calls: readonly Call[];
  clientOf(instance: number, name: string): RecordingClient;
  /** How many messages of a subscription are still to be settled; null when nobody can say now. */
  countLeft(subscription: string): Promise<number | null>;
  /** Upkeep of all instances, once; null where they see to it themselves. */
  readonly sweep: (() => Promise<unknown>) | null;
  /** Whether publishers begin their plan anew when they are through. */
  goOn(): boolean;
  readonly topics: readonly string[];
  readonly subscriptions: readonly string[];
  /** Receipts that nobody settled when they were got, oldest first. Filled by the play. */
  readonly forgotten: { readonly subscription: string; readonly receipt: string; readonly at: number }[];
}

/**
 * Plays the plan to its end: consumers go through their rounds until the last publish is done, and
 * upkeep goes on meanwhile. Then what is left is taken and acknowledged.
 */
export async function playPlan(plan: Plan, stage: Stage): Promise<void> {
  const upkeep = startUpkeep(stage);
  let publishing = true;
  const consumers = plan.consumers.map((_, i) => consumeAll(plan, i, stage, () => publishing));
  await Promise.all(plan.publishers.map((_, i) => publishAll(plan, i, stage)));
  publishing = false;
  await Promise.all(consumers);
  await Promise.all(stage.subscriptions.map((subscription) => drain(subscription, stage)));
  await upkeep.stop();
}

const SWEEP_PAUSE_MS = 40;

/** Every instance sweeps, as its job would, only more often. */
function startUpkeep({ sweep }: Stage): { stop(): Promise<void> } {
  let over = sweep === null;
  const sweeping = (async () => {
    while (!over) {
      await sweep?.();
      await pause(SWEEP_PAUSE_MS);
    }
  })();
  return {
    stop: async () => {
      over = true;
      await sweeping;
    },
  };
}

const UNANSWERED_PAUSE_MS = 100;
const TRIES_MAX = 20;

/** Asks until there is an answer, or patience ends. Only for what may be repeated without harm. */
async function insist<C extends { readonly answer: unknown }>(ask: () => Promise<C>): Promise<C> {
  for (let tried = 1; ; tried += 1) {
    const call = await ask();
    if (call.answer !== null || tried === TRIES_MAX) return call;
    await pause(UNANSWERED_PAUSE_MS);
  }
}

async function publishAll({ publishers }: Plan, i: number, stage: Stage): Promise<void> {
  const { topic = 0, instance = 0, batches = [] } = publishers[i] ?? {};
  const name = `publisher-${i}`;
  for (let no = 0; no < batches.length || stage.goOn(); no += 1) {
    const { messages = 0, pauseMs = 0, repetition = null } = batches[no % batches.length] ?? {};
    await pause(pauseMs);
    const numbers = Array.from({ length: messages }, (_, j) => `${i}.${no}.${j}`);
    const bodies = numbers.map((number) => `<note><no>${number}</no></note>`);
    const keys = repetition === null ? [] : numbers;
    const publish = (on: number) => stage.clientOf(on, name).publish(stage.topics[topic] ?? '', bodies, keys);
    const ask = (on: number) => (repetition === null ? publish(on) : insist(() => publish(on)));
    const calls = await repeatCall(
      repetition,
      () => ask(instance),
      () => ask(1 - instance),
    );
    if (calls.every(({ answer }) => answer === null)) await pause(UNANSWERED_PAUSE_MS);
  }
}

/** The call, and its repetition when it has one. */
async function repeatCall<T>(
  repetition: Repetition | null,
  call: () => Promise<T>,
  again: () => Promise<T>,
): Promise<T[]> {
  if (repetition === 'at once') return Promise.all([call(), again()]);
  const answer = await call();
  return repetition === null ? [answer] : [answer, await again()];
}

async function consumeAll({ consumers }: Plan, i: number, stage: Stage, goOn: () => boolean): Promise<void> {
  const { subscription: index = 0, rounds = [] } = consumers[i] ?? {};
  const subscription = stage.subscriptions[index] ?? '';
  const name = `consumer-${i}`;
  const alongTheWay: InputFields[] = [];
  for (let no = 0; goOn(); no += 1) {
    const round = rounds[no % rounds.length];
    if (round === undefined) return;
    const client = stage.clientOf(round.instance, name);
    const elsewhere = stage.clientOf(1 - round.instance, name);
    const receiving = (on: RecordingClient) => receiveRound({ client: on, subscription }, round, `${no}`, alongTheWay);
    const calls = await repeatCall(
      round.repetition,
      () => receiving(client),
      () => receiving(elsewhere),
    );
    if (calls.every(({ answer, left }) => answer === null && !left)) await pause(UNANSWERED_PAUSE_MS);
    // A repetition hands out the same receipts.
    const receipts = new Set(calls.flatMap((call) => (call.answer ?? []).map(({ receipt }) => receipt)));
    const batch = [...receipts].map((receipt, j) => ({
      fate: round.fates[j % round.fates.length] ?? 'forget',
      input: { receipt, reference: `${name}, round ${no}` },
    }));
    for (const { fate, input } of batch) {
      if (fate.endsWith('forget'))
        stage.forgotten.push({ subscription, receipt: input.receipt, at: performance.now() });
    }
    const thinking = thinkAgain(stage, client, subscription, round.afterthought);
    await Promise.all([thinking, ...settleBatch({ client, elsewhere, subscription }, batch)]);
  }
  if (alongTheWay.length > 0) await stage.clientOf(0, name).settle('acknowledge', subscription, alongTheWay);
}

async function receiveRound(
  { client, subscription }: Pick<Consumer, 'client' | 'subscription'>,
  round: Round,
  key: string,
  alongTheWay: readonly InputFields[],
): Promise<ReceiveCall> {
  const leaving = new AbortController();
  if (round.leavesAfterMs !== null) setTimeout(() => leaving.abort(), round.leavesAfterMs).unref();
  const { receive } = await client.receive(subscription, {
    ...{ maxMessages: round.maxMessages, waitSeconds: round.waitMs / 1000, signal: leaving.signal },
    ...(round.visibilityTimeoutSeconds !== null && { visibilityTimeoutSeconds: round.visibilityTimeoutSeconds }),
    ...(round.repetition !== null && { idempotencyKey: key }),
    acknowledge: alongTheWay.map(({ receipt, reference = null }) => ({ receipt, reference })),
  });
  return receive;
}

interface Consumer {
  readonly client: RecordingClient;
  /** The same one, on the other instance. */
  readonly elsewhere: RecordingClient;
  readonly subscription: string;
}

const someError = { code: 'not_today', message: 'The ledger of the vendor is closed.' };
const LATER_SECONDS = 1;
/** Some leases are over by then, some not. */
const FORGOTTEN_MS = 800;
const RECENT_MAX = 30;

/** All messages of one fate in one call, all calls at once. */
function settleBatch(
  { client, elsewhere, subscription }: Consumer,
  batch: readonly { fate: Fate; input: InputFields }[],
): Promise<unknown>[] {
  return [...Map.groupBy(batch, ({ fate }) => fate)].map(async ([fate, together]) => {
    const inputs = together.map(({ input }) => input);
    const settle = (verb: SettleVerb, by: readonly InputFields[] = inputs, fields = {}) =>
      client.settle(verb, subscription, by, fields);
    switch (fate) {
      case 'acknowledge':
        return insist(() => settle('acknowledge'));
      case 'acknowledge twice in one call':
        return settle('acknowledge', [...inputs, ...inputs]);
      case 'acknowledge on both instances':
        return Promise.all([settle('acknowledge'), elsewhere.settle('acknowledge', subscription, inputs)]);
      case 'acknowledge atomically':
        return insist(() => settle('acknowledge', inputs, { atomic: true }));
      case 'acknowledge atomically with a forged one': {
        const forged = inputs.slice(0, 1).map(({ receipt }) => ({ receipt: forge(receipt) }));
        return settle('acknowledge', [...inputs, ...forged], { atomic: true });
      }
      case 'acknowledge and release':
        return Promise.all([settle('acknowledge'), elsewhere.settle('release', subscription, inputs)]);
      case 'release':
        return settle('release');
      case 'release with an error':
        return settle(
          'release',
          inputs.map((input) => ({ ...input, error: someError })),
        );
      case 'release for later':
        return settle(
          'release',
          inputs.map((input) => ({ ...input, delaySeconds: LATER_SECONDS })),
        );
      case 'extend, then acknowledge':
        await settle('extend', inputs.slice(0, 2), { visibilityTimeoutSeconds: 2 });
        return settle('acknowledge');
      case 'extend, then forget':
        return settle('extend', inputs.slice(0, 2), { visibilityTimeoutSeconds: 1 });
      case 'reject':
        return settle('reject');
      default:
        return null;
    }
  });
}

/** Somebody remembers receipts that were handed out some time ago, to whomever; or forges one. */
async function thinkAgain(
  { calls, forgotten }: Stage,
  client: RecordingClient,
  subscription: string,
  afterthought: Afterthought | null,
): Promise<void> {
  if (afterthought === null) return;
  const { verb, ofForgotten, which } = afterthought;
  const handedOut = () =>
    calls.flatMap((call) => (call.verb === 'receive' && call.subscription === subscription ? (call.answer ?? []) : []));
  const before = performance.now() - FORGOTTEN_MS;
  const known = ofForgotten
    ? forgotten.filter((one) => one.subscription === subscription && one.at < before).slice(-RECENT_MAX)
    : handedOut();
  const inputs = which.map((no) => ({
    receipt: known[no % (known.length + 1)]?.receipt ?? forge(known.at(-1)?.receipt ?? ''),
    reference: 'afterthought',
  }));
  await client.settle(verb, subscription, inputs);
}

/** The numbers of a receipt that was handed out, with another nonce. */
function forge(receipt: string): string {
  const parts = parseReceipt(receipt);
  return parts === null ? 'made up' : formatReceipt({ ...parts, nonce: parts.nonce ^ 1n });
}

/** Rounds in which nothing comes, each a tenth of a second or longer. */
const IDLE_ROUNDS_MAX = 200;

/** Ends when nothing is left, or nothing comes any more; the checker sees which. */
async function drain(subscription: string, stage: Stage): Promise<void> {
  const client = stage.clientOf(0, 'drain');
  for (let idle = 0; idle < IDLE_ROUNDS_MAX; idle += 1) {
    const { receive } = await client.receive(subscription, { maxMessages: 100, waitSeconds: 0.1 });
    const inputs = (receive.answer ?? []).map(({ receipt }) => ({ receipt }));
    if (inputs.length > 0) idle = 0;
    if (inputs.length > 0) await client.settle('acknowledge', subscription, inputs);
    if (receive.answer === null) await pause(UNANSWERED_PAUSE_MS);
    if ((await stage.countLeft(subscription)) === 0) return;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
