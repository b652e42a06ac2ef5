// The database fails over to a standby while clients work: the primary is killed for good, the
// standby is promoted, and the service follows. With a synchronous standby nothing that was
// answered is lost, and the whole history is judged as ever. With an asynchronous one the tail is
// lost, which no service can help; then nothing of the lost timeline may be taken for something
// else.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, type Problem } from '../support/client.ts';
import type { Call } from '../support/history.ts';
import { checkHistory } from '../support/history-check.ts';
import { describeFailure } from './failure.ts';
import type { Fault } from './faults/index.ts';
import { type Lab, openLab } from './lab/lab.ts';
import { holdReplication, makeStandby, makeSynchronous } from './lab/standby.ts';
import { pause, until } from './lab/waiting.ts';
import { forgetLostTimeline } from './lost-timeline.ts';
import { playRound, type RoundReport } from './round.ts';

const SEED = 20260101;

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab.end());

/** What was recorded so far, in a round that is going on. */
let calls: readonly Call[];
/** The last moment at which the old primary can have answered. */
let failedAt: number;

/** The primary dies with everything that it had not sent; the standby becomes the primary. */
async function failOver({ behindMs, synchronous }: { behindMs: number; synchronous: boolean }): Promise<void> {
  const primary = lab.cluster;
  const standby = await makeStandby(primary, join(lab.directory, 'standby'));
  if (synchronous) await makeSynchronous(primary);
  await pause(2_000);
  const letDie = behindMs > 0 ? await holdReplication(primary) : () => {};
  await pause(behindMs);
  // Nobody must reach the old primary while the new one is made: whoever fails over sees to that
  // first.
  for (const { database } of lab.instances) {
    database.behave({ how: 'refuse' });
    database.cut();
  }
  await primary.killPostmaster();
  letDie();
  // What an instance had in hand when it was cut off, it may still answer.
  const underWay = calls.filter(({ endedAt }) => endedAt === null);
  await until(
    () => underWay.every(({ endedAt }) => endedAt !== null),
    'all who had asked the old primary are answered',
  );
  failedAt = Math.max(...calls.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt ?? 0]));
  await standby.promote();
  lab.cluster = standby;
  for (const instance of lab.instances) {
    instance.follow();
    instance.database.behave({ how: 'pass' });
  }
}

async function playFailover(options: Parameters<typeof failOver>[0]): Promise<RoundReport> {
  const fault: Fault = { name: 'the database fails over', side: 'database', inflict: () => failOver(options) };
  const onStart = (recorded: readonly Call[]) => {
    calls = recorded;
  };
  return playRound(lab, { seed: SEED, faults: [fault], onStart });
}

function expectGood(report: Pick<RoundReport, 'history' | 'violations' | 'complaints'>): void {
  const isGood = report.violations.length + report.complaints.length === 0;
  if (!isGood) lab.keep();
  expect(isGood ? '' : describeFailure(report, { seed: SEED, directory: lab.directory })).toBe('');
}

describe('a failover', () => {
  it('to a synchronous standby loses nothing that was answered', async () => {
    expectGood(await playFailover({ behindMs: 0, synchronous: true }));
  });

  it('is prepared for: what the synchronous standby has not confirmed is not answered as done', {}, async () => {
    const primary = lab.cluster;
    const client = createClient(lab.instances[0].url, lab.adminKey);
    const [topic, subscription] = ['/v1/topics/cut-off', '/v1/subscriptions/cut-off'];
    await client.call('PUT', subscription, { json: {} });
    const standby = await makeStandby(primary, join(lab.directory, 'standby'));
    await makeSynchronous(primary);
    const letDie = await holdReplication(primary);
    const json = { messages: [{ body: 'on one disk only' }] };
    const answers = Promise.all([
      client.post<Problem>(`${topic}/messages`, json),
      client.call<Problem>('PUT', `${topic}-2`, { json: {} }),
    ]);
    // A commit that is cancelled while it waits for the standby is reported as done, with a
    // warning.
    const waiting = `from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'willcall'`;
    await until(async () => (await primary.query(`select ${waiting}`)).length === 2, 'both wait for the standby');
    await primary.query(`select pg_cancel_backend(pid) ${waiting}`);
    expect((await answers).map((answer) => [answer.status, answer.json.code])).toEqual([
      [503, 'database_timeout'],
      [503, 'database_timeout'],
    ]);
    client.close();
    letDie();
    await standby.end();
  });

  it('to an asynchronous standby loses the tail, and nothing lost is taken for something else', {}, async () => {
    const report = await playFailover({ behindMs: 1_500, synchronous: false });
    const { history, lostPublishes, lostReceives, violations } = forgetLostTimeline(report.history, failedAt);
    expect(violations).toEqual([]);
    expectGood({ ...report, history, violations: checkHistory(history, { drained: true }) });
    // Else nothing was tried.
    expect(lostPublishes.length).toBeGreaterThan(0);
    expect(lostReceives.length).toBeGreaterThan(0);
    const lost = new Set(lostReceives.flatMap(({ answer }) => (answer ?? []).map(({ receipt }) => receipt)));
    const since = history.calls.flatMap((call) => ('inputs' in call && call.startedAt > failedAt ? call.inputs : []));
    expect(since.filter(({ receipt }) => lost.has(receipt)).length).toBeGreaterThan(0);
  });
});
