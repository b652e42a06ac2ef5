// Field tables of docs/api/README.md, made from the OpenAPI document between pairs of markers.
// `<!-- fields:TopicSettings -->` lists the fields of a component, `fields:PublishRequest.messages`
// those of the items of one of its lists, and `parameters:listTopics` the query of an operation.
// Each ends at `<!-- /fields -->`. Names, defaults, limits and meanings are those of the schemas.

import type { OpenApiDocument, Parameter } from '../../src/transports/rest/description/openapi.ts';

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Row {
  readonly name: string;
  readonly required: boolean;
  readonly schema: Schema;
  readonly meaning: string;
}

const TABLE = /(<!-- (fields|parameters):([\w.]+) -->\n)[\s\S]*?(<!-- \/fields -->)/g;

/** The page with its tables written anew. Throws when a marker names nothing of the document. */
export function writeFieldTables(page: string, document: OpenApiDocument): string {
  return page.replace(TABLE, (_, start: string, kind: string, name: string, end: string) => {
    const rows = kind === 'fields' ? listFields(document, name) : listParameters(document, name);
    return `${start}\n${formatTable(rows)}\n\n${end}`;
  });
}

function listFields(document: OpenApiDocument, path: string): Row[] {
  const [component = '', ...lists] = path.split('.');
  let schema = document.components.schemas[component] as Schema | undefined;
  for (const list of lists) schema = schema?.properties?.[list]?.items;
  if (schema?.properties === undefined) throw new Error(`The document has no object "${path}".`);
  const { properties, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, field]) => toRows(name, field, required.includes(name)));
}

/** An object among settings is listed by its fields, as `retry.min_backoff_seconds`. */
function toRows(name: string, field: Schema, required: boolean): Row[] {
  const row: Row = { name, required, schema: field, meaning: field.description ?? '' };
  const parts = Object.entries(field.properties ?? {});
  return [
    row,
    ...parts.map(([part, schema]) => ({ ...row, name: `${name}.${part}`, schema, meaning: schema.description ?? '' })),
  ];
}

function listParameters(document: OpenApiDocument, operationId: string): Row[] {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const operation = operations.find((candidate) => candidate.operationId === operationId);
  if (operation === undefined) throw new Error(`The document has no operation "${operationId}".`);
  const query = operation.parameters.filter((parameter) => parameter.in === 'query');
  return query.map(({ name, required, description, schema }: Parameter) => ({
    name,
    required,
    schema: schema as Schema,
    meaning: description,
  }));
}

function formatTable(rows: readonly Row[]): string {
  const lines = rows.map(({ name, required, schema, meaning }) => {
    const cells = [`\`${name}\``, formatDefault(schema, required), formatLimits(schema), meaning];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| name | default | limits | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

function formatDefault(schema: Schema, required: boolean): string {
  if (required) return 'required';
  return schema.default === undefined ? '–' : `\`${JSON.stringify(schema.default)}\``;
}

function formatLimits(schema: Schema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(formatLimits))].filter(Boolean).join(', or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  switch (schema.type) {
    case 'null':
      return '`null`';
    case 'integer':
    case 'number':
      return formatRange(schema.minimum, schema.maximum);
    case 'array':
      return `${formatRange(schema.minItems, schema.maxItems)} items`;
    case 'boolean':
      return '`true`, `false`';
    case 'string':
      if (schema.format === 'date-time') return 'a time';
      return schema.maxLength === undefined ? '' : `up to ${schema.maxLength} characters`;
    case 'object':
      return schema.maxProperties === undefined ? '' : `up to ${schema.maxProperties} names`;
    default:
      return '';
  }
}

function formatRange(min: number | undefined, max: number | undefined): string {
  if (max === undefined) return min === undefined ? '' : `at least ${min}`;
  return min === undefined ? `up to ${max}` : `${min} to ${max}`;
}
