// A TCP relay between a proxy and the service that knows which requests passed and when the proxy
// let go of one, so that tests await that instead of sleeping.

import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly url: string;
  /** Resolves when the next request to the path has gone through to the service. */
  whenPassed(path: string): Promise<void>;
  /**
   * Resolves when the proxy has closed the connection whose last request was to the path, and the
   * service was told.
   */
  whenHungUp(path: string): Promise<void>;
  close(): Promise<void>;
}

export async function openRelay(serviceUrl: string): Promise<Relay> {
  const events = new EventEmitter();
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(serviceUrl);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    let path = '';
    near.on('data', (chunk: Buffer) => {
      path = /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(chunk.toString('latin1'))?.[1] ?? path;
      far.write(chunk, () => events.emit(`passed ${path}`));
    });
    far.on('data', (chunk: Buffer) => near.write(chunk));
    far.once('close', () => {
      near.destroy();
      events.emit(`hung up ${path}`);
    });
    near.once('close', () => far.destroy());
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => {});
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    whenPassed: async (path) => void (await once(events, `passed ${path}`)),
    whenHungUp: async (path) => void (await once(events, `hung up ${path}`)),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
