// Random sequences of commands on one subscription, alternating between two instances, against a
// small model in memory. After each command the answer, and in the end every row, is what the model
// says. Leases end and back-offs pass at a word of the owner's, not by waiting. fast-check shrinks
// a failure and prints how to run it again.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatReceipt, parseReceipt } from '../../src/domain/receipt.ts';
import { isOk, type SettleVerb, settleVerbs } from '../../src/domain/settling.ts';
import { CALLER, createQueue, newMessage, type Queue, receiveRequest } from '../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine, type TestEngine } from '../support/engine.ts';
import { readRows } from '../support/history-rows.ts';
import { type Owner, openOwner } from '../support/lock.ts';
import { type ModelSettings, SubscriptionModel } from '../support/subscription-model.ts';

const RUNS = 80;
const COMMANDS_MAX = 60;
/** A few seconds where nobody else is busy. */
/** Of all receipts, those that are still played with. */
const RECENT_MAX = 10;
/** No back-off passes while a run lasts, unless the owner says so. */
const BACKOFF_SECONDS = 3600;

let database: TestDatabase;
let owner: Owner;
let engines: TestEngine[];
const seen = new Set<string>();

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await openOwner(database);
  engines = [await createTestEngine(database), await createTestEngine(database)];
});
afterAll(async () => {
  await owner.end();
  for (const engine of engines) await engine.stop();
  await database.drop();
});

interface Real {
  readonly queue: Queue;
}

/**
 * Each command does the same to the model and to the real subscription, by one of the instances.
 */
abstract class Command implements fc.AsyncCommand<SubscriptionModel, Real> {
  abstract readonly instance: number;
  abstract run(model: SubscriptionModel, real: Real): Promise<void>;
  check(_model: Readonly<SubscriptionModel>): boolean {
    return true;
  }
  get engine(): TestEngine {
    const engine = engines[this.instance];
    if (engine === undefined) throw new Error(`there is no instance ${this.instance}`);
    return engine;
  }
}

class Publish extends Command {
  readonly instance: number;
  readonly count: number;
  constructor(instance: number, count: number) {
    super();
    this.instance = instance;
    this.count = count;
  }
  async run(model: SubscriptionModel, { queue }: Real) {
    const messages = Array.from({ length: this.count }, () => newMessage('<note/>'));
    await this.engine.publish({ topic: queue.name, messages, caller: CALLER });
    model.publish(this.count);
  }
  override toString = () => `publish ${this.count} by ${this.instance}`;
}

class Receive extends Command {
  readonly instance: number;
  readonly maxMessages: number;
  constructor(instance: number, maxMessages: number) {
    super();
    this.instance = instance;
    this.maxMessages = maxMessages;
  }
  async run(model: SubscriptionModel, { queue }: Real) {
    const { messages } = await this.engine.receive({ ...receiveRequest(queue.name), maxMessages: this.maxMessages });
    model.receive(this.maxMessages, messages);
  }
  override toString = () => `receive ${this.maxMessages} by ${this.instance}`;
}

class Settle extends Command {
  readonly instance: number;
  readonly verb: SettleVerb;
  /** Positions among the newest receipts, counted from the end and around; 0 is a forged one. */
  readonly which: readonly number[];
  readonly options: { readonly atomic: boolean; readonly failed: boolean; readonly delayed: boolean };
  constructor(instance: number, verb: SettleVerb, which: readonly number[], options: Settle['options']) {
    super();
    this.instance = instance;
    this.verb = verb;
    this.which = which;
    this.options = options;
  }
  override check = (model: Readonly<SubscriptionModel>) => model.receipts.length > 0;
  async run(model: SubscriptionModel, { queue }: Real) {
    const receipts = this.which.map((back) => pick(model, back));
    const expected = this.#expect(model, receipts);
    const answer = await this.#call(queue, receipts);
    for (const { outcome } of answer.results) seen.add(outcome);
    expect(answer.results.map(({ outcome }) => outcome)).toEqual(expected);
    expect(answer.failed).toBe(expected.filter((outcome) => !isOk(this.verb, outcome)).length);
  }
  #expect(model: SubscriptionModel, receipts: readonly string[]) {
    const judged = receipts.map((receipt) => model.judge(this.verb, receipt));
    const refused = this.#atomic && judged.some((outcome) => !isOk(this.verb, outcome));
    if (refused) return judged.map((outcome) => (/^acknowledged/.test(outcome) ? 'not_done' : outcome));
    return receipts.map((receipt) => model.settle(this.verb, receipt, this.options));
  }
  #call({ name }: Queue, receipts: readonly string[]) {
    const error = this.options.failed ? { code: 'broken', message: null } : null;
    const delaySeconds = this.options.delayed ? BACKOFF_SECONDS : null;
    const inputs = receipts.map((receipt) => ({ receipt, reference: null, error, delaySeconds }));
    const request = { subscription: name, receipts: inputs, caller: CALLER };
    return this.verb === 'acknowledge'
      ? this.engine.acknowledge({ ...request, atomic: this.#atomic })
      : this.engine[this.verb](request);
  }
  get #atomic() {
    return this.verb === 'acknowledge' && this.options.atomic;
  }
  override toString = () => `${this.verb} ${this.which} by ${this.instance} ${JSON.stringify(this.options)}`;
}

function pick(model: SubscriptionModel, back: number): string {
  const recent = model.receipts.slice(-RECENT_MAX);
  return back === 0 ? forge(recent.at(-1) ?? '') : (recent.at(-1 - (back % recent.length)) ?? '');
}

/** The numbers of a receipt that was handed out, with another nonce. */
function forge(receipt: string): string {
  const parts = parseReceipt(receipt);
  return parts === null ? receipt : formatReceipt({ ...parts, nonce: parts.nonce ^ 1n });
}

/** The time of one delivery's leases is over. */
class Lapse extends Command {
  readonly instance = 0;
  readonly which: number;
  constructor(which: number) {
    super();
    this.which = which;
  }
  override check = (model: Readonly<SubscriptionModel>) => model.receipts.length > 0;
  async run(model: SubscriptionModel, { queue }: Real) {
    const deliveryOf = (receipt: string) => parseReceipt(receipt)?.deliveryNo ?? 0;
    const deliveryNo = deliveryOf(pick(model, this.which));
    const over =
      'update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1 and delivery_no = $2';
    await owner.rows(over, [queue.subscriptionId, deliveryNo]);
    model.lapse(model.receipts.filter((receipt) => deliveryOf(receipt) === deliveryNo));
  }
  override toString = () => `lapse the delivery of ${this.which}`;
}

class Sweep extends Command {
  readonly instance: number;
  constructor(instance: number) {
    super();
    this.instance = instance;
  }
  async run(model: SubscriptionModel) {
    await this.engine.sweep();
    model.sweep();
  }
  override toString = () => `sweep by ${this.instance}`;
}

class MakeDue extends Command {
  readonly instance = 0;
  async run(model: SubscriptionModel, { queue }: Real) {
    const due = 'update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1';
    await owner.rows(due, [queue.subscriptionId]);
    model.makeDue();
  }
  override toString = () => 'all back-offs are over';
}

const instance = fc.nat(1);
const which = fc.array(fc.nat(30), { minLength: 1, maxLength: 5 });
const options = fc.record({ atomic: fc.boolean(), failed: fc.boolean(), delayed: fc.boolean() });
const commands = fc.commands(
  [
    fc.tuple(instance, fc.integer({ min: 1, max: 6 })).map((args) => new Publish(...args)),
    fc.tuple(instance, fc.integer({ min: 1, max: 5 })).map((args) => new Receive(...args)),
    fc.tuple(instance, fc.integer({ min: 1, max: 5 })).map((args) => new Receive(...args)),
    fc.tuple(instance, fc.constantFrom(...settleVerbs), which, options).map((args) => new Settle(...args)),
    fc.tuple(instance, fc.constantFrom(...settleVerbs), which, options).map((args) => new Settle(...args)),
    fc.integer({ min: 1, max: 30 }).map((back) => new Lapse(back)),
    instance.map((by) => new Sweep(by)),
    fc.constant(new MakeDue()),
  ],
  { maxCommands: COMMANDS_MAX, size: 'max' },
);

const settings: fc.Arbitrary<ModelSettings> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  maxDeliveries: fc.integer({ min: 2, max: 4 }),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 4 })),
});

describe('a subscription, whatever is done to it', () => {
  it('answers as the model does, and holds what the model holds', async () => {
    await fc.assert(
      fc.asyncProperty(settings, commands, async (bounds, steps) => {
        const queue = await createQueue(engines[0] as TestEngine, {
          ...{ ...bounds, minBackoffSeconds: BACKOFF_SECONDS, maxBackoffSeconds: BACKOFF_SECONDS },
          visibilityTimeoutSeconds: BACKOFF_SECONDS,
        });
        const model = new SubscriptionModel(bounds);
        await new Publish(0, 4).run(model, { queue });
        await fc.asyncModelRun(() => ({ model, real: { queue } }), steps);
        await compare(model, queue);
      }),
      { numRuns: RUNS },
    );
  });

  it('has been asked for every outcome there is', () => {
    const outcomes = [
      'acknowledged',
      'acknowledged_late',
      'already_acknowledged',
      'released',
      'already_released',
      'gone',
    ];
    const others = [
      'rejected',
      'already_rejected',
      'extended',
      'superseded',
      'dead_lettered',
      'invalid_receipt',
      'not_done',
    ];
    expect([...outcomes, ...others].filter((outcome) => !seen.has(outcome))).toEqual([]);
  });
});

/** Every row that says where a message is, and how it got there. */
async function compare(model: SubscriptionModel, { topicId }: Queue): Promise<void> {
  const rows = await readRows(database, [topicId]);
  const ascending = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
  const { acknowledgments } = rows;
  expect(acknowledgments.map(({ ackNo }) => ackNo)).toEqual(acknowledgments.map((_, i) => i + 1));
  expect(ascending(acknowledgments.map(({ seq }) => seq))).toEqual(model.acknowledged);
  expect(acknowledgments).toHaveLength(model.acknowledgments);
  expect(rows.deferred.map(({ seq }) => seq)).toEqual(model.deferred);
  const outstanding = rows.leases.flatMap((lease) => lease.outstanding);
  expect(ascending(outstanding)).toEqual(ascending(model.inFlight.map(({ seq }) => seq)));
  const failures = rows.failures.map(({ seq, attempt, ended }) => ({ seq, attempt, ended }));
  expect(failures).toEqual(model.failures);
  const open = rows.deadLetters.filter(({ closed }) => !closed);
  expect(open.map(({ seq, reason }) => ({ seq, reason })).sort((a, b) => a.seq - b.seq)).toEqual(model.dead);
}
