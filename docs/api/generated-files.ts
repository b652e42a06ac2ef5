// Files that are made of the API's schemas, whole or between marks.

import { readFile } from 'node:fs/promises';
import { subscriptionDefaults } from '../../src/domain/subscription.ts';
import { topicDefaults } from '../../src/domain/topic.ts';
import { createDocument, formatDocument } from '../../src/transports/rest/description/document.ts';
import { routes } from '../../src/transports/rest/routes/index.ts';
import { subscriptionTable, topicTable } from '../../src/transports/rest/schemas/settings.ts';
import { writeSettingRows, writeSettingTypes } from './settings.ts';

export interface GeneratedFile {
  readonly url: URL;
  readonly text: string;
}

const README = new URL('README.md', import.meta.url);
const CLIENT_HEADER = `// Settings of topics and subscriptions in requests.
// Written by docs/api/write-openapi.ts from the schemas of the API.

`;

/**
 * The committed copy of /openapi.json, the client's types of settings, and the guide with its
 * tables of settings.
 */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  const client = [
    writeSettingTypes('TopicSettings', topicTable),
    writeSettingTypes('SubscriptionSettings', subscriptionTable),
  ].join('\n');
  let guide = await readFile(README, 'utf8');
  guide = replaceBetween(guide, 'topic settings', writeSettingRows(topicTable, topicDefaults));
  guide = replaceBetween(guide, 'subscription settings', writeSettingRows(subscriptionTable, subscriptionDefaults));
  return [
    { url: new URL('openapi.json', import.meta.url), text: formatDocument(createDocument(routes)) },
    { url: new URL('../../src/client/settings.ts', import.meta.url), text: CLIENT_HEADER + client },
    { url: README, text: guide },
  ];
}

function replaceBetween(text: string, mark: string, rows: string): string {
  const begin = `<!-- ${mark}:start -->\n`;
  const end = `\n<!-- ${mark}:end -->`;
  const [before, rest, ...more] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined || more.length > 0) throw new Error(`The mark "${mark}" is missing.`);
  return `${before}${begin}\n${rows}\n${end}${after}`;
}
