// The API's guide has every call of the service. api.long.test.ts runs its examples.

import { describe, expect, it } from 'vitest';
import { readDocument } from './pasting.ts';

describe('the description of the API', () => {
  it('names every call of the service', async () => {
    const description = await readDocument('docs/api/README.md');
    const { paths } = JSON.parse(await readDocument('docs/api/openapi.json')) as { paths: Record<string, object> };
    const described = description.replaceAll('…/messages/raw', 'POST /v1/topics/{topic}/messages/raw');
    const calls = Object.entries(paths).flatMap(([url, operations]) =>
      Object.keys(operations).map((verb) => `${verb.toUpperCase()} ${url}`),
    );
    expect(calls.length).toBeGreaterThan(20);
    for (const call of calls) expect(described).toContain(call);
  });
});
