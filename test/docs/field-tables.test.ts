// The field tables of the API's guide are those that the schemas give.

import { describe, expect, it } from 'vitest';
import { writeFieldTables } from '../../docs/api/field-tables.ts';
import { createDocument } from '../../src/transports/rest/description/document.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';
import { readDocument } from './pasting.ts';

const document = createDocument(routes);

describe('the field tables of docs/api/README.md', () => {
  it('are those of the schemas (node docs/api/write-openapi.ts writes them)', async () => {
    const page = await readDocument('docs/api/README.md');
    expect(page.match(/<!-- (fields|parameters):/g)?.length).toBeGreaterThan(4);
    expect(page).toBe(writeFieldTables(page, document));
  });

  it('name default, limits and meaning of each field', () => {
    const page = writeFieldTables('<!-- fields:ReceiveRequest -->\n<!-- /fields -->', document);
    expect(page).toMatch(/^\| `wait_seconds` \| `20` \| 0 to 30 \| How long to wait when there is no message/m);
  });

  it('refuse a marker that names nothing', () => {
    expect(() => writeFieldTables('<!-- fields:Nonsense -->\n<!-- /fields -->', document)).toThrow('Nonsense');
  });
});
