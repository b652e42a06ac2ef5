// Settings of topics and subscriptions as types for the client.

import { z } from 'zod';
import type { AnyTable } from '../../src/transports/rest/schemas/setting-table.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A TypeScript interface: each setting in camelCase, none of them required. */
export function writeSettingTypes(interfaceName: string, table: AnyTable): string {
  const members = Map.groupBy(Object.entries(table), ([name, { within }]) => within ?? name);
  const lines = [...members].flatMap(([outer, settings]) => {
    const fields = settings.flatMap(([name, { request, words }]) => [
      `/** ${words} */`,
      `readonly ${name}?: ${typeOf(jsonSchemaOf(request))};`,
    ]);
    const isGroup = settings.some(([, { within }]) => within !== undefined);
    return isGroup ? [`readonly ${outer}?: {`, ...fields.map(indent), '};'] : fields;
  });
  return [`export interface ${interfaceName} {`, ...lines.map(indent), '}', ''].join('\n');
}

function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((each) => typeOf(each as JsonSchema)).join(' | ');
  if (schema.enum !== undefined) return schema.enum.map((value) => `'${value}'`).join(' | ');
  return schema.type === 'integer' ? 'number' : String(schema.type);
}

function indent(line: string): string {
  return `  ${line}`;
}
