// Reads the body of a request as bytes, inflated, whatever its type; a route that wants JSON parses
// it itself. Bytes are counted in the byte budget as they come, inflated, and the reading ends as
// soon as they are too many.

import type { Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { limits } from '../../domain/limits.ts';
import { readContentCoding } from './codings.ts';
import { HttpFault } from './faults.ts';

type Done = (error: Error | null, body?: Buffer) => void;

/**
 * Compressed bytes that inflate to one byte, at most: what does not shrink grows by five bytes per
 * block, and blocks may be short or empty. The limit of the inflated bytes is the one that counts.
 */
const ENCODED_PER_INFLATED = 2;
const ENCODED_BYTES_MIN = 1024;

/** A parser of Fastify's. */
export function readBody(request: FastifyRequest, payload: Readable, done: Done): void {
  const coding = readContentCoding(request.headers['content-encoding']);
  if (coding === 'identity' || coding === 'gzip') new BodyReader(request, payload, done).start();
  else done(createUnknownCoding(coding));
}

class BodyReader {
  readonly #request: FastifyRequest;
  readonly #payload: Readable;
  readonly #done: Done;
  /** Null for a body that is not compressed. */
  readonly #inflater: Gunzip | null;
  readonly #bytesMax: number;
  readonly #arrivedMax: number;
  #arrived = 0;
  #chunks: Buffer[] = [];
  #length = 0;
  #over = false;

  constructor(request: FastifyRequest, payload: Readable, done: Done) {
    this.#request = request;
    this.#payload = payload;
    this.#done = done;
    const isGzip = readContentCoding(request.headers['content-encoding']) === 'gzip';
    this.#inflater = isGzip ? createGunzip() : null;
    this.#bytesMax = request.routeOptions.bodyLimit ?? limits.requestBytesMax;
    this.#arrivedMax = isGzip ? ENCODED_PER_INFLATED * this.#bytesMax + ENCODED_BYTES_MIN : this.#bytesMax;
  }

  start(): void {
    const announced = readLength(this.#request);
    if (announced !== null && announced > this.#arrivedMax) {
      this.#end(createTooLarge(this.#request, this.#bytesMax));
      return;
    }
    this.#payload.on('data', this.#onArrived).on('error', this.#onError);
    (this.#inflater ?? this.#payload).on('data', this.#onData).on('end', this.#onEnd);
    if (this.#inflater === null) return;
    this.#inflater.on('error', () => this.#end(createUndecodable()));
    this.#payload.pipe(this.#inflater);
  }

  readonly #onArrived = (chunk: Buffer): void => {
    this.#arrived += chunk.length;
    if (this.#arrived > this.#arrivedMax) this.#end(createTooLarge(this.#request, this.#bytesMax));
  };

  readonly #onError = (error: Error): void => this.#end(error);

  readonly #onEnd = (): void => {
    const announced = readLength(this.#request);
    const isWhole = announced === null || this.#arrived === announced;
    this.#end(isWhole ? null : createTooShort());
  };

  readonly #onData = (chunk: Buffer): void => {
    if (this.#over) return;
    this.#length += chunk.length;
    if (this.#length > this.#bytesMax) {
      this.#end(createTooLarge(this.#request, this.#bytesMax));
      return;
    }
    try {
      this.#request.reservation?.take(chunk.length);
      this.#chunks.push(chunk);
    } catch (error) {
      this.#end(error as Error);
    }
  };

  #end(error: Error | null): void {
    if (this.#over) return;
    this.#over = true;
    const chunks = this.#chunks;
    // What outlives the reading, perhaps by half a minute, does not hold what was read.
    this.#chunks = [];
    this.#payload.off('data', this.#onArrived).off('data', this.#onData).off('end', this.#onEnd);
    this.#payload.off('error', this.#onError);
    if (this.#inflater !== null) {
      this.#payload.unpipe(this.#inflater);
      this.#inflater.destroy();
    }
    // The rest is read and dropped, so that a client that is still sending comes to read the
    // answer; it is not inflated.
    this.#payload.on('error', ignore).resume();
    if (error !== null) this.#done(error);
    else this.#done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, this.#length));
  }
}

function ignore(): void {}

/** The length that the request announces; null without one. */
function readLength({ headers }: FastifyRequest): number | null {
  const length = headers['content-length'];
  return length === undefined ? null : Number(length);
}

function createTooLarge({ routeOptions }: FastifyRequest, bytesMax: number): HttpFault {
  const advice = routeOptions.config.whenTooLarge ?? 'send less at a time';
  return new HttpFault('payload_too_large', `A request here has at most ${bytesMax} bytes: ${advice}.`);
}

function createTooShort(): HttpFault {
  return new HttpFault('malformed_request', 'The body ended before the length that was announced.');
}

function createUndecodable(): HttpFault {
  return new HttpFault('malformed_body', 'The body is not the whole gzip that its Content-Encoding announces.');
}

function createUnknownCoding(coding: string): HttpFault {
  const detail = `Content-Encoding ${coding} is not known here: send gzip or none.`;
  // RFC 9110, section 15.5.16: the answer says what would be taken.
  return new HttpFault('unsupported_media_type', detail, { 'accept-encoding': 'gzip' });
}
