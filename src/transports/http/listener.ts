// The listener that all HTTP transports share: one port on every address of the host name. What the
// transports have in common is done here once; each is mounted in a scope of its own. When it
// stops, it refuses new requests at once and lets those under way finish, for some seconds.

import { type FastifyInstance, fastify } from 'fastify';
import { limits } from '../../domain/limits.ts';
import type { Logger } from '../../domain/logger.ts';
import { type Observer, silentObserver } from '../../domain/observer.ts';
import type { ByteBudget } from '../../engine/fair-use/byte-budget.ts';
import type { Engine } from '../../engine/index.ts';
import { answerHeaders } from './answer-headers.ts';
import { createErrorHandler } from './error-handler.ts';
import { createFramingCheck, type FindFramingFault } from './framing.ts';
import { createKeyAuthentication } from './key-authentication.ts';
import { addNotFoundHandler, collectMethods } from './not-found.ts';
import { createOpenAnswers } from './open-answers.ts';
import { renderProblem } from './problems.ts';
import { readRequestId } from './request-id.ts';
import { logRequest } from './request-log.ts';
import { mountTransport, type ScopeDeps } from './scope.ts';
import { HEADERS_BYTES_MAX, openServers, type Servers } from './servers.ts';
import { defaultTimeouts, type Timeouts } from './timeouts.ts';
import { type HttpTransport, refuseUnguarded } from './transport.ts';

export interface HttpListenerOptions {
  readonly transports: readonly HttpTransport[];
  readonly engine: Pick<Engine, 'authenticate' | 'admit'>;
  readonly logger: Logger;
  /** Absent: nothing is observed. */
  readonly observer?: Observer | undefined;
  readonly byteBudget: Pick<ByteBudget, 'reserve'>;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Absent: the defaults. */
  readonly timeouts?: Timeouts | undefined;
}

export interface HttpListener {
  readonly name: 'http';
  /** Begins to take requests; resolves to the URL. */
  start(): Promise<string>;
  /** Refuses new requests at once; resolves when those under way have been answered. */
  stop(): Promise<void>;
}

/**
 * Creates the listener, closed as yet. `start` rejects for a route that does not say what it does.
 */
export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { transports, engine, logger, byteBudget, host, port, timeouts = defaultTimeouts } = options;
  const { observer = silentObserver } = options;
  const openAnswers = createOpenAnswers(({ reply, isLost }) => logRequest(logger, reply, isLost));
  const findFramingFault = createFramingCheck();
  const app = createApplication(logger, findFramingFault);
  let servers: Servers | null = null;
  let stopping = false;
  const deps: ScopeDeps = {
    engine,
    logger,
    observer,
    byteBudget,
    openAnswers,
    findFramingFault,
    authentication: createKeyAuthentication(engine),
    stallMs: timeouts.stallMs,
    isStopping: () => stopping,
  };
  const methodsByUrl = collectMethods(app);
  const unrouted: HttpTransport = {
    name: 'unrouted',
    compression: false,
    mount: (scope) => addNotFoundHandler(scope, methodsByUrl),
  };
  for (const transport of [...transports, unrouted]) mountTransport(app, transport, deps);

  async function start(): Promise<string> {
    await app.ready();
    servers = await openServers({ host, port, timeouts, logger, openAnswers, handle: app.routing });
    return `http://${host.includes(':') ? `[${host}]` : host}:${servers.port}`;
  }

  async function stop(): Promise<void> {
    stopping = true;
    const late = setTimeout(openAnswers.cutAll, timeouts.stopMs);
    openAnswers.endStreams();
    await openAnswers.whenNone();
    clearTimeout(late);
    await servers?.close();
    await app.close();
    await Promise.all(transports.map((transport) => transport.stop?.()));
  }

  return { name: 'http', start, stop };
}

/** Routing and hooks alone: the servers are our own, one for each address. */
function createApplication(logger: Logger, findFramingFault: FindFramingFault): FastifyInstance {
  const handleError = createErrorHandler(renderProblem, logger);
  const app = fastify({
    bodyLimit: limits.requestBytesMax,
    genReqId: readRequestId,
    // A hook of every scope refuses, in the error shape of its transport.
    return503OnClosing: false,
    routerOptions: {
      // Beyond any valid name, so that our own rule answers.
      maxParamLength: HEADERS_BYTES_MAX,
      querystringParser: () => ({}),
    },
    frameworkErrors: (error, request, reply) => {
      reply.headers(answerHeaders).header('x-request-id', request.id);
      // No hook is run for a request without a route.
      void handleError(findFramingFault(request.raw, reply) ?? error, request, reply);
    },
  });
  app.removeAllContentTypeParsers();
  app.decorateRequest('caller', '');
  app.decorateRequest('access', null);
  app.decorateRequest('answer', null);
  app.decorateRequest('reservation', null);
  app.decorateRequest('faultCode', null);
  app.decorateRequest('presentedKeyId', null);
  app.addHook('onRoute', ({ url, config }) => refuseUnguarded(url, config));
  return app;
}
