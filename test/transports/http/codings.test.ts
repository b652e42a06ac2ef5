import { describe, expect, it } from 'vitest';
import { acceptsGzip, readContentCoding } from '../../../src/transports/http/codings.ts';

describe('a content coding', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['Identity', 'identity'],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    [' Gzip ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['X-GZip', 'gzip'],
    ['br', 'br'],
    ['gzip, gzip', 'gzip, gzip'],
  ])('is read without case, and by its other name: %s', (header, coding) => {
    expect(readContentCoding(header)).toBe(coding);
  });
});

describe('gzip', () => {
  it.each([
    'gzip',
    'GZip',
    'x-gzip',
    '*',
    'br, gzip',
    'br;q=1, gzip;q=0.5',
    'gzip ; q=0.001',
    'gzip;Q=1',
    'identity;q=0.5, *;q=0.8',
    'gzip, identity',
    'identity;q=0, gzip;q=0.1',
  ])('is accepted by %s', (header) => {
    expect(acceptsGzip(header)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'identity',
    'br',
    'gzip;q=0',
    'gzip;q=0.000',
    'gzip;q=0, *',
    '*, gzip;q=0',
    'GZIP;q=0, *;q=1',
    'x-gzip;q=0, *',
    '*;q=0',
    'gzip;q=0.5, identity;q=0.8',
    'gzip;q=x',
  ])('is not accepted by %s', (header) => {
    expect(acceptsGzip(header)).toBe(false);
  });
});
