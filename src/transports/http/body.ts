// Reads the body of a request as bytes, whatever its type; a route that wants JSON parses it
// itself. What has arrived is counted in the byte budget chunk by chunk, inflated, and the reading
// ends as soon as it is too much.

import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { limits } from '../../domain/limits.ts';
import { HttpFault } from './faults.ts';

/**
 * `receivedEncodedLength` is on a stream that inflates: how much arrived before it was inflated.
 */
type Payload = Readable & { readonly receivedEncodedLength?: number };
type Done = (error: Error | null, body?: Buffer) => void;

/** A parser of Fastify's. */
export function readBody(request: FastifyRequest, payload: Payload, done: Done): void {
  const bytesMax = request.routeOptions.bodyLimit ?? limits.requestBytesMax;
  const announced = request.headers['content-length'] === undefined ? null : Number(request.headers['content-length']);
  if (announced !== null && announced > bytesMax) {
    done(tooLarge(bytesMax));
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  const end = (error: Error | null): void => {
    payload.off('data', onData).off('end', onEnd).off('error', end);
    // The rest is read and dropped, so that a client that is still sending comes to read the
    // answer.
    payload.on('error', ignore).resume();
    if (error !== null) done(error);
    else done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
  };
  const onData = (chunk: Buffer): void => {
    length += chunk.length;
    const arrived = payload.receivedEncodedLength ?? 0;
    if (length > bytesMax || arrived > bytesMax) {
      end(tooLarge(bytesMax));
      return;
    }
    try {
      request.reservation?.take(chunk.length);
      chunks.push(chunk);
    } catch (error) {
      end(error as Error);
    }
  };
  const onEnd = (): void => {
    const whole = announced === null || (payload.receivedEncodedLength || length) === announced;
    end(whole ? null : new HttpFault('malformed_request', 'The body ended before the length that was announced.'));
  };
  payload.on('data', onData).on('end', onEnd).on('error', end).resume();
}

/** Not a closure: what outlives the reading must not hold what was read. */
function ignore(): void {}

function tooLarge(bytesMax: number): HttpFault {
  return new HttpFault('payload_too_large', `A request here has at most ${bytesMax} bytes: send less at a time.`);
}
