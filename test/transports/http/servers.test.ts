// One server for every address of the host name, all with the same handlers. The name's addresses
// are made up, because few machines have two.

import dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createOpenAnswers } from '../../../src/transports/http/open-answers.ts';
import { openServers, type Servers } from '../../../src/transports/http/servers.ts';
import { defaultTimeouts, type Timeouts } from '../../../src/transports/http/timeouts.ts';

let servers: Servers | null = null;
const lines: object[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  lines.length = 0;
  await servers?.close();
  servers = null;
});

/** Opens servers on a name that has these addresses. */
const open = async (addresses: string[], { port = 0, timeouts = {} as Partial<Timeouts> } = {}) => {
  const real = dns.lookup;
  const lookup = (host: string, options: object, done: (error: null, found: unknown) => void): void => {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    // Node itself looks up the addresses that it is to listen on.
    if (host === 'name.example') done(null, found);
    else real(host, options, done as () => void);
  };
  vi.spyOn(dns, 'lookup').mockImplementation(lookup as typeof dns.lookup);
  const ignore = () => {};
  const logger = { debug: ignore, info: (fields: object) => void lines.push(fields), warn: ignore, error: ignore };
  servers = await openServers({
    host: 'name.example',
    port,
    timeouts: { ...defaultTimeouts, ...timeouts },
    logger,
    openAnswers: createOpenAnswers(() => {}),
    handle: (_request, response) => void response.end('handled'),
  });
  return servers;
};

/** What is answered to these bytes until the connection ends. */
const exchange = async (address: string, bytes: string): Promise<string> => {
  const socket = connect(servers?.port ?? 0, address);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return text;
};

describe.each(['127.0.0.1', '127.0.0.2'])('each of two addresses (%s)', (address) => {
  const both = ['127.0.0.1', '127.0.0.2', '127.0.0.1'];

  it('answers requests', async () => {
    await open(both);
    expect(await exchange(address, 'GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  it('answers what is no HTTP with a problem document', async () => {
    await open(both);
    expect(await exchange(address, 'GARBAGE\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 .*application\/problem\+json.*nosniff/s,
    );
  });

  it('ignores an expectation that it does not know', async () => {
    await open(both);
    const request = 'GET / HTTP/1.1\r\nHost: t\r\nExpect: miracles\r\nConnection: close\r\n\r\n';
    expect(await exchange(address, request)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('answers a request that does not arrive', async () => {
    await open(both, { timeouts: { headersMs: 100 } });
    expect(await exchange(address, 'GET / HTTP/1.1\r\n')).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('an address of the name', () => {
  it('that the machine does not have is left out, with a line in the log', async () => {
    // Of a network for documentation (RFC 5737), which no machine has.
    await open(['192.0.2.1', '127.0.0.1']);
    expect(lines).toEqual([{ address: '192.0.2.1', host: 'name.example' }]);
    expect(await exchange('127.0.0.1', 'GET / HTTP/1.0\r\n\r\n')).toMatch('handled');
  });

  it('must be there at least once', async () => {
    await expect(open(['192.0.2.1'])).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it('whose port is taken stops the start, and nothing stays open', async () => {
    const other = createServer().listen(0, '127.0.0.2');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(open(['127.0.0.1', '127.0.0.2'], { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    other.close();
  });
});
