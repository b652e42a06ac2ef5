// The consumer loop of the TypeScript client against a server that plays a queue and every kind of
// trouble.

import { afterEach, describe, expect, it } from 'vitest';
import {
  type ConsumeFault,
  type ConsumeOptions,
  createClient,
  type ReceivedMessage,
  Rejection,
  WillcallClientError,
} from '../../src/client/index.ts';
import { openScriptedServer, problem, type Scripted, type SeenRequest } from '../support/scripted-server.ts';

type Json = Record<string, unknown>;
type SettleInput = string | { receipt: string };
type Asked = { max_messages: number; wait_seconds: number; acknowledge: SettleInput[] };

interface Desk {
  readonly seen: readonly SeenRequest[];
  /** Requests of one verb, in order. */
  calls(verb: string): Json[];
  /** Puts messages into the queue; their receipts are `r-<body>`. */
  deliver(...bodies: string[]): void;
  /** The receipts that were acknowledged, in order, however they came. */
  readonly signed: string[];
  /**
   * What to answer next to a call of the verb, instead of doing it; `lost` does it and breaks the
   * connection.
   */
  trouble(verb: string, ...answers: (Scripted | 'lost')[]): void;
  /** What to say of a receipt, instead of what the verb wanted. */
  outcomes: Map<string, string>;
  readonly faults: ConsumeFault[];
  consume(options: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'handler'>): Promise<void>;
}

const wanted: Record<string, string> = {
  ...{ acknowledge: 'acknowledged', release: 'released', extend: 'extended', reject: 'rejected' },
};
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function openDesk(): Promise<Desk> {
  const queue: string[] = [];
  const signed: string[] = [];
  const outcomes = new Map<string, string>();
  const troubles = new Map<string, (Scripted | 'lost')[]>();
  const faults: ConsumeFault[] = [];
  let arrived = Promise.withResolvers<void>();

  const settle = (verb: string, inputs: readonly SettleInput[] = []) =>
    inputs.map((input) => {
      const receipt = typeof input === 'string' ? input : input.receipt;
      const outcome = outcomes.get(receipt) ?? wanted[verb];
      if (verb === 'acknowledge') signed.push(receipt);
      return { receipt, message_id: receipt.slice(2), outcome };
    });
  const receive = async ({ json, gone }: SeenRequest) => {
    const { max_messages: most, wait_seconds: seconds, acknowledge } = json as Asked;
    const acknowledged = settle('acknowledge', acknowledge);
    const left = new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve()));
    // As the service does: a receipt that is not good is told at once.
    const good = acknowledged.every(({ outcome }) => outcome?.includes('acknowledged'));
    while (good && seconds > 0 && queue.length === 0 && !gone.aborted) await Promise.race([arrived.promise, left]);
    const bodies = gone.aborted ? [] : queue.splice(0, most);
    const messages = bodies.map((body) => ({
      id: body,
      receipt: `r-${body}`,
      attempt: 1,
      body,
      body_encoding: 'utf8',
    }));
    return { messages, acknowledged };
  };
  const server = await openScriptedServer(async (request) => {
    const verb = request.path.split('/').at(-1) ?? '';
    const trouble = troubles.get(verb)?.shift();
    if (trouble !== undefined && trouble !== 'lost') return trouble;
    const results = (request.json as { receipts?: SettleInput[] }).receipts;
    const body = verb === 'receive' ? await receive(request) : { results: settle(verb, results), failed: 0 };
    return trouble === 'lost' ? 'hang up' : { body };
  });
  stops.push(server.close);
  const client = createClient({ url: server.url, key: 'k', retry: { minDelayMs: 1, maxDelayMs: 5 } });
  return {
    ...{ signed, outcomes, faults, seen: server.seen },
    calls: (verb) => server.seen.filter(({ path }) => path.endsWith(`/${verb}`)).map(({ json }) => json as Json),
    deliver(...bodies) {
      queue.push(...bodies);
      arrived.resolve();
      arrived = Promise.withResolvers();
    },
    trouble: (verb, ...answers) => void troubles.set(verb, answers),
    consume: (options) => client.consume({ subscription: 's', onError: (fault) => faults.push(fault), ...options }),
  };
}

/** A consumer that is stopped at the end of the test at the latest. */
function run(desk: Desk, options: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'handler'>) {
  const controller = new AbortController();
  const ended = desk.consume({ ...options, signal: controller.signal });
  const stop = () => {
    controller.abort();
    return ended;
  };
  stops.unshift(stop);
  return { stop };
}

const until = (condition: () => boolean) => expect.poll(condition, { interval: 5 }).toBe(true);

describe('consuming', () => {
  it('signs for a batch with the next poll, references included', async () => {
    const desk = await openDesk();
    desk.deliver('a', 'b');
    run(desk, { concurrency: 2, handler: ({ body }) => (body === 'a' ? { reference: 'A-1' } : undefined) });
    await until(() => desk.calls('receive').length === 2);
    expect(desk.calls('receive')).toEqual([
      { max_messages: 2, wait_seconds: 20, visibility_timeout_seconds: 30, acknowledge: [] },
      expect.objectContaining({ acknowledge: [{ receipt: 'r-a', reference: 'A-1' }, { receipt: 'r-b' }] }),
    ]);
    expect(desk.calls('acknowledge')).toEqual([]);
  });

  it('signs at once when a poll is parked already', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    desk.deliver('slow');
    run(desk, { concurrency: 2, handler: () => work.promise });
    await until(() => desk.calls('receive').length === 2);
    work.resolve();
    await until(() => desk.signed.length === 1);
    expect(desk.calls('acknowledge')).toEqual([{ receipts: [{ receipt: 'r-slow' }] }]);
    expect(desk.calls('receive')).toHaveLength(2);
  });

  it('never has more messages in work than asked for, and asks for as many as there are hands free', async () => {
    const desk = await openDesk();
    desk.deliver(...Array.from({ length: 20 }, (_, index) => String(index)));
    let inWork = 0;
    let most = 0;
    run(desk, {
      concurrency: 3,
      handler: async () => {
        inWork += 1;
        most = Math.max(most, inWork);
        await new Promise((resolve) => setImmediate(resolve));
        inWork -= 1;
      },
    });
    await until(() => desk.signed.length === 20);
    expect(most).toBe(3);
    for (const { max_messages: asked } of desk.calls('receive')) expect(asked).toBeLessThanOrEqual(3);
  });

  it('repeats acknowledgments whose answer was lost, with the poll or without', async () => {
    const desk = await openDesk();
    desk.deliver('a');
    const handled: string[] = [];
    desk.trouble('receive', 'lost');
    desk.trouble('acknowledge', 'lost', problem(503, 'overloaded'));
    run(desk, { handler: ({ body }) => void handled.push(body) });
    // The lost poll took "a" with it; "b" is signed for with a poll that fails.
    await until(() => desk.faults.length === 1);
    desk.deliver('b');
    await until(() => desk.signed.includes('r-b'));
    desk.outcomes.set('r-c', 'already_acknowledged');
    desk.trouble('receive', problem(503, 'shutting_down'));
    desk.deliver('c');
    await until(() => desk.signed.includes('r-c'));
    expect(handled).toEqual(['b', 'c']);
    const keys = desk.seen
      .filter(({ path }) => path.endsWith('/receive'))
      .map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toEqual(expect.any(String));
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[1]);
    expect(desk.faults.every(({ during }) => during === 'receive')).toBe(true);
  });

  it('goes on after trouble, no sooner than asked for', async () => {
    const desk = await openDesk();
    const page = { status: 502, body: '<h1>Bad Gateway</h1>' };
    const wait = { ...problem(429, 'rate_limited'), headers: { 'retry-after': '1' } };
    desk.trouble('receive', 'hang up', page, wait);
    desk.deliver('a');
    run(desk, { handler: () => {} });
    await until(() => desk.faults.length === 3);
    const askedAt = desk.seen[2]?.at ?? 0;
    await until(() => desk.signed.length === 1);
    expect((desk.seen[3]?.at ?? 0) - askedAt).toBeGreaterThanOrEqual(995);
    expect(desk.faults.map(({ error }) => (error as WillcallClientError).code)).toEqual([
      'connection_failed',
      'unexpected_answer',
      'rate_limited',
    ]);
  });

  it('ends with what waiting cannot mend, after the messages in hand', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    desk.deliver('a');
    const ended = desk.consume({ subscription: 's', concurrency: 2, handler: () => work.promise });
    await until(() => desk.calls('receive').length === 2);
    desk.trouble('receive', problem(404, 'subscription_not_found'));
    desk.deliver('b');
    work.resolve();
    await expect(ended).rejects.toMatchObject({ code: 'subscription_not_found' });
    expect(desk.signed).toContain('r-a');
  });

  it('refuses to work with no hands', async () => {
    const desk = await openDesk();
    await expect(desk.consume({ concurrency: 0, handler: () => {} })).rejects.toThrow(RangeError);
  });
});

describe('a handler that throws', () => {
  it('has its message released as a failed attempt, with what it threw', async () => {
    const desk = await openDesk();
    desk.deliver('a');
    run(desk, {
      handler: () => {
        throw new TypeError('no answer\0 from the ERP');
      },
    });
    await until(() => desk.calls('release').length === 1);
    const error = { code: 'TypeError', message: 'no answer from the ERP' };
    expect(desk.calls('release')).toEqual([{ receipts: [{ receipt: 'r-a', error }] }]);
    expect(desk.faults).toMatchObject([{ during: 'handler', message: { id: 'a' }, error: expect.any(TypeError) }]);
    expect(desk.signed).toEqual([]);
  });

  it('sets its message aside with a Rejection', async () => {
    const desk = await openDesk();
    desk.deliver('a');
    run(desk, {
      handler: async () => {
        throw new Rejection('UNKNOWN_DOCUMENT', 'What is a Ping?');
      },
    });
    await until(() => desk.calls('reject').length === 1);
    const error = { code: 'UNKNOWN_DOCUMENT', message: 'What is a Ping?' };
    expect(desk.calls('reject')).toEqual([{ receipts: [{ receipt: 'r-a', error }] }]);
  });
});

describe('leases', () => {
  it('are extended while the handler works, and through failures of the call', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    desk.deliver('slow');
    desk.trouble('extend', problem(503, 'overloaded'), problem(503, 'overloaded'));
    run(desk, { visibilityTimeoutSeconds: 1, handler: () => work.promise });
    await until(() => desk.calls('extend').length >= 4);
    expect(desk.calls('extend').at(-1)).toEqual({ receipts: ['r-slow'], visibility_timeout_seconds: 1 });
    expect(desk.faults).toMatchObject([{ during: 'extend' }]);
    work.resolve();
    await until(() => desk.signed.length === 1);
  });

  it('that went to somebody else end the work', async () => {
    const desk = await openDesk();
    desk.deliver('slow');
    desk.outcomes.set('r-slow', 'superseded');
    const reason = Promise.withResolvers<unknown>();
    run(desk, {
      visibilityTimeoutSeconds: 1,
      handler: (_, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            reason.resolve(signal.reason);
            resolve();
          });
        }),
    });
    expect(await reason.promise).toMatchObject({ code: 'not_settled', message: expect.stringContaining('superseded') });
    await until(() => desk.faults.some(({ during }) => during === 'acknowledge'));
    expect(desk.faults[0]).toMatchObject({ during: 'extend', message: { id: 'slow' } });
    expect(desk.faults.at(-1)?.error).toBeInstanceOf(WillcallClientError);
  });

  it('that are over leave the work going: signing late may still be good', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    let aborted = false;
    desk.deliver('slow');
    desk.outcomes.set('r-slow', 'gone');
    run(desk, {
      visibilityTimeoutSeconds: 1,
      handler: async (_, { signal }) => {
        await work.promise;
        aborted = signal.aborted;
      },
    });
    await until(() => desk.calls('extend').length === 2);
    desk.outcomes.set('r-slow', 'acknowledged_late');
    work.resolve();
    await until(() => desk.signed.length === 1);
    expect(aborted).toBe(false);
    expect(desk.faults).toEqual([]);
  });
});

describe('the shutdown', () => {
  it('gives up a parked poll at once, and what it may have been handed', async () => {
    const desk = await openDesk();
    const { stop } = run(desk, { handler: () => {} });
    await until(() => desk.calls('receive').length === 1);
    desk.trouble('receive', {
      body: { messages: [{ id: 'a', receipt: 'r-a', attempt: 1, body: 'a', body_encoding: 'utf8' }], acknowledged: [] },
    });
    await stop();
    await until(() => desk.seen[0]?.gone.aborted === true);
    const [parked, again] = desk.seen;
    expect(again?.json).toMatchObject({ wait_seconds: 0 });
    expect(again?.headers['idempotency-key']).toBe(parked?.headers['idempotency-key']);
    expect(desk.calls('release')).toEqual([{ receipts: ['r-a'] }]);
    expect(desk.faults).toEqual([]);
  });

  it('lets handlers finish and signs for them', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    desk.deliver('a');
    const started = Promise.withResolvers<void>();
    const { stop } = run(desk, {
      handler: () => {
        started.resolve();
        return work.promise;
      },
    });
    await started.promise;
    const ended = stop();
    work.resolve();
    await ended;
    expect(desk.signed).toEqual(['r-a']);
    expect(desk.calls('release')).toEqual([]);
    expect(desk.calls('receive')).toHaveLength(1);
  });

  it('releases what is unfinished when the time is up, and tells its handlers', async () => {
    const desk = await openDesk();
    desk.deliver('a', 'b');
    const begun: ReceivedMessage[] = [];
    const told: unknown[] = [];
    const { stop } = run(desk, {
      concurrency: 2,
      shutdownSeconds: 0,
      handler: (message, { signal }) => {
        begun.push(message);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            told.push(signal.reason);
            resolve();
          });
        });
      },
    });
    await until(() => begun.length === 2);
    await stop();
    expect(desk.calls('release')).toEqual([{ receipts: ['r-a', 'r-b'] }]);
    expect(told).toMatchObject([{ name: 'AbortError' }, { name: 'AbortError' }]);
    expect(desk.signed).toEqual([]);
    expect(desk.faults).toEqual([]);
  });

  it('ends although the service stays away, and says what was not signed for', async () => {
    const desk = await openDesk();
    const work = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    desk.deliver('a');
    desk.trouble('acknowledge', ...Array.from({ length: 20 }, () => problem(503, 'database_unavailable')));
    const { stop } = run(desk, {
      handler: () => {
        started.resolve();
        return work.promise;
      },
    });
    await started.promise;
    const ended = stop();
    work.resolve();
    await ended;
    expect(desk.faults.at(-1)).toMatchObject({ during: 'acknowledge', error: { code: 'database_unavailable' } });
  });
});
