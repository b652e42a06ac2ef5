import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { errorCodes, WillcallError } from '../../../src/domain/errors.ts';
import { type Topic, topicDefaults } from '../../../src/domain/topic.ts';
import { describeProblem } from '../../../src/transports/http/problems.ts';
import { startTransport, type TestTransport } from './fake-engine.ts';

let transport: TestTransport;
afterEach(() => transport?.stop());

const topic: Topic = {
  ...topicDefaults,
  topicId: 1,
  publicId: `top_${'0'.repeat(32)}`,
  name: 't',
  createdAt: new Date(0),
  createdBy: 'admin',
};

describe('a fault of the engine', () => {
  it('that nobody foresaw is a 500 that tells nothing of the inside, and is logged', async () => {
    const secret = new Error('password is hunter2 at /srv/willcall');
    transport = await startTransport({ getTopic: () => Promise.reject(secret) });
    const { status, headers, json, bytes } = await transport.client.get('/v1/topics/t');
    expect(status).toBe(500);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(json.code).toBe('internal');
    expect(bytes.toString()).not.toMatch(/hunter2|srv/);
    expect(transport.errors).toEqual([secret]);
  });

  it('of the code internal is treated alike', async () => {
    const fault = new WillcallError('internal', 'column "x" does not exist');
    transport = await startTransport({ getTopic: () => Promise.reject(fault) });
    const { status, bytes } = await transport.client.get('/v1/topics/t');
    expect(status).toBe(500);
    expect(bytes.toString()).not.toContain('column');
    expect(transport.errors).toEqual([fault]);
  });

  it.each(['overloaded', 'shutting_down', 'database_unavailable', 'database_timeout'] as const)(
    'such as %s is a 503 that says when to try again, and no error of ours',
    async (code) => {
      transport = await startTransport({ checkReadiness: () => Promise.reject(new WillcallError(code, 'Try again.')) });
      const { status, headers, json } = await transport.client.get('/readyz');
      expect(status).toBe(503);
      expect(headers['retry-after']).toBe('1');
      expect(json).toMatchObject({ code, detail: 'Try again.' });
      expect(transport.errors).toEqual([]);
    },
  );

  it('with fields names them in the answer', async () => {
    const fields = [{ field: 'retry', message: 'is crossed' }];
    transport = await startTransport({
      getTopic: () => Promise.reject(new WillcallError('invalid_request', 'No.', { fields })),
    });
    const { status, json } = await transport.client.get('/v1/topics/t');
    expect(status).toBe(400);
    expect(json.errors).toEqual(fields);
  });

  it.each(errorCodes)('of the code %s has a status of its own kind', (code) => {
    const { status, title, type } = describeProblem(code, 'detail');
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).not.toBe('');
    expect(type).toBe(`urn:willcall:problem:${code}`);
  });
});

describe('a transport that is closed', () => {
  const bodyOf = async (response: IncomingMessage): Promise<string> => {
    let body = '';
    for await (const chunk of response) body += chunk;
    return body;
  };

  it('finishes what is under way, and ends each connection with its answer', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Topic>();
    transport = await startTransport({
      getTopic: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const under = transport.client.get('/v1/topics/t');
    await asked.promise;
    const stopping = transport.stop();
    answer.resolve(topic);
    const { status, headers } = await under;
    expect([status, headers.connection]).toEqual([200, 'close']);
    await stopping;
    await expect(transport.client.get('/healthz')).rejects.toThrow('ECONNREFUSED');
  });

  it('waits until a large answer has been read to its end', async () => {
    const name = 'n'.repeat(32 * 1024 * 1024);
    transport = await startTransport({ getTopic: async () => ({ ...topic, name }) });
    const request = get(`${transport.url}/v1/topics/t`, { headers: { authorization: `Bearer ${'k'.repeat(32)}` } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const stopping = transport.stop();
    expect((await bodyOf(response)).length).toBeGreaterThan(name.length);
    await stopping;
  });

  it('does not wait for a connection that asked for nothing', async () => {
    transport = await startTransport({});
    const silent = connect(Number(new URL(transport.url).port), '127.0.0.1');
    await once(silent, 'connect');
    // The answer shows that the connection before has been accepted.
    expect((await transport.client.get('/healthz')).status).toBe(200);
    const closed = once(silent, 'close');
    await transport.stop();
    await closed;
  });

  it('refuses new requests in its own words while answers are under way', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Topic>();
    transport = await startTransport({
      getTopic: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const under = transport.client.get('/v1/topics/t');
    await asked.promise;
    const stopping = transport.stop();
    for (const path of ['/v1/topics/t', '/readyz', '/healthz']) {
      const { status, headers, json } = await transport.client.get(path);
      expect([status, json.code, headers.connection]).toEqual([503, 'shutting_down', 'close']);
    }
    answer.resolve(topic);
    expect((await under).status).toBe(200);
    await stopping;
  });

  it('refuses what still arrives on a connection that it keeps for another answer', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    transport = await startTransport({
      checkReadiness: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = get(`${transport.url}/readyz`, { agent });
    const [socket] = await once(first, 'socket');
    await asked.promise;
    const stopping = transport.stop();
    // Pipelined behind the first: the connection is open, and the server is not to take on new
    // work.
    socket.write('GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n');
    answer.resolve();
    const [response] = (await once(first, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe('close');
    await bodyOf(response);
    await stopping;
    agent.destroy();
  });
});
