// The HTTP servers of a listener: one for every address of its host name, on one port, all with the
// same handlers. An address of the name that this machine does not have is left out.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../../domain/logger.ts';
import { isMissingAddress, resolveHost } from './address.ts';
import { createClientErrorHandler } from './client-error.ts';
import type { OpenAnswers } from './open-answers.ts';
import { checkingIntervalMs, endStalled, type Timeouts } from './timeouts.ts';

/** The attributes of a message, percent-encoded, have to fit. */
export const HEADERS_BYTES_MAX = 32 * 1024;

export interface ServersOptions {
  readonly host: string;
  /** 0 picks a free one, the same for every address. */
  readonly port: number;
  readonly timeouts: Timeouts;
  readonly logger: Logger;
  readonly openAnswers: OpenAnswers;
  readonly handle: RequestListener;
}

export interface Servers {
  readonly port: number;
  /** Closes the ports and every connection; resolves when they are closed. */
  close(): Promise<void>;
}

/** How often another free port is picked because it is taken on one of several addresses. */
const PORT_TRIES_MAX = 10;

/**
 * Opens a server for every address; throws when there is none, or when the port is taken on one.
 */
export async function openServers(options: ServersOptions): Promise<Servers> {
  const addresses = await resolveHost(options.host);
  for (let tries = 1; ; tries += 1) {
    try {
      return await openOnAll(addresses, options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const mayPickAnother = options.port === 0 && addresses.length > 1 && tries < PORT_TRIES_MAX;
      if (code !== 'EADDRINUSE' || !mayPickAnother) throw error;
    }
  }
}

async function openOnAll(addresses: readonly string[], options: ServersOptions): Promise<Servers> {
  const servers: Server[] = [];
  let { port } = options;
  let missing: unknown = null;
  try {
    for (const address of addresses) {
      const server = createHttpServer(options);
      try {
        port = await listen(server, address, port);
        servers.push(server);
      } catch (error) {
        if (!isMissingAddress(error)) throw error;
        missing = error;
        options.logger.info({ address, host: options.host }, 'this machine does not have an address of its host name');
      }
    }
    if (servers.length === 0) throw missing;
  } catch (error) {
    await closeAll(servers);
    throw error;
  }
  return { port, close: () => closeAll(servers) };
}

function createHttpServer({ timeouts, openAnswers, handle }: ServersOptions): Server {
  const server = createServer(
    {
      keepAliveTimeout: timeouts.keepAliveMs,
      requestTimeout: timeouts.requestMs,
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: checkingIntervalMs(timeouts),
      maxHeaderSize: HEADERS_BYTES_MAX,
      // Node would refuse in words of its own: see refuseRepeatedHeaders in admission.ts.
      requireHostHeader: false,
    },
    handle,
  );
  server.setTimeout(timeouts.stallMs);
  server.on('clientError', createClientErrorHandler(openAnswers) as (error: Error, socket: unknown) => void);
  // An unknown expectation is no reason to refuse (RFC 9110, section 10.1.1); Node would, in words
  // of its own.
  server.on('checkExpectation', handle);
  endStalled(server, openAnswers);
  // A socket keeps the address that it was asked for once; of a closed one it can no longer be
  // learnt.
  server.on('connection', (socket) => void socket.remoteAddress);
  return server;
}

/** Resolves to the port. */
async function listen(server: Server, address: string, port: number): Promise<number> {
  server.listen({ host: address, port });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }),
  );
}
