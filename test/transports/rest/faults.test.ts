import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { errorCodes, WillcallError } from '../../../src/domain/errors.ts';
import { type Topic, topicDefaults } from '../../../src/domain/topic.ts';
import { describeProblem } from '../../../src/transports/http/problems.ts';
import { type FakeDoor, openDoor } from './fake-engine.ts';

let door: FakeDoor;
afterEach(() => door?.stop());

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
    door = await openDoor({ getTopic: () => Promise.reject(secret) });
    const { status, headers, json, bytes } = await door.client.get('/v1/topics/t');
    expect(status).toBe(500);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(json.code).toBe('internal');
    expect(bytes.toString()).not.toMatch(/hunter2|srv/);
    expect(door.errors).toEqual([secret]);
  });

  it('of the code internal is treated alike', async () => {
    const fault = new WillcallError('internal', 'column "x" does not exist');
    door = await openDoor({ getTopic: () => Promise.reject(fault) });
    const { status, bytes } = await door.client.get('/v1/topics/t');
    expect(status).toBe(500);
    expect(bytes.toString()).not.toContain('column');
    expect(door.errors).toEqual([fault]);
  });

  it.each(['overloaded', 'shutting_down', 'database_unavailable', 'database_timeout'] as const)(
    'such as %s is a 503 that says when to try again, and no error of ours',
    async (code) => {
      door = await openDoor({ checkReadiness: () => Promise.reject(new WillcallError(code, 'Try again.')) });
      const { status, headers, json } = await door.client.get('/readyz');
      expect(status).toBe(503);
      expect(headers['retry-after']).toBe('1');
      expect(json).toMatchObject({ code, detail: 'Try again.' });
      expect(door.errors).toEqual([]);
    },
  );

  it('with fields names them in the answer', async () => {
    const fields = [{ field: 'retry', message: 'is crossed' }];
    door = await openDoor({ getTopic: () => Promise.reject(new WillcallError('invalid_request', 'No.', { fields })) });
    const { status, json } = await door.client.get('/v1/topics/t');
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

describe('a door that is closed', () => {
  const bodyOf = async (response: IncomingMessage): Promise<string> => {
    let body = '';
    for await (const chunk of response) body += chunk;
    return body;
  };

  it('finishes what is under way, and ends each connection with its answer', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Topic>();
    door = await openDoor({
      getTopic: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const under = door.client.get('/v1/topics/t');
    await asked.promise;
    const stopping = door.stop();
    answer.resolve(topic);
    const { status, headers } = await under;
    expect([status, headers.connection]).toEqual([200, 'close']);
    await stopping;
    await expect(door.client.get('/healthz')).rejects.toThrow('ECONNREFUSED');
  });

  it('waits until a large answer has been read to its end', async () => {
    const name = 'n'.repeat(32 * 1024 * 1024);
    door = await openDoor({ getTopic: async () => ({ ...topic, name }) });
    const request = get(`${door.url}/v1/topics/t`, { headers: { authorization: `Bearer ${'k'.repeat(32)}` } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const stopping = door.stop();
    expect((await bodyOf(response)).length).toBeGreaterThan(name.length);
    await stopping;
  });

  it('does not wait for a connection that asked for nothing', async () => {
    door = await openDoor({});
    const silent = connect(Number(new URL(door.url).port), '127.0.0.1');
    await once(silent, 'connect');
    // The answer shows that the connection before has been accepted.
    expect((await door.client.get('/healthz')).status).toBe(200);
    const closed = once(silent, 'close');
    await door.stop();
    await closed;
  });

  it('refuses new requests in its own words while answers are under way', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Topic>();
    door = await openDoor({
      getTopic: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const under = door.client.get('/v1/topics/t');
    await asked.promise;
    const stopping = door.stop();
    for (const path of ['/v1/topics/t', '/readyz', '/healthz']) {
      const { status, headers, json } = await door.client.get(path);
      expect([status, json.code, headers.connection]).toEqual([503, 'shutting_down', 'close']);
    }
    answer.resolve(topic);
    expect((await under).status).toBe(200);
    await stopping;
  });

  it('refuses what still arrives on a connection that it keeps for another answer', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    door = await openDoor({
      checkReadiness: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = get(`${door.url}/readyz`, { agent });
    const [socket] = await once(first, 'socket');
    await asked.promise;
    const stopping = door.stop();
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
