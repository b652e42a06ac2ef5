// Parses the bodies of publish, receive and acknowledge, answers bodies of the same shape and size,
// and keeps nothing: every receive finds as many copies of one document as it asked for, all of
// which can be acknowledged.

import fastify from 'fastify';
import { makeBody } from '../../load/body.ts';
import {
  type AcknowledgeBody,
  acknowledgeSchema,
  type PublishBody,
  publishSchema,
  type ReceiveBody,
  receiveSchema,
  requestBytesMax,
} from '../wire.ts';

const app = fastify({ bodyLimit: requestBytesMax });
const noAttributes = {};
let body = makeBody(512);
let next = 0;

app.put('/v1/subscriptions/:queue', async (_request, reply) => reply.code(201).send({}));

app.post<{ Body: PublishBody }>('/v1/topics/:queue/messages', { schema: publishSchema }, async (request, reply) => {
  body = request.body.messages[0]?.body ?? body;
  reply.code(201);
  return {
    messages: request.body.messages.map(() => {
      next += 1;
      return { id: `m${next}`, sequence: next, duplicate: false };
    }),
  };
});

app.post<{ Body: ReceiveBody }>('/v1/subscriptions/:queue/receive', { schema: receiveSchema }, async (request) => {
  const now = Date.now();
  const publishedAt = new Date(now).toISOString();
  const visibleUntil = new Date(now + request.body.visibility_timeout_seconds * 1000).toISOString();
  return {
    messages: Array.from({ length: request.body.max_messages }, (_, index) => ({
      id: `m${index}`,
      sequence: index,
      receipt: `00000000-0000-0000-0000-000000000000:${index}`,
      attempt: 1,
      body,
      body_encoding: 'utf8',
      content_type: 'application/xml',
      attributes: noAttributes,
      ordering_key: null,
      published_at: publishedAt,
      visible_until: visibleUntil,
    })),
  };
});

app.post<{ Body: AcknowledgeBody }>(
  '/v1/subscriptions/:queue/acknowledge',
  { schema: acknowledgeSchema },
  async (request) => {
    const acknowledgedAt = new Date().toISOString();
    const results = request.body.receipts.map((receipt) => ({
      receipt,
      message_id: receipt,
      outcome: 'acknowledged',
      acknowledged_at: acknowledgedAt,
    }));
    return { results, failed: 0 };
  },
);

process.once('SIGTERM', () => {
  void app.close().then(() => process.exit(0));
});
process.stdout.write(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
