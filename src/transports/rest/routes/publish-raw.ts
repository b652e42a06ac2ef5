// POST /v1/topics/{topic}/messages/raw: publishes the request's body as one message.

import { limits } from '../../../domain/limits.ts';
import { publishAnswer } from '../answers.ts';
import { parseRawMessage } from '../raw-messages.ts';
import { parseName } from '../requests.ts';
import { exampleBody } from '../schemas/examples.ts';
import { published } from '../schemas/message-answers.ts';
import { publishRawHeadersDescribed } from '../schemas/raw-headers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'publishRaw',
  tag: 'Publish',
  summary: 'Publish one message, raw',
  description:
    'The body of the request is the body of the message, whatever its content type, JSON included; ' +
    'everything else is in headers. Without a `Content-Type`, the message has none.',
  headers: publishRawHeadersDescribed,
  body: { bytes: { mediaType: '*/*', example: exampleBody.text } },
  answers: { 201: { description: 'Published.', json: published } },
  problems: ['topic_not_found', 'message_too_large', 'idempotency_conflict', 'backlog_full'],
};

export const publishRaw: Route = {
  method: 'POST',
  url: '/v1/topics/:topic/messages/raw',
  operation: 'publish',
  bodyBytesMax: limits.messageBytesMax,
  whenTooLarge: 'it is one message, and the max_message_bytes of its topic may allow less still',
  describe,
  handle: async (request, reply, { engine }) => {
    const topic = parseName(request, 'topic');
    const messages = [parseRawMessage(request)];
    const published = await engine.publish({ topic, messages, caller: request.caller });
    return reply.code(201).send(publishAnswer(published));
  },
};
