// POST /v1/subscriptions/{subscription}/receive/raw: one message as the answer's body; 204 when
// none came.

import { openAnswerOf } from '../../http/open-answers.ts';
import { parseBody } from '../../http/requests.ts';
import { addOutcomes, sendRawMessage } from '../raw-messages.ts';
import { parseName, readIdempotencyKey } from '../requests.ts';
import { receiveRawBody } from '../schemas/consuming.ts';
import { exampleBody } from '../schemas/examples.ts';
import { REPEATED, repeatableHeaders } from '../schemas/parameters.ts';
import { receivedNothingHeaders, receivedRawHeaders } from '../schemas/raw-headers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'receiveRaw',
  tag: 'Receive',
  summary: 'Receive one message, raw',
  description:
    'The body of the answer is the body of the message, with its own content type or none; everything ' +
    'else is in headers.\n\n' +
    REPEATED,
  headers: repeatableHeaders,
  body: { json: receiveRawBody, required: false },
  answers: {
    200: {
      description: 'A message.',
      headers: receivedRawHeaders,
      bytes: { mediaType: '*/*', example: exampleBody.text },
    },
    204: { description: 'There was no message in time.', headers: receivedNothingHeaders },
  },
  problems: ['subscription_not_found', 'too_many_receives'],
};

export const receiveRaw: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/receive/raw',
  operation: 'receive',
  describe,
  handle: async (request, reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const idempotencyKey = readIdempotencyKey(request);
    const { wanted, attributesInOneHeader } = parseBody(request, receiveRawBody);
    const { caller, access } = request;
    const open = openAnswerOf(request);
    const { messages, acknowledged, lost } = await engine.receive({
      subscription,
      ...wanted,
      idempotencyKey,
      caller,
      keyId: access?.keyId,
      signal: open.signal,
    });
    open.ifLost(lost);
    addOutcomes(reply, acknowledged);
    const [message] = messages;
    return message === undefined ? reply.code(204).send() : sendRawMessage(reply, message, attributesInOneHeader);
  },
};
