// One keep-alive HTTP/1.1 connection on a raw socket, one request under way at a time. Far cheaper
// than node:http, so that the generator takes little of the processor that it shares with what it
// measures. It understands what the systems under test answer (a status, a Content-Length, a body)
// and refuses everything else.

import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

interface Pending {
  resolve(answer: HttpAnswer): void;
  reject(error: Error): void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

export class HttpConnection {
  readonly #socket: Socket;
  readonly #headLines: string;
  #pending: Pending | null = null;
  #closed: Error | null = null;
  #head: Buffer = NOTHING;
  #status = 0;
  #bodyParts: Buffer[] = [];
  /** Bytes of the body still to come; null while the head is incomplete. */
  #missing: number | null = null;

  private constructor(socket: Socket, headLines: string) {
    this.#socket = socket;
    this.#headLines = headLines;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static open(url: string, headers: Readonly<Record<string, string>>): Promise<HttpConnection> {
    const { hostname, port, host } = new URL(url);
    const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new HttpConnection(socket, lines.join('')));
      });
    });
  }

  /**
   * A whole JSON request, ready to be sent any number of times; `headers` may name another content
   * type.
   */
  prepare(method: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Buffer {
    const json = Buffer.from(JSON.stringify(body));
    const own = { 'Content-Type': 'application/json', ...headers, 'Content-Length': json.length };
    const lines = Object.entries(own).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `${method} ${path} HTTP/1.1\r\n${this.#headLines}${lines.join('')}\r\n`;
    return Buffer.concat([Buffer.from(head, 'latin1'), json]);
  }

  /** Rejects when the connection breaks or the answer cannot be read; any status is an answer. */
  send(request: Buffer): Promise<HttpAnswer> {
    if (this.#closed !== null) {
      return Promise.reject(this.#closed);
    }
    if (this.#pending !== null) {
      return Promise.reject(new Error('a connection carries one request at a time'));
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#closed ??= new Error('the connection was closed');
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#missing !== null) {
      this.#readBody(chunk);
      return;
    }
    this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) {
      return;
    }
    const head = this.#head.toString('latin1', 0, end);
    const rest = this.#head.subarray(end + HEAD_END.length);
    this.#head = NOTHING;
    this.#status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && this.#status !== 204) {
      this.#socket.destroy();
      this.#fail(new Error(`an answer without Content-Length: ${head}`));
      return;
    }
    this.#missing = Number(length ?? 0);
    this.#readBody(rest);
  }

  #readBody(chunk: Buffer): void {
    this.#bodyParts.push(chunk);
    this.#missing = (this.#missing ?? 0) - chunk.length;
    if (this.#missing > 0) {
      return;
    }
    const parts = this.#bodyParts;
    const pending = this.#pending;
    const excess = this.#missing < 0;
    this.#bodyParts = [];
    this.#missing = null;
    this.#pending = null;
    if (pending === null || excess) {
      this.#socket.destroy();
      const error = new Error('the server sent more than was asked for');
      this.#fail(error);
      pending?.reject(error);
      return;
    }
    const only = parts.length === 1 ? parts[0] : undefined;
    pending.resolve({ status: this.#status, body: only ?? Buffer.concat(parts) });
  }

  #fail(error: Error): void {
    this.#closed ??= error;
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(this.#closed);
  }
}
