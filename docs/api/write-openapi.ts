// Writes docs/api/openapi.json, the committed copy of what the service answers at /openapi.json:
//   node docs/api/write-openapi.ts

import { writeFile } from 'node:fs/promises';
import { createDocument, formatDocument } from '../../src/transports/rest/description/document.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';

await writeFile(new URL('openapi.json', import.meta.url), formatDocument(createDocument(routes)));
