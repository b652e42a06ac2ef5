import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { createEntityTag, judgeConditions } from '../../../src/transports/http/conditions.ts';

const request = (method: string, headers: Record<string, string>) => ({ method, headers }) as unknown as FastifyRequest;
const tag = createEntityTag({ a: 1 });

describe('an entity tag', () => {
  it('is that of a representation, and of no other', () => {
    expect(tag).toMatch(/^"[\w-]{16}"$/);
    expect(createEntityTag({ a: 1 })).toBe(tag);
    expect(createEntityTag({ a: 2 })).not.toBe(tag);
  });
});

describe('If-Match', () => {
  it.each([
    [tag, tag, 'met'],
    [`"x", ${tag}`, tag, 'met'],
    [`"a,b" , ${tag}`, tag, 'met'],
    ['*', tag, 'met'],
    ['*', null, 'failed'],
    [tag, null, 'failed'],
    ['"x"', tag, 'failed'],
    // Strong comparison (section 8.8.3.2).
    [`W/${tag}`, tag, 'failed'],
  ])('%s, where there is %s, is %s', (header, current, verdict) => {
    for (const method of ['PATCH', 'PUT', 'DELETE', 'GET']) {
      expect(judgeConditions(request(method, { 'if-match': header }), current)).toBe(verdict);
    }
  });
});

describe('If-None-Match', () => {
  it.each([
    [tag, tag, true],
    [`W/${tag}`, tag, true],
    ['*', tag, true],
    ['*', null, false],
    ['"x"', tag, false],
    [tag, null, false],
  ])('%s, where there is %s', (header, current, matches) => {
    const judge = (method: string) => judgeConditions(request(method, { 'if-none-match': header }), current);
    expect(judge('GET')).toBe(matches ? 'not_modified' : 'met');
    expect(judge('HEAD')).toBe(matches ? 'not_modified' : 'met');
    expect(judge('PUT')).toBe(matches ? 'failed' : 'met');
    expect(judge('PATCH')).toBe(matches ? 'failed' : 'met');
  });

  it('is judged after If-Match', () => {
    const both = { 'if-match': '"x"', 'if-none-match': tag };
    expect(judgeConditions(request('GET', both), tag)).toBe('failed');
  });
});

describe('a header that is no list of entity tags', () => {
  it.each(['x', '', '"x', '"x" "y"', '*, "x"', 'w/"x"', '"x",'])('is refused: %s', (header) => {
    expect(() => judgeConditions(request('GET', { 'if-match': header }), tag)).toThrow('If-Match must be');
    expect(() => judgeConditions(request('GET', { 'if-none-match': header }), tag)).toThrow('If-None-Match must be');
  });
});
