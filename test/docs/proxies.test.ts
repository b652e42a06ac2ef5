// The documented nginx: its numbers are those of the service, and it buffers and repeats nothing.
// proxies.long.test.ts runs it.

import { describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/limits.ts';
import { readConfiguration } from './nginx.ts';
import { readDocument } from './pasting.ts';

const configuration = readConfiguration(await readDocument('docs/proxies.md'));

/** The arguments of a directive. */
const argumentsOf = (directive: string) => new RegExp(`^\\s*${directive} ([^;]+);`, 'm').exec(configuration)?.[1] ?? '';
const amountOf = (directive: string) => Number.parseInt(argumentsOf(directive).split(' ').at(-1) ?? '', 10);

describe('the nginx configuration of the documentation', () => {
  it('fits the numbers of the service', () => {
    expect(amountOf('client_max_body_size') * 1024 * 1024).toBe(limits.requestBytesMax);
    expect(amountOf('proxy_read_timeout')).toBeGreaterThan(limits.waitSecondsMax + 15);
    expect(amountOf('large_client_header_buffers')).toBe(32);
    expect(amountOf('proxy_buffer_size')).toBe(32);
    // The service closes idle connections after 75 seconds.
    expect(amountOf('keepalive_timeout')).toBeLessThan(75);
  });

  it('neither buffers nor caches nor repeats, and lets go of who hangs up', () => {
    expect(argumentsOf('proxy_buffering')).toBe('off');
    expect(argumentsOf('proxy_cache')).toBe('off');
    expect(argumentsOf('proxy_ignore_client_abort')).toBe('off');
    expect(argumentsOf('proxy_next_upstream')).toBe('error');
    expect(argumentsOf('proxy_http_version')).toBe('1.1');
    expect(argumentsOf('proxy_set_header Connection')).toBe('""');
  });
});
