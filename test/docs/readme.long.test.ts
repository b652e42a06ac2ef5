// The README's tour, pasted into bash as a newcomer would.

import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Desk, openDesk, readBashBlocks, readDocument, startMs } from './pasting.ts';

let desk: Desk;
let output: string;

/** The JSON documents that the tour printed, in order. */
function printed(): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

beforeAll(async () => {
  desk = await openDesk();
  const tour = /<!-- tour:start -->(.*)<!-- tour:end -->/s.exec(await readDocument('README.md'))?.[1] ?? '';
  // Another job of the same shell, such as the service, must not hold the tour up.
  output = await desk.paste(`sleep 600 & OTHER=$!\n${readBashBlocks(tour).join('\n')}\nkill $OTHER`);
}, startMs);

afterAll(() => desk?.stop(), startMs);

describe('the tour of the README', () => {
  it('publishes and receives byte for byte', () => {
    expect(output).toMatch(/^willcall-attempt: 1\r?$/im);
    expect(output).toMatch(/^willcall-attribute-document: camt\.054\r?$/im);
    expect(output).toContain('byte for byte the same');
  });

  it('signs once, however often it asks', () => {
    const results = printed().flatMap((answer) => (answer.results ?? []) as { outcome: string; ack_no: number }[]);
    expect(results.filter((result) => result.outcome !== 'rejected')).toEqual([
      expect.objectContaining({ outcome: 'acknowledged', ack_no: 1 }),
      expect.objectContaining({ outcome: 'already_acknowledged', ack_no: 1 }),
    ]);
  });

  it('shows in the ledger that the vendor signed, after the topic is gone too', () => {
    const ledgers = printed().filter((answer) => 'acknowledgments' in answer);
    expect(ledgers).toHaveLength(2);
    expect(ledgers[0]).toMatchObject({
      acknowledgments: [{ ack_no: 1, acknowledged_by: 'acme', reference: 'BOOKING-4711', late: false }],
    });
    expect(ledgers[1]).toEqual(ledgers[0]);
  });

  it('answers the waiting call with what is published meanwhile', () => {
    expect(printed()).toContainEqual(
      expect.objectContaining({ messages: [expect.objectContaining({ body: '<Ping/>', attempt: 1 })] }),
    );
  });

  it('finds the rejected message among the dead letters, with the reason', () => {
    expect(printed()).toContainEqual(
      expect.objectContaining({
        dead_letters: [expect.objectContaining({ reason: 'rejected', body: '<Ping/>', attempts: 1 })],
      }),
    );
    const subscription = printed().find((answer) => 'stats' in answer);
    expect(subscription?.stats).toMatchObject({ backlog: 0, in_flight: 0, deferred: 0, dead_letters: 1 });
  });

  it('leaves nothing but the data directory behind', async () => {
    expect((await readdir(desk.folder)).sort()).toEqual(['.willcall', 'docs']);
  });
});
