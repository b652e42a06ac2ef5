// Every code sample of the description, pasted into bash against a service: what creates comes
// first, what deletes comes last.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDocument } from '../../src/transports/rest/description/document.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';
import { type Desk, openDesk, startMs } from './pasting.ts';

const preamble = 'WILLCALL=http://127.0.0.1:8080\nKEY=$(cat .willcall/admin-key)\n';
const RANKS = ['PUT', 'POST', 'PATCH', 'GET', 'DELETE'];

const samples = Object.values(createDocument(routes).paths)
  .flatMap((item) => Object.entries(item))
  .map(([method, operation]) => ({
    method: method.toUpperCase(),
    name: operation.operationId,
    source: operation['x-codeSamples'][0]?.source ?? '',
    statuses: Object.keys(operation.responses),
  }))
  .sort((first, second) => rank(first) - rank(second));

/** Topics before what needs them, subscriptions before their topic at the end. */
function rank({ method, name }: { method: string; name: string }): number {
  const aboutTopic = name.endsWith('Topic');
  const order = method === 'DELETE' ? !aboutTopic : aboutTopic;
  return 2 * RANKS.indexOf(method) + (order ? 0 : 1);
}

let desk: Desk;
/** What was created under the ids of the samples. */
let keyId: string | undefined;
let ledgerId: string | undefined;

beforeAll(async () => {
  desk = await openDesk();
}, startMs);

afterAll(() => desk?.stop(), startMs);

describe('a code sample of the description', () => {
  it.each(samples)('runs as it stands: $name', async ({ name, source, statuses }) => {
    const command = source
      .replace('curl -sS', 'curl -sS -o answer -w "%{http_code}"')
      .replace(' -o message', '')
      .replace('"wait_seconds":30', '"wait_seconds":0')
      .replace('"wait_seconds":20', '"wait_seconds":0')
      .replace(/wk_[0-9a-f]{20}/, (id) => keyId ?? id)
      .replace(/sub_[0-9a-f]+/, (id) => ledgerId ?? id);
    const status = (await desk.paste(`${preamble}${command}`)).trim();
    // The receipts of the samples belong to no delivery.
    const expected = ['acknowledge', 'release', 'extend', 'reject'].includes(name) ? '409' : /^2/;
    expect(statuses).toContain(status);
    expect(status).toMatch(expected);
    if (name === 'createSubscription') ledgerId = /"id":"(sub_[0-9a-f]+)"/.exec(await desk.paste('cat answer'))?.[1];
    if (name === 'createKey') keyId = /"id":"(wk_[0-9a-f]{20})"/.exec(await desk.paste('cat answer'))?.[1];
  });
});
