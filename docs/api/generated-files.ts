// Files that are made from the schemas of the API, whole or between marks.

import { readFile } from 'node:fs/promises';
import { createDocument, formatDocument } from '../../src/transports/rest/description/document.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';
import { subscriptionTable, topicTable } from '../../src/transports/rest/schemas/settings.ts';
import { writeFieldTables } from './field-tables.ts';
import { writeSettingTypes } from './settings.ts';

export interface GeneratedFile {
  readonly url: URL;
  readonly text: string;
}

const README = new URL('README.md', import.meta.url);
const CLIENT_HEADER = `// Settings of topics and subscriptions in requests.
// Written by docs/api/write-openapi.ts from the schemas of the API.

`;

/**
 * The copy of /openapi.json, the client's types of settings, and the guide with its field tables.
 */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  const client = [
    writeSettingTypes('TopicSettings', topicTable),
    writeSettingTypes('SubscriptionSettings', subscriptionTable),
  ].join('\n');
  const document = createDocument(routes);
  return [
    { url: new URL('openapi.json', import.meta.url), text: formatDocument(document) },
    { url: new URL('../../src/client/settings.ts', import.meta.url), text: CLIENT_HEADER + client },
    { url: README, text: writeFieldTables(await readFile(README, 'utf8'), document) },
  ];
}
