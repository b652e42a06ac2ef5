// Writes what is made of the API's schemas: `node docs/api/write-openapi.ts`.

import { writeFile } from 'node:fs/promises';
import { generatedFiles } from './generated-files.ts';

for (const { url, text } of await generatedFiles()) await writeFile(url, text);
