// JSON Schemas as tables: one row per field, those of nested objects included.

import type { JsonSchema } from './json-schemas.ts';
import { escapeHtml, renderLine } from './markup.ts';

/** A table of an object's fields; empty for what is no object. */
export function renderFields(schema: JsonSchema): string {
  const rows = listRows(schema, '');
  return rows.length === 0 ? renderValues(schema) : renderTable(['field', 'type', 'meaning'], rows);
}

/** A table whose cells are HTML; on narrow screens the style makes a card of each row. */
export function renderTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((each) => `<th scope="col">${each}</th>`).join('');
  const body = rows
    .map((cells) => `<tr>${cells.map((cell, at) => renderCell(cell, heads[at])).join('')}</tr>`)
    .join('\n');
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

/** The head stands in the cell too, for the cards. An empty cell is left out of them. */
function renderCell(cell: string, head = ''): string {
  return cell === '' ? '<td></td>' : `<td data-head="${escapeHtml(head)}"><div>${cell}</div></td>`;
}

/** What a value may be, in a few words. */
export function renderType(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return renderReference(schema.$ref);
  if (schema.enum !== undefined) return schema.enum.map((value) => renderCode(JSON.stringify(value))).join(', ');
  if (schema.const !== undefined) return renderCode(JSON.stringify(schema.const));
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return alternatives.map((each) => renderType(each as JsonSchema)).join(' or ');
  return [schema.type]
    .flat()
    .map((type) => renderSimpleType(type, schema))
    .join(' or ');
}

/** A link to the place of a component. */
export function renderReference(reference: string): string {
  const [kind = '', name = ''] = reference.split('/').slice(-2).map(escapeHtml);
  return `<a href="#${kind}-${name}">${name}</a>`;
}

function renderSimpleType(type: string | undefined, schema: JsonSchema): string {
  switch (type) {
    case undefined:
      return 'anything';
    case 'array':
      return `list of ${renderType(schema.items as JsonSchema)}${renderSpan(schema.minItems, schema.maxItems, 'items')}`;
    case 'integer':
      return `whole number${renderSpan(schema.minimum, schema.maximum, '')}`;
    case 'number':
      return `number${renderSpan(schema.minimum, schema.maximum, '')}`;
    case 'string':
      if (schema.format === 'date-time') return 'time';
      return `text${renderSpan(schema.minLength, schema.maxLength, 'characters')}`;
    default:
      return type;
  }
}

function renderSpan(min: number | undefined, max: number | undefined, unit: string): string {
  if (max === undefined) return min === undefined ? '' : `, at least ${min} ${unit}`.trimEnd();
  return min === undefined ? `, at most ${max} ${unit}`.trimEnd() : `, ${min} to ${max} ${unit}`.trimEnd();
}

function listRows(schema: JsonSchema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const property = each as JsonSchema;
    const optional = schema.required?.includes(name) ? '' : ' <small>optional</small>';
    const byDefault =
      property.default === undefined ? '' : ` <small>default ${renderCode(JSON.stringify(property.default))}</small>`;
    const row = [
      renderCode(prefix + name) + optional + byDefault,
      renderType(property),
      renderLine(property.description ?? ''),
    ];
    return [row, ...listNestedRows(property, prefix + name)];
  });
}

function listNestedRows(schema: JsonSchema, name: string): string[][] {
  if (schema.items !== undefined) return listNestedRows(schema.items as JsonSchema, `${name}[]`);
  return [schema, ...(schema.anyOf ?? [])].flatMap((each) => listRows(each as JsonSchema, `${name}.`));
}

/** Of a component that is no object. */
function renderValues(schema: JsonSchema): string {
  return schema.enum === undefined ? '' : `<p>${renderType(schema)}</p>`;
}

function renderCode(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}
