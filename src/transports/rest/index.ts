// The REST door: HTTP/1.1 and JSON, for anybody with curl. It parses strictly, calls one engine verb per request and
// shapes the answer. When it stops it refuses new requests at once and lets those under way finish, for some seconds.

import type { IncomingMessage } from 'node:http';
import {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import type { Access } from '../../domain/access.ts';
import { WillcallError } from '../../domain/errors.ts';
import { limits } from '../../domain/limits.ts';
import type { Logger } from '../../domain/logger.ts';
import type { ByteBudget } from '../../engine/fair-use/byte-budget.ts';
import type { Engine } from '../../engine/index.ts';
import { admitCaller, authenticate, authenticateChallenge, refuseUnguarded } from '../http/auth.ts';
import { readBody } from '../http/body.ts';
import { addAnswer, reserveBytes } from '../http/byte-budget.ts';
import { createClientErrorHandler } from '../http/client-error.ts';
import { addCompression } from '../http/compression.ts';
import { refuseCrossSite } from '../http/cross-site.ts';
import { findFramingFault } from '../http/framing.ts';
import { addNotFoundHandler } from '../http/not-found.ts';
import { createOpenAnswers, type OpenAnswers } from '../http/open-answers.ts';
import { countCall } from '../http/rate-limit.ts';
import { checkingIntervalMs, defaultTimeouts, endStalled, type Timeouts } from '../http/timeouts.ts';
import { createReference } from './description/index.ts';
import { answerHeaders, createErrorHandler, describeRequest } from './errors.ts';
import { queryOf, refuse } from './requests.ts';
import { routes } from './routes/index.ts';
import { addRoute } from './routes/route.ts';

export interface RestDoorOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly byteBudget: ByteBudget;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Absent: the defaults. */
  readonly timeouts?: Timeouts | undefined;
}

/** A message's attributes, percent-encoded, have to fit in. */
const HEADERS_BYTES_MAX = 32 * 1024;
/** How late a call beyond its key's rate is refused; the next one would be refused for longer than that. */
const REFUSAL_MS = 250;
/** Beyond any valid name, so that it is our own rule that answers. */
const PARAMETER_CHARACTERS_MAX = HEADERS_BYTES_MAX;

/** Makes the door; `start` resolves to its URL. */
export function createRestDoor(options: RestDoorOptions) {
  const { engine, logger, byteBudget, host, port, timeouts = defaultTimeouts } = options;
  let stopping = false;
  const openAnswers = createOpenAnswers();
  const app = createServer({ logger, timeouts, openAnswers });
  endStalled(app.server, openAnswers);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(answerHeaders);
    const fail = (error: unknown): void => {
      if (error instanceof WillcallError && error.code === 'unauthenticated') {
        reply.header('www-authenticate', authenticateChallenge);
      }
      // A refusal costs nearly as much as a call: who does not heed it must not spend the instance on refusals.
      if (error instanceof WillcallError && error.code === 'rate_limited') setTimeout(done, REFUSAL_MS, error);
      else done(error as Error);
    };
    try {
      if (stopping) throw new WillcallError('shutting_down', 'This instance is shutting down: send the request again.');
      request.answer = openAnswers.add(request.raw, reply.raw);
      const admitted = admit(request, reply, { engine, byteBudget });
      if (admitted === undefined) done();
      else void admitted.then(() => done(), fail);
    } catch (error) {
      fail(error);
    }
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    addAnswer(request, reply, payload);
    if (stopping) reply.header('connection', 'close');
    logger.debug({ ...describeRequest(request), status: reply.statusCode }, 'answered a request');
    done();
  });
  const reference = createReference(routes);
  // Compression attaches to routes as they are made, and it is loaded by then.
  app.register((scope, _options, done) => {
    for (const route of routes) addRoute(scope, route, { engine, reference });
    done();
  });

  return {
    name: 'rest',
    async start(): Promise<string> {
      await app.listen({ host, port });
      const address = app.server.address();
      const boundPort = typeof address === 'object' && address !== null ? address.port : port;
      return `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`;
    },
    async stop(): Promise<void> {
      stopping = true;
      const late = setTimeout(openAnswers.cutAll, timeouts.stopMs);
      await openAnswers.whenNone();
      clearTimeout(late);
      await app.close();
    },
  };
}

interface ServerOptions {
  readonly logger: Logger;
  readonly timeouts: Timeouts;
  readonly openAnswers: OpenAnswers;
}

function createServer({ logger, timeouts, openAnswers }: ServerOptions): FastifyInstance {
  const handleError = createErrorHandler(logger);
  const app = fastify({
    bodyLimit: limits.requestBytesMax,
    keepAliveTimeout: timeouts.keepAliveMs,
    requestTimeout: timeouts.requestMs,
    connectionTimeout: timeouts.stallMs,
    http: {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: checkingIntervalMs(timeouts),
      maxHeaderSize: HEADERS_BYTES_MAX,
      // Node would refuse in words of its own: see refuseRepeatedHeaders.
      requireHostHeader: false,
    },
    // By then every answer has left (createOpenAnswers). What is still open asks for nothing, or not yet; Node would wait for
    // a connection that never sent a request.
    forceCloseConnections: true,
    // The hook above refuses in this door's own words.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX, querystringParser: () => ({}) },
    frameworkErrors: (error, request, reply) => {
      reply.headers(answerHeaders);
      // No hook is run for what has no route.
      void handleError(findFramingFault(request.raw, reply) ?? error, request, reply);
    },
    clientErrorHandler: createClientErrorHandler(openAnswers),
  });
  // An expectation that nobody knows is no reason to refuse (RFC 9110, section 10.1.1); Node would, in words of its own.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  addCompression(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(['application/json', '*'], readBody);
  app.decorateRequest('caller', '');
  app.decorateRequest('access', null);
  app.decorateRequest('answer', null);
  app.decorateRequest('reservation', null);
  app.addHook('onRoute', ({ url, config }) => refuseUnguarded(url, config));
  app.setErrorHandler(handleError);
  addNotFoundHandler(app);
  return app;
}

interface Rooms {
  readonly engine: Engine;
  readonly byteBudget: ByteBudget;
}

/** What is checked of every request, before its body is read; a promise only where the key has to be looked up. */
function admit(request: FastifyRequest, reply: FastifyReply, rooms: Rooms): Promise<void> | undefined {
  const { engine, byteBudget } = rooms;
  const fault = findFramingFault(request.raw, reply);
  if (fault !== null) throw fault;
  refuseRepeatedHeaders(request.raw);
  const { config } = request.routeOptions;
  if (config.open === true) {
    refuseQuery(request, config);
    reserveBytes(request, byteBudget);
    return undefined;
  }
  const enter = (access: Access): void => {
    countCall(reply, access, engine);
    refuseCrossSite(request.raw);
    admitCaller(request, access, config.operation);
    refuseQuery(request, config);
    reserveBytes(request, byteBudget);
  };
  const access = authenticate(request, engine);
  if (access instanceof Promise) return access.then(enter);
  enter(access);
  return undefined;
}

/** What is not read must not look as if it were. */
function refuseQuery(request: FastifyRequest, config: FastifyContextConfig): void {
  if (config.query !== true && !request.is404 && queryOf(request) !== '') {
    throw refuse([{ field: 'query', message: 'is not read here: leave out what follows the question mark' }]);
  }
}

/** Node keeps the first and drops the rest; which one a proxy on the way believed, nobody knows. */
const singleHeaders = ['host', 'content-type', 'authorization'];

function refuseRepeatedHeaders({ rawHeaders, httpVersion }: IncomingMessage): void {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]?.toLowerCase() ?? '';
    if (!singleHeaders.includes(header)) continue;
    if (seen.has(header)) throw refuse([{ field: header, message: 'must be sent once' }]);
    seen.add(header);
  }
  // RFC 9112, section 3.2.
  if (!seen.has('host') && httpVersion !== '1.0') throw refuse([{ field: 'host', message: 'must be sent' }]);
}
