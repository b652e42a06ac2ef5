// Calls of the reference page: path, code sample, parameters, body and answers of each operation.

import { problemCodes } from '../../http/problems.ts';
import type { Header, MediaType, Response } from './answers.ts';
import { escapeHtml, renderLine, renderText } from './markup.ts';
import type { OpenApiDocument, Operation, Parameter } from './openapi.ts';
import { renderFields, renderReference, renderTable, renderType } from './page-schemas.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

type Components = OpenApiDocument['components'];

/** A heading with a link to itself; `isAnchored` when an element around it has the id already. */
export function renderHeading(level: 2 | 3, id: string, text: string, { isAnchored = false } = {}): string {
  const anchor = escapeHtml(id);
  const link = `<a class="anchor" href="#${anchor}" aria-label="Link to ${escapeHtml(text)}">#</a>`;
  return `<h${level}${isAnchored ? '' : ` id="${anchor}"`}>${escapeHtml(text)} ${link}</h${level}>`;
}

/** A command, which the style lets a click select whole. */
export function renderSample(source: string): string {
  return `<pre class="sample"><code>${escapeHtml(source)}</code></pre>`;
}

export function renderCall({ method, path, operation }: Call, components: Components): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const samples = operation['x-codeSamples'].map(({ source }) => renderSample(source));
  return `<article id="${operationId}">
${renderHeading(3, operationId, summary, { isAnchored: true })}
<p class="call"><span class="method ${method.toLowerCase()}">${method}</span> <code>${renderPath(path)}</code></p>
${renderText(description)}
${operation.security === undefined ? '' : '<p>Needs no key.</p>'}
${samples.join('\n')}
${parameters.length === 0 ? '' : `<h4>Parameters</h4>\n${renderParameters(parameters)}`}
${requestBody === undefined ? '' : renderBody(requestBody, components.schemas)}
<h4>Answers</h4>
${renderAnswers(responses, components.responses)}
</article>`;
}

/** A path may break before a slash, and never inside a word. */
function renderPath(path: string): string {
  return escapeHtml(path).replace(/(?<=.)\//g, '<wbr>/');
}

function renderParameters(parameters: readonly Parameter[]): string {
  const rows = parameters.map(({ name, in: place, required, description, schema }) => [
    `<code>${escapeHtml(name)}</code> <small>${place}${required ? '' : ', optional'}</small>`,
    renderType(schema) + (schema.default === undefined ? '' : ` <small>default ${String(schema.default)}</small>`),
    renderLine(description),
  ]);
  return renderTable(['name', 'type', 'meaning'], rows);
}

function renderBody(
  { required, content }: NonNullable<Operation['requestBody']>,
  schemas: Components['schemas'],
): string {
  const tables = Object.values(content).map(({ schema }) => {
    const described = schemas[schema?.$ref?.split('/').at(-1) ?? ''];
    return described === undefined ? '' : renderFields(described);
  });
  return `<h4>Body${required ? '' : ' <small>optional</small>'}</h4>\n${renderContent(content)}\n${tables.join('\n')}`;
}

/** Successful answers first; an answer that many calls share has its examples among the errors. */
function renderAnswers(responses: Operation['responses'], shared: Components['responses']): string {
  const rows = Object.entries(responses).map(([status, response]) => {
    const { description = '', headers = {}, content = {} } = resolve(response, shared);
    const withHeaders = Object.entries(headers).map(renderHeader);
    const withContent = response.$ref === undefined ? [renderContent(content)] : [];
    return [status, linkCodes(renderText(description)), [...withContent, ...withHeaders].filter(Boolean).join('\n')];
  });
  return renderTable(['status', 'when', 'with'], rows);
}

function resolve(response: Response, shared: Components['responses']): Response {
  return response.$ref === undefined ? response : (shared[response.$ref.split('/').at(-1) ?? ''] ?? response);
}

/** Codes of problems lead to their row among the errors. */
function linkCodes(html: string): string {
  const codes = new Set<string>(problemCodes);
  return html.replace(/<code>(\w+)<\/code>/g, (text, code: string) =>
    codes.has(code) ? `<a href="#problem-${code}">${text}</a>` : text,
  );
}

/** Headers of many answers stand once, further down. */
export function renderHeader([name, header]: [string, Header]): string {
  if ('$ref' in header) return '';
  const { description, required } = header;
  const optional = required ? '' : ' <small>optional</small>';
  return `<p><code>${escapeHtml(name)}</code>${optional}: ${renderLine(description)}</p>`;
}

function renderContent(content: Readonly<Record<string, MediaType>>): string {
  return Object.entries(content).map(renderMediaType).join('\n');
}

function renderMediaType([type, { schema, example, examples = {} }]: [string, MediaType]): string {
  const reference = schema?.$ref === undefined ? '' : `, ${renderReference(schema.$ref)}`;
  const all = example === undefined ? Object.entries(examples) : [['example', { value: example }] as const];
  const details = all.map(([name, { value }]) => renderExample(name, value));
  return `<p><code>${escapeHtml(type)}</code>${reference}</p>\n${details.join('\n')}`;
}

export function renderExample(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return `<details><summary>${escapeHtml(name)}</summary><pre><code>${escapeHtml(text)}</code></pre></details>`;
}
