import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Message, Problem, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const settle = (name: string, verb: string, json: object) =>
  client.post<SettleAnswer & Problem>(`/v1/subscriptions/${name}/${verb}`, json);

/** A subscription whose messages have just been received. */
const received = async (count: number, settings: object = {}): Promise<{ name: string; batch: Message[] }> => {
  const name = await client.freshSubscription(settings);
  await client.publish(name, ...Array.from({ length: count }, (_, index) => `m${index + 1}`));
  return { name, batch: await client.receive(name, { max_messages: count }) };
};
const receiptsOf = (batch: Message[]) => batch.map(({ receipt }) => receipt);

describe('acknowledging', () => {
  it('writes each message into the ledger, in order, with its reference', async () => {
    const { name, batch } = await received(2);
    const [first, second] = receiptsOf(batch);
    const { status, json } = await settle(name, 'acknowledge', {
      receipts: [first, { receipt: second, reference: 'booking 8' }],
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      failed: 0,
      results: batch.map(({ id, receipt }, index) => ({
        receipt,
        message_id: id,
        outcome: 'acknowledged',
        ack_no: index + 1,
        acknowledged_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        topic: name,
        subscription: name,
        reference: index === 1 ? 'booking 8' : null,
        reference_differs: false,
      })),
    });
    const ledger = await client.get<{ acknowledgments: { reference: string | null }[] }>(
      `/v1/subscriptions/${name}/acknowledgments`,
    );
    expect(ledger.json.acknowledgments.map(({ reference }) => reference)).toEqual([null, 'booking 8']);
  });

  it('may be repeated: the same row of the ledger comes back', async () => {
    const { name, batch } = await received(1);
    const receipts = receiptsOf(batch);
    const first = await settle(name, 'acknowledge', { receipts });
    const again = await settle(name, 'acknowledge', { receipts });
    expect(again.status).toBe(200);
    expect(again.json).toEqual({
      failed: 0,
      results: [{ ...first.json.results[0], outcome: 'already_acknowledged' }],
    });
  });

  it('says so when it is repeated with another reference, and keeps the first', async () => {
    const { name, batch } = await received(2);
    const [one, two] = receiptsOf(batch);
    await settle(name, 'acknowledge', { receipts: [{ receipt: one, reference: 'OLD' }, two] });
    const given = async (...receipts: unknown[]) => {
      const { json } = await settle(name, 'acknowledge', { receipts });
      return json.results.map(({ outcome, reference, reference_differs }) => [outcome, reference, reference_differs]);
    };
    const again = 'already_acknowledged';
    expect(await given({ receipt: one, reference: 'NEW' }, { receipt: two, reference: 'NEW' })).toEqual([
      [again, 'OLD', true],
      [again, null, true],
    ]);
    expect(await given({ receipt: one, reference: 'OLD' }, two)).toEqual([
      [again, 'OLD', false],
      [again, null, false],
    ]);
    expect(await given(one)).toEqual([[again, 'OLD', false]]);
  });

  it('does what is good and counts what is not', async () => {
    const { name, batch } = await received(1);
    const { status, json } = await settle(name, 'acknowledge', { receipts: ['forged', ...receiptsOf(batch)] });
    expect(status).toBe(200);
    expect(json.failed).toBe(1);
    expect(json.results.map(({ outcome }) => outcome)).toEqual(['invalid_receipt', 'acknowledged']);
  });

  it('answers 409 with the outcomes when none is good', async () => {
    const name = await client.freshSubscription();
    const { status, headers, json } = await settle(name, 'acknowledge', { receipts: ['forged', 'A'.repeat(44)] });
    expect(status).toBe(409);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(json).toMatchObject({ code: 'nothing_settled', status: 409, failed: 2 });
    expect(json.results.map(({ outcome }) => outcome)).toEqual(['invalid_receipt', 'invalid_receipt']);
  });

  it('with atomic does all or nothing', async () => {
    const { name, batch } = await received(2);
    const refused = await settle(name, 'acknowledge', { receipts: [...receiptsOf(batch), 'forged'], atomic: true });
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: 'atomic_refused', failed: 3 });
    expect(refused.json.results.map(({ outcome }) => outcome)).toEqual(['not_done', 'not_done', 'invalid_receipt']);
    const done = await settle(name, 'acknowledge', { receipts: receiptsOf(batch), atomic: true });
    expect(done.status).toBe(200);
    expect(done.json.results.map(({ outcome, ack_no }) => [outcome, ack_no])).toEqual([
      ['acknowledged', 1],
      ['acknowledged', 2],
    ]);
  });

  it('refuses the receipt of another subscription, and of a tampered one', async () => {
    const { name, batch } = await received(1);
    const other = await client.freshSubscription({ topic: name });
    const [receipt = ''] = receiptsOf(batch);
    const tampered = receipt.slice(0, -1) + (receipt.endsWith('A') ? 'B' : 'A');
    for (const [subscription, used] of [
      [other, receipt],
      [name, tampered],
    ] as const) {
      const { status, json } = await settle(subscription, 'acknowledge', { receipts: [used] });
      expect(status).toBe(409);
      expect(json.results[0]?.outcome).toBe('invalid_receipt');
    }
    expect((await settle(name, 'acknowledge', { receipts: [receipt] })).status).toBe(200);
  });

  it('is too late once the message has been handed out again', async () => {
    const retry = { min_backoff_seconds: 0, max_backoff_seconds: 0 };
    const { name, batch } = await received(1, { visibility_timeout_seconds: 1, retry });
    const [receipt] = receiptsOf(batch);
    const [again] = await client.receive(name, { wait_seconds: 20, visibility_timeout_seconds: 60 });
    expect(again).toMatchObject({ id: batch[0]?.id, attempt: 2 });
    const { status, json } = await settle(name, 'acknowledge', { receipts: [receipt] });
    expect(status).toBe(409);
    expect(json.results[0]).toMatchObject({ outcome: 'superseded', message_id: batch[0]?.id });
    expect((await settle(name, 'acknowledge', { receipts: [again?.receipt] })).status).toBe(200);
  });
});

describe('releasing', () => {
  it('gives a message back at once, and may be repeated', async () => {
    const { name, batch } = await received(1);
    const receipts = receiptsOf(batch);
    const { status, json } = await settle(name, 'release', { receipts });
    expect(status).toBe(200);
    expect(json).toEqual({
      failed: 0,
      results: [{ receipt: receipts[0], message_id: batch[0]?.id, outcome: 'released' }],
    });
    expect((await settle(name, 'release', { receipts })).json.results[0]?.outcome).toBe('already_released');
    const [again] = await client.receive(name, { wait_seconds: 5 });
    expect(again).toMatchObject({ id: batch[0]?.id, attempt: 2 });
  });

  it('holds a message back for the delay that is asked for', async () => {
    const { name, batch } = await received(2);
    const [first, second] = receiptsOf(batch);
    await settle(name, 'release', { receipts: [{ receipt: first, delay_seconds: 3600 }, { receipt: second }] });
    const again = await client.receive(name, { wait_seconds: 5 });
    expect(again.map(({ sequence }) => sequence)).toEqual([2]);
  });

  it('with an error counts as a failed attempt, which the dead letters show', async () => {
    const { name, batch } = await received(1, { max_attempts: 1 });
    const error = { code: 'NO_SUCH_ACCOUNT', message: 'Konto unbekannt: ü' };
    const { status, json } = await settle(name, 'release', { receipts: [{ receipt: batch[0]?.receipt, error }] });
    expect(status).toBe(200);
    expect(json.results[0]?.outcome).toBe('released');
    const letters = await client.get(`/v1/subscriptions/${name}/dead-letters`);
    expect(letters.json).toMatchObject({
      dead_letters: [
        { reason: 'max_attempts', sequence: 1, body: 'm1', history: [{ attempt: 1, ended: 'released', error }] },
      ],
    });
  });
});

describe('extending', () => {
  it('moves the end of the lease, counted from now, and leaves the receipt good', async () => {
    const { name, batch } = await received(2);
    const [first, second] = receiptsOf(batch);
    const asked = Date.now();
    const { status, json } = await settle(name, 'extend', {
      receipts: [first, { receipt: second }],
      visibility_timeout_seconds: 3600,
    });
    expect(status).toBe(200);
    expect(json.failed).toBe(0);
    for (const [index, result] of json.results.entries()) {
      expect(result).toEqual({
        receipt: receiptsOf(batch)[index],
        message_id: batch[index]?.id,
        outcome: 'extended',
        visible_until: expect.any(String),
      });
      expect(Math.abs(Date.parse(result.visible_until ?? '') - asked - 3_600_000)).toBeLessThan(60_000);
    }
    expect((await settle(name, 'acknowledge', { receipts: [first, second] })).json.failed).toBe(0);
  });

  it('takes the time of the subscription when none is named', async () => {
    const { name, batch } = await received(1, { visibility_timeout_seconds: 500 });
    const { json } = await settle(name, 'extend', { receipts: receiptsOf(batch) });
    const left = Date.parse(json.results[0]?.visible_until ?? '') - Date.now();
    expect(left).toBeGreaterThan(440_000);
    expect(left).toBeLessThan(560_000);
  });

  it('is refused for what has been acknowledged', async () => {
    const { name, batch } = await received(1);
    await settle(name, 'acknowledge', { receipts: receiptsOf(batch) });
    const { status, json } = await settle(name, 'extend', { receipts: receiptsOf(batch) });
    expect(status).toBe(409);
    expect(json.code).toBe('nothing_settled');
    expect(json.results[0]?.outcome).toBe('already_acknowledged');
  });
});

describe('rejecting', () => {
  it('sets a message aside, now, and may be repeated', async () => {
    const { name, batch } = await received(2);
    const [first, second] = receiptsOf(batch);
    const error = { code: 'UNREADABLE' };
    const { status, json } = await settle(name, 'reject', { receipts: [{ receipt: first, error }, second] });
    expect(status).toBe(200);
    expect(json.results.map(({ outcome }) => outcome)).toEqual(['rejected', 'rejected']);
    const again = await settle(name, 'reject', { receipts: [first] });
    expect(again.json.results[0]?.outcome).toBe('already_rejected');
    const { json: page } = await client.get<{ dead_letters: object[] }>(`/v1/subscriptions/${name}/dead-letters`);
    expect(page.dead_letters).toHaveLength(2);
    expect(page.dead_letters[0]).toMatchObject({
      reason: 'rejected',
      message_id: batch[0]?.id,
      body: 'm1',
      body_encoding: 'utf8',
      history: [{ attempt: 1, ended: 'rejected', ended_by: 'admin', error: { code: 'UNREADABLE', message: null } }],
    });
  });
});
