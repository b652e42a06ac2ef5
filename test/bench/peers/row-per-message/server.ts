// The HTTP side of the usual design: Willcall's wire shapes on Fastify, a key checked on every
// request, and one statement per call. It does not wait: a receive answers at once with what is
// there.

import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fastify from 'fastify';
import pg from 'pg';
import {
  type AcknowledgeBody,
  acknowledgeSchema,
  type PublishBody,
  publishSchema,
  type ReceiveBody,
  receiveSchema,
  requestBytesMax,
} from '../wire.ts';
import { encodeBody, type Receipt, RowQueue } from './queue.ts';

interface QueueParams {
  Params: { queue: string };
}

const { DATABASE_URL, POOL_SIZE, API_KEY } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) });
await pool.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
const queue = new RowQueue(pool);
const app = fastify({ bodyLimit: requestBytesMax });
const keyHash = hash(`Bearer ${API_KEY}`);
const noAttributes = {};

app.addHook('onRequest', async (request, reply) => {
  if (!timingSafeEqual(hash(request.headers.authorization ?? ''), keyHash)) {
    return reply.code(401).send({ code: 'unauthenticated' });
  }
});

app.put<QueueParams>('/v1/subscriptions/:queue', async (request, reply) => {
  await queue.create(request.params.queue);
  return reply.code(201).send({ name: request.params.queue });
});

app.post<QueueParams & { Body: PublishBody }>(
  '/v1/topics/:queue/messages',
  { schema: publishSchema },
  async (request, reply) => {
    const messages = request.body.messages.map((message) => ({
      body: Buffer.from(message.body, message.body_encoding),
      contentType: message.content_type,
      attributes: message.attributes,
      orderingKey: message.ordering_key,
    }));
    const ids = await queue.publish(request.params.queue, messages);
    if (ids === null) {
      return reply.code(404).send({ code: 'topic_not_found' });
    }
    reply.code(201);
    return { messages: ids.map((id) => ({ id, sequence: Number(id), duplicate: false })) };
  },
);

app.post<QueueParams & { Body: ReceiveBody }>(
  '/v1/subscriptions/:queue/receive',
  { schema: receiveSchema },
  async (request, reply) => {
    const { max_messages: max, visibility_timeout_seconds: timeoutSeconds } = request.body;
    const delivery = await queue.receive(request.params.queue, { max, timeoutSeconds });
    if (delivery === null) {
      return reply.code(404).send({ code: 'subscription_not_found' });
    }
    return {
      messages: delivery.messages.map((message) => ({
        id: message.id,
        sequence: Number(message.id),
        receipt: `${delivery.lease}:${message.id}`,
        attempt: message.attempts,
        ...encodeBody(message.body),
        content_type: message.content_type,
        attributes: message.attributes ?? noAttributes,
        ordering_key: message.ordering_key,
        published_at: message.published_at.toISOString(),
        visible_until: message.visible_at.toISOString(),
      })),
    };
  },
);

app.post<QueueParams & { Body: AcknowledgeBody }>(
  '/v1/subscriptions/:queue/acknowledge',
  { schema: acknowledgeSchema },
  async (request, reply) => {
    const receipts = request.body.receipts.map(parseReceipt);
    const done = await queue.acknowledge(request.params.queue, receipts, 'bench');
    if (done === null) {
      return reply.code(404).send({ code: 'subscription_not_found' });
    }
    const acknowledgedAt = new Date().toISOString();
    const results = receipts.map(({ id }, index) => ({
      receipt: request.body.receipts[index],
      message_id: id,
      outcome: done.has(id) ? 'acknowledged' : 'gone',
      acknowledged_at: done.has(id) ? acknowledgedAt : null,
    }));
    return { results, failed: results.filter((result) => result.outcome !== 'acknowledged').length };
  },
);

process.once('SIGTERM', () => {
  void app
    .close()
    .then(() => pool.end())
    .then(() => process.exit(0));
});
process.stdout.write(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);

function parseReceipt(receipt: string): Receipt {
  const [lease = '', id = ''] = receipt.split(':');
  return { lease, id };
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
