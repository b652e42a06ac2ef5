// Random histories of a topic with two subscriptions. After each command the looks are asked, with
// no floors and with those that earlier looks gave, and each step is tried and undone: a look names
// a subscription or topic exactly when its step changes a row. fast-check shrinks a failure and
// prints how to run it again.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RetentionFloors } from '../../../src/store/retention.ts';
import { CALLER, createQueue, freshName, type Queue, queueOf } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

const RUNS = 25;
const COMMANDS_MAX = 25;
/** Some seconds where nobody else is busy. */
const HOUR = 3600;
const DAY = 86_400;
const TABLES = ['message', 'delivery', 'deferred', 'settled_mark', 'dead_letter', 'failure', 'acknowledgment'];

type Verb = 'acknowledge' | 'release' | 'reject' | 'forget';
type Command =
  | { readonly do: 'publish'; readonly count: number }
  | { readonly do: 'receive'; readonly who: number; readonly count: number }
  | { readonly do: 'settle'; readonly who: number; readonly which: number; readonly verb: Verb }
  | { readonly do: 'pass'; readonly seconds: number }
  | { readonly do: 'retain' }
  | { readonly do: 'delete'; readonly who: number }
  | { readonly do: 'keep'; readonly acknowledgedSeconds: number; readonly ledgerSeconds: number | null };

const who = fc.nat({ max: 1 });
const pass = (seconds: number): Command => ({ do: 'pass', seconds });
/** Sums of these come near no time that matters. */
const passes = [61, 3701, 90_007, 350_003, 700_013].map(pass);
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('receive' as const), who, count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      who,
      which: fc.nat({ max: 3 }),
      verb: fc.constantFrom<Verb>('acknowledge', 'acknowledge', 'acknowledge', 'release', 'reject', 'forget'),
    }),
  },
  { weight: 6, arbitrary: fc.constantFrom(...passes) },
  { weight: 5, arbitrary: fc.constant({ do: 'retain' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('keep' as const),
      acknowledgedSeconds: fc.constantFrom(0, HOUR, DAY),
      ledgerSeconds: fc.constantFrom(null, HOUR),
    }),
  },
);

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

interface Consumer {
  readonly queue: Queue;
  readonly receipts: string[];
  floors: RetentionFloors;
  deleted: boolean;
}

/** One topic, its consumers, and what looks have told of them. */
class History {
  readonly topic: Queue;
  readonly consumers: Consumer[];
  topicFloor = 0;

  constructor(topic: Queue, other: Queue) {
    this.topic = topic;
    const unknown = { deliveryNo: 0, markedAt: null, ackNo: 0 };
    this.consumers = [topic, other].map((queue) => ({ queue, receipts: [], floors: unknown, deleted: false }));
  }

  async run(command: Command): Promise<void> {
    if (command.do === 'publish') {
      await this.topic.publish(...Array.from({ length: command.count }, () => 'a'));
    } else if (command.do === 'pass') {
      await this.pass(command.seconds);
    } else if (command.do === 'retain') {
      await bench.openEngine().retain();
    } else if (command.do === 'keep') {
      const settings = { retainAcknowledgedSeconds: command.acknowledgedSeconds };
      await engine.updateTopic({ name: this.topic.name, settings, caller: CALLER });
      await bench.rows('update willcall.ledger_policy set retention_seconds = $1', [command.ledgerSeconds]);
    } else {
      const consumer = this.consumers[command.who];
      if (consumer !== undefined && !consumer.deleted) await this.consume(consumer, command);
    }
  }

  async consume(consumer: Consumer, command: Command): Promise<void> {
    const { queue, receipts } = consumer;
    if (command.do === 'receive') {
      receipts.push(...(await queue.receive({ maxMessages: command.count })).map(({ receipt }) => receipt));
    } else if (command.do === 'delete') {
      await engine.deleteSubscription(queue.name, CALLER);
      consumer.deleted = true;
    } else if (command.do === 'settle') {
      const [receipt] = receipts.splice(command.which, 1);
      if (receipt === undefined) return;
      if (command.verb === 'acknowledge') await queue.acknowledge(receipt);
      else if (command.verb === 'release') await queue.release(receipt, { delaySeconds: HOUR });
      else if (command.verb === 'reject') await queue.reject(receipt);
      else await this.lapse(queue);
    }
  }

  /** Ends what is in flight. */
  async lapse({ subscriptionId }: Queue): Promise<void> {
    await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
      subscriptionId,
    ]);
    await bench.openEngine().sweep();
  }

  /** What an engine remembers does not move; here it does, so that floors stay true. */
  async pass(seconds: number): Promise<void> {
    await bench.letTimePass(seconds);
    for (const { floors, ...consumer } of this.consumers) {
      const markedAt = floors.markedAt === null ? null : new Date(floors.markedAt.getTime() - seconds * 1000);
      Object.assign(this.consumers.find(({ queue }) => queue === consumer.queue) ?? {}, {
        floors: { ...floors, markedAt },
      });
    }
  }
}

/** Whether the statement changes any row of the topic's; it is undone. */
async function changes(topicId: number, step: string, values: unknown[]): Promise<boolean> {
  const state = () =>
    bench.rows(
      TABLES.map(
        (table) => `select md5(string_agg(r::text, ';' order by r::text)) from willcall.${table} r where topic_id = $1`,
      ).join(' union all '),
      [topicId],
    );
  await bench.rows('begin');
  try {
    const before = await state();
    await bench.rows(step, values);
    return JSON.stringify(await state()) !== JSON.stringify(before);
  } finally {
    await bench.rows('rollback');
  }
}

/**
 * What looks say of everything, in one line each; with floors, what they tell of those is
 * remembered.
 */
async function look(history: History, withFloors: boolean): Promise<string[]> {
  const said: string[] = [];
  const { findDueSubscriptions, findDueTopics } = bench.store.retention;
  for (const consumer of history.consumers) {
    const floors = withFloors ? consumer.floors : { deliveryNo: 0, markedAt: null, ackNo: 0 };
    const [due] = await findDueSubscriptions([{ ...consumer.queue, floors }]);
    if (withFloors) consumer.floors = due?.floors ?? floors;
    if (due?.retains) said.push(`retain ${consumer.queue.name}`);
    if (due?.prunesLedger) said.push(`prune the ledger of ${consumer.queue.name}`);
  }
  const { topicId } = history.topic;
  const [due] = await findDueTopics([{ topicId, floor: withFloors ? history.topicFloor : 0 }]);
  if (withFloors) history.topicFloor = due?.floor ?? history.topicFloor;
  if (due?.prunes) said.push('prune');
  return said;
}

/** What steps would do now. */
async function tryAll({ topic, consumers }: History): Promise<string[]> {
  const done: string[] = [];
  const { topicId } = topic;
  for (const { queue } of consumers) {
    const key = [topicId, queue.subscriptionId];
    const retain = 'select * from willcall.retain_subscription($1, $2, null, 1000)';
    if (await changes(topicId, retain, key)) done.push(`retain ${queue.name}`);
    const pruneLedger = 'select willcall.prune_ledger($1, $2, 1000)';
    if (await changes(topicId, pruneLedger, key)) done.push(`prune the ledger of ${queue.name}`);
  }
  if (await changes(topicId, 'select * from willcall.prune_topic($1, null, 1000)', [topicId])) done.push('prune');
  return done;
}

const seen = { named: new Set<string>(), idle: 0 };

async function play(commands: readonly Command[]): Promise<void> {
  await bench.clear();
  await bench.rows('update willcall.ledger_policy set retention_seconds = null');
  const topic = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
  const request = { name: freshName(), topic: topic.name, start: 'latest' as const, settings: {}, caller: CALLER };
  const { subscription } = await engine.createSubscription(request);
  const history = new History(topic, queueOf(engine, request.name, subscription, topic.name));
  for (const command of commands) {
    await history.run(command);
    const expected = await tryAll(history);
    expect(await look(history, false)).toEqual(expected);
    expect(await look(history, true)).toEqual(expected);
    for (const each of expected) seen.named.add(each.replace(/ [^ ]*$/, ''));
    if (expected.length === 0) seen.idle += 1;
  }
}

const take = (count: number): Command[] => [
  { do: 'receive', who: 0, count },
  { do: 'receive', who: 1, count },
];
const settle = (verb: Verb): Command[] => [0, 1].map((one) => ({ do: 'settle', who: one, which: 0, verb }));
/** Histories in which each step has something to do, so that luck decides only about the rest. */
const EXAMPLES: [Command[]][] = [
  [
    [
      { do: 'publish', count: 3 },
      ...[...take(3), ...settle('acknowledge'), ...settle('acknowledge'), ...settle('acknowledge')],
      ...[pass(61), { do: 'retain' } as const, pass(90_007), { do: 'retain' } as const, pass(61)],
      { do: 'keep', acknowledgedSeconds: DAY, ledgerSeconds: HOUR },
      ...[{ do: 'retain' } as const, { do: 'retain' } as const, pass(700_013), { do: 'retain' } as const],
    ],
  ],
  [[{ do: 'publish', count: 2 }, pass(700_013), { do: 'retain' }, pass(700_013), { do: 'retain' }, { do: 'retain' }]],
  [
    [
      { do: 'publish', count: 2 },
      ...[...take(2), ...settle('release'), ...settle('forget')],
      ...[{ do: 'delete', who: 1 } as const, { do: 'retain' } as const, pass(700_013), { do: 'retain' } as const],
    ],
  ],
  // A mark that is held up by what waits; then a message that is too old, where nothing else is
  // left to do.
  [
    [
      ...[pass(700_013), { do: 'publish', count: 1 } as const, pass(350_003), ...take(1), ...settle('release')],
      ...[pass(61), { do: 'retain' } as const, pass(61), pass(90_007), { do: 'retain' } as const],
      ...[pass(350_003), { do: 'retain' } as const],
    ],
  ],
];

it('a look names exactly what a step would change, whatever happened before', async () => {
  await fc.assert(fc.asyncProperty(fc.array(anyCommand, { maxLength: COMMANDS_MAX, size: 'max' }), play), {
    numRuns: RUNS,
    examples: EXAMPLES,
  });
  expect([...seen.named].sort()).toEqual(['prune', 'prune the ledger of', 'retain']);
  expect(seen.idle).toBeGreaterThan(0);
});
