// The scope of one transport on the common listener: its routes with the hooks, the error shape,
// the headers and the time-out that they have, none of which another transport's routes see.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Observer } from '../../domain/observer.ts';
import { type AdmissionDeps, admitRequest } from './admission.ts';
import { answerHeaders } from './answer-headers.ts';
import { readBody } from './body.ts';
import { addAnswer } from './byte-budget.ts';
import { addCompression } from './compression.ts';
import { createErrorHandler } from './error-handler.ts';
import type { OpenAnswers } from './open-answers.ts';
import { renderProblem } from './problems.ts';
import type { HttpTransport } from './transport.ts';

export interface ScopeDeps extends AdmissionDeps {
  readonly logger: Logger;
  readonly observer: Observer;
  readonly openAnswers: OpenAnswers;
  /** Of transports that set no time of their own. */
  readonly stallMs: number;
  /** Whether new requests are refused. */
  readonly isStopping: () => boolean;
}

/** How late a call beyond its key's rate is refused; the next one would be refused for longer. */
const REFUSAL_MS = 250;

/** Mounts the transport; its routes are registered when the application is loaded. */
export function mountTransport(app: FastifyInstance, transport: HttpTransport, deps: ScopeDeps): void {
  app.register((scope, _options, done) => {
    addHooks(scope, transport, deps);
    scope.setErrorHandler(createErrorHandler(transport.renderFault ?? renderProblem, deps.logger));
    scope.addContentTypeParser(['application/json', '*'], readBody);
    if (transport.compression !== false) addCompression(scope);
    transport.mount(scope);
    done();
  });
}

function addHooks(scope: FastifyInstance, transport: HttpTransport, deps: ScopeDeps): void {
  const { observer, openAnswers, stallMs, isStopping } = deps;
  const authentication = transport.authentication ?? deps.authentication;
  const admission: AdmissionDeps = { ...deps, authentication };
  const headers = { ...answerHeaders, ...transport.headers };
  const socketTimeoutMs = transport.stallMs ?? stallMs;
  scope.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers).header('x-request-id', request.id);
    const { socket } = request.raw;
    if (socket.timeout !== socketTimeoutMs) socket.setTimeout(socketTimeoutMs);
    const fail = (error: unknown): void => {
      if (isFault(error, 'unauthenticated')) reply.header('www-authenticate', authentication.challenge);
      // A refusal costs nearly as much as a call: a client that ignores it must not use the
      // instance up.
      if (isFault(error, 'rate_limited')) setTimeout(done, REFUSAL_MS, error as Error);
      else done(error as Error);
    };
    try {
      if (isStopping()) {
        throw new WillcallError('shutting_down', 'This instance is shutting down: send the request again.');
      }
      request.answer = openAnswers.add(reply);
      const admitted = admitRequest(request, reply, admission);
      if (admitted === undefined) done();
      else void admitted.then(() => done(), fail);
    } catch (error) {
      fail(error);
    }
  });
  scope.addHook('onSend', (request: FastifyRequest, reply: FastifyReply, payload, done) => {
    addAnswer(request, reply, payload);
    if (isStopping()) reply.header('connection', 'close');
    observer.request({
      transport: transport.name,
      operation: request.routeOptions.config.operation ?? null,
      status: reply.statusCode,
      seconds: request.answer?.seconds ?? 0,
    });
    done();
  });
}

function isFault(error: unknown, code: WillcallError['code']): boolean {
  return error instanceof WillcallError && error.code === code;
}
