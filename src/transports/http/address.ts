// Addresses of a host name: which there are, and whether this process may listen on them.

import dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Every address of the name, each once. */
export function resolveHost(host: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, found) => {
      if (error === null) resolve([...new Set(found.map(({ address }) => address))]);
      else reject(error);
    });
  });
}

/** Whether listening failed because this machine lacks it: such as ::1 where IPv6 is off. */
export function isMissingAddress(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}

/**
 * Listens on every address of the name for a moment; throws the system's error where the service
 * could not start. Another program may still take the port afterwards.
 */
export async function tryAddresses({ host, port }: { host: string; port: number }): Promise<void> {
  const addresses = await resolveHost(host);
  let missing: unknown = null;
  let found = 0;
  for (const address of addresses) {
    try {
      await tryAddress(address, port);
      found += 1;
    } catch (error) {
      if (!isMissingAddress(error)) throw error;
      missing = error;
    }
  }
  if (found === 0) throw missing;
}

async function tryAddress(host: string, port: number): Promise<void> {
  const server = createServer();
  server.listen({ host, port });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
