// A database whose clock steps: nothing waits for longer than the step, and a clock that was ahead
// for a moment neither stops a subscription nor stays in the ledger.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createQueue, newMessage, type Queue } from '../support/calls.ts';
import { moveClock } from '../support/moved-clock.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

const HOUR = 3600;

let bench: StoreBench;
let engine: TestEngine;
let clock: Awaited<ReturnType<typeof moveClock>>;

beforeAll(async () => {
  bench = await openStoreBench();
  clock = await moveClock(bench);
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.clear();
  await clock.set(0);
  engine = bench.openEngine();
});

const bodiesOf = (messages: readonly { body: Buffer }[]) => messages.map(({ body }) => body.toString());

/** By how many seconds the times of a column are off the present. */
async function offsets(table: string, column: string, order: string): Promise<number[]> {
  const rows = await bench.rows<{ off: number }>(
    `select round(extract(epoch from ${column} - clock_timestamp()))::float8 as off from willcall.${table} order by ${order}`,
  );
  return rows.map(({ off }) => off);
}

/** Fails when the step was not noticed, and lets the bench stop without complaints. */
function expectNoticed(): void {
  expect(new Set(bench.complaints.splice(0))).toEqual(new Set(["the database's clock was set back"]));
}

describe.each([1, 5, 30, 300, HOUR])('a clock that is set back by %i seconds', (step) => {
  const later = (seconds: number) => clock.set(seconds - step);
  let queue: Queue;

  beforeEach(async () => {
    queue = await createQueue(engine, { minBackoffSeconds: 0, visibilityTimeoutSeconds: 2 });
    await queue.publish('a', 'b');
  });

  /** Queries of all kinds, which leave their floors behind. */
  async function leaveFloors(): Promise<void> {
    for (let i = 0; i < 3; i += 1) {
      await engine.sweep();
      await queue.receive();
      await queue.publish('more');
      const [message] = await queue.receive();
      await queue.acknowledge(message?.receipt ?? '');
    }
  }

  it('holds back what is abandoned by no more than the step', async () => {
    await queue.receive();
    await leaveFloors();
    await clock.set(-step);
    await engine.sweep();
    await later(step + 2.1);
    await engine.sweep();
    expect(bodiesOf(await queue.receive())).toEqual(['a', 'b']);
    expectNoticed();
  });

  it('holds back nothing that is released after it', async () => {
    const [a] = await queue.receive({ maxMessages: 1 });
    await leaveFloors();
    await clock.set(-step);
    await queue.release(a?.receipt ?? '');
    await engine.sweep();
    expect(await queue.receive()).toMatchObject([{ sequence: 1, attempt: 2 }]);
    expectNoticed();
  });

  it('holds back no parked receive from what is released after it', async () => {
    const [a] = await queue.receive({ maxMessages: 1 });
    await leaveFloors();
    const parked = queue.receive({ waitSeconds: 20 });
    await clock.set(-step);
    await queue.release(a?.receipt ?? '');
    await engine.sweep();
    expect(await parked).toMatchObject([{ sequence: 1, attempt: 2 }]);
    expectNoticed();
  });

  it('holds back no delayed message that is published after it', async () => {
    await leaveFloors();
    await clock.set(-step);
    await queue.publish(newMessage('later', { delaySeconds: 2 }));
    await engine.sweep();
    await later(3.1);
    await engine.sweep();
    expect(bodiesOf(await queue.receive())).toContain('later');
    expectNoticed();
  });
});

describe('a clock that was an hour ahead for a moment', () => {
  let queue: Queue;

  beforeEach(async () => {
    queue = await createQueue(engine, { delaySeconds: 0 });
    await queue.publish('before');
    await queue.acknowledge(await queue.receiveOne());
    await engine.sweep();
  });

  /** One message is published, received and signed for by the wrong clock. */
  async function beAhead(): Promise<void> {
    await clock.set(HOUR);
    await queue.publish('ahead');
    await queue.acknowledge(await queue.receiveOne());
    await clock.set(0);
  }

  it('does not stay in the logs: what comes after goes by the clock', async () => {
    await beAhead();
    await queue.publish('after');
    const [after] = await queue.receive();
    await queue.acknowledgeAtomically(after?.receipt ?? '');
    await queue.publish('later');
    await queue.acknowledge(await queue.receiveOne());
    expect(await offsets('message', 'published_at', 'seq')).toEqual([0, HOUR, 0, 0]);
    expect(await offsets('delivery', 'at', 'delivery_no')).toEqual([0, 0, HOUR, 0, 0]);
    expect(await offsets('acknowledgment', 'acknowledged_at', 'ack_no')).toEqual([0, HOUR, 0, 0]);
  });

  it('is on record for each log, with the first row that goes by the clock again', async () => {
    await beAhead();
    await queue.publish('after');
    await queue.acknowledge(await queue.receiveOne());
    const steps = await bench.rows(
      `select log, subscription_id > 0 as of_subscription, no::float8,
         round(extract(epoch from was_at - at))::float8 as seconds
       from willcall.clock_step order by log`,
    );
    expect(steps).toEqual([
      { log: 'acknowledgment', of_subscription: true, no: 3, seconds: HOUR },
      { log: 'delivery', of_subscription: true, no: 4, seconds: HOUR },
      { log: 'message', of_subscription: false, no: 3, seconds: HOUR },
    ]);
  });

  it('does not hide what is read of the ledger by time', async () => {
    await beAhead();
    await queue.publish('after');
    await queue.acknowledge(await queue.receiveOne());
    const [, , after] = await bench.rows<{ at: Date }>(
      'select acknowledged_at as at from willcall.acknowledgment order by ack_no',
    );
    const numbers = async (from?: Date, until?: Date) => {
      const query = { subscription: queue.name, limit: 10, from, until };
      return (await engine.listAcknowledgments(query)).acknowledgments.map(({ ackNo }) => ackNo);
    };
    const later = new Date(Date.now() + (HOUR * 1000) / 2);
    expect(await numbers(after?.at)).toEqual([2, 3]);
    expect(await numbers(undefined, later)).toEqual([1, 3]);
    expect(await numbers(undefined, after?.at)).toEqual([1]);
    expect(await numbers(later)).toEqual([2]);
  });

  it('does not keep delayed messages from the log', async () => {
    await beAhead();
    await queue.publish(newMessage('delayed', { delaySeconds: 60 }));
    await clock.set(59);
    await engine.sweep();
    expect(await queue.receive()).toEqual([]);
    await clock.set(61);
    await engine.sweep();
    expect(bodiesOf(await queue.receive())).toEqual(['delayed']);
  });

  it('does not stop a subscription with a delay, which each message keeps', async () => {
    const slow = await createQueue(engine, { delaySeconds: 60 });
    await clock.set(HOUR);
    await slow.publish('ahead');
    await clock.set(0);
    expect(await slow.receive()).toEqual([]);
    await clock.set(30);
    expect(await slow.receive()).toEqual([]);
    await clock.set(61);
    expect(bodiesOf(await slow.receive())).toEqual(['ahead']);
    await clock.set(0);
    await slow.publish('after');
    await clock.set(HOUR);
    await slow.publish('ahead again');
    await clock.set(1);
    expect(await slow.receive()).toEqual([]);
    await clock.set(30);
    await slow.publish('later');
    await clock.set(62);
    expect(bodiesOf(await slow.receive())).toEqual(['after', 'ahead again']);
    await clock.set(91);
    expect(bodiesOf(await slow.receive())).toEqual(['later']);
  });

  it('lets a log stand still where it was ahead by a second at most', async () => {
    await clock.set(0.9);
    await queue.publish('ahead');
    await queue.acknowledge(await queue.receiveOne());
    await clock.set(0);
    await queue.publish('after');
    await queue.acknowledge(await queue.receiveOne());
    expect(await bench.rows('select * from willcall.clock_step')).toEqual([]);
    const times = await bench.rows<{ at: Date }>(
      'select acknowledged_at as at from willcall.acknowledgment order by ack_no',
    );
    expect(times).toEqual([...times].sort((a, b) => a.at.getTime() - b.at.getTime()));
  });
});
