// The reference for people: the OpenAPI document as one page without a script, which loads nothing.

import { createHash } from 'node:crypto';
import type { Header, MediaType, Response } from './answers.ts';
import type { OpenApiDocument, Operation, Parameter } from './document.ts';
import type { JsonSchema } from './json-schemas.ts';
import { escapeHtml, renderLine, renderText } from './markup.ts';
import { renderFields, renderReference, renderTable, renderType } from './page-schemas.ts';
import { pageStyle } from './page-style.ts';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Lets the page's own style apply, by its digest, and nothing else happen. */
export const pageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(pageStyle).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function renderPage(document: OpenApiDocument): string {
  const { info, tags, components } = document;
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const chapters = tags.map((tag) => ({
    ...tag,
    calls: calls.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  const title = `${escapeHtml(info.title)} API ${escapeHtml(info.version)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${pageStyle}</style>
</head>
<body>
<nav aria-label="Contents">
${chapters.map(renderContents).join('\n')}
<p><a href="#problems">Problems of many calls</a></p>
<p><a href="#headers">Headers of many answers</a></p>
<p><a href="#schemas">Schemas</a></p>
</nav>
<main>
<h1>${title}</h1>
${renderText(info.description)}
<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>
<h2 id="access">Access</h2>
${Object.values(components.securitySchemes).map(renderScheme).join('\n')}
${chapters.map((chapter) => renderChapter(chapter, components.schemas)).join('\n')}
<h2 id="problems">Problems of many calls</h2>
${renderTable(['name', 'when', 'with'], Object.entries(components.responses).map(renderShared))}
<h2 id="headers">Headers of many answers</h2>
${Object.entries(components.headers).map(renderHeader).join('\n')}
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas).map(renderSchema).join('\n')}
</main>
</body>
</html>
`;
}

type Schemas = OpenApiDocument['components']['schemas'];

interface Chapter {
  readonly name: string;
  readonly description: string;
  readonly calls: readonly Call[];
}

function renderContents({ name, calls }: Chapter): string {
  const items = calls.map(
    ({ operation }) => `<li><a href="#${operation.operationId}">${escapeHtml(operation.summary)}</a></li>`,
  );
  return `<p><a href="#chapter-${escapeHtml(name)}">${escapeHtml(name)}</a></p>\n<ul>${items.join('')}</ul>`;
}

function renderScheme({ type, scheme, description }: { type: string; scheme: string; description: string }): string {
  return `<p><code>${escapeHtml(type)} ${escapeHtml(scheme)}</code>: ${renderLine(description)}</p>`;
}

function renderChapter({ name, description, calls }: Chapter, schemas: Schemas): string {
  const articles = calls.map((call) => renderCall(call, schemas));
  return `<section>\n<h2 id="chapter-${escapeHtml(name)}">${escapeHtml(name)}</h2>\n${renderText(description)}\n${articles.join('\n')}\n</section>`;
}

function renderCall({ method, path, operation }: Call, schemas: Schemas): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  return `<article id="${operationId}">
<h3>${escapeHtml(summary)}</h3>
<p class="call"><code>${method} ${escapeHtml(path)}</code></p>
${renderText(description)}
${operation.security === undefined ? '' : '<p>Needs no key.</p>'}
${parameters.length === 0 ? '' : `<h4>Parameters</h4>\n${renderParameters(parameters)}`}
${requestBody === undefined ? '' : renderBody(requestBody, schemas)}
<h4>Answers</h4>
${renderTable(['status', 'when', 'with'], Object.entries(responses).map(renderAnswer))}
</article>`;
}

function renderBody({ required, content }: NonNullable<Operation['requestBody']>, schemas: Schemas): string {
  const tables = Object.values(content).map(({ schema }) => {
    const described = schemas[schema?.$ref?.split('/').at(-1) ?? ''];
    return described === undefined ? '' : renderFields(described);
  });
  return `<h4>Body${required ? '' : ' <small>optional</small>'}</h4>\n${renderContent(content)}\n${tables.join('\n')}`;
}

function renderParameters(parameters: readonly Parameter[]): string {
  const rows = parameters.map(({ name, in: place, required, description, schema }) => [
    `<code>${escapeHtml(name)}</code> <small>${place}${required ? '' : ', optional'}</small>`,
    renderType(schema) + (schema.default === undefined ? '' : ` <small>default ${String(schema.default)}</small>`),
    renderLine(description),
  ]);
  return renderTable(['name', 'type', 'meaning'], rows);
}

/** What many calls share stands once, further down. */
function renderAnswer([status, { $ref, description = '', headers = {}, content = {} }]: [string, Response]): string[] {
  if ($ref !== undefined) return [status, renderReference($ref), ''];
  const withHeaders = Object.entries(headers).map(renderHeader);
  return [status, renderText(description), [renderContent(content), ...withHeaders].filter(Boolean).join('\n')];
}

function renderShared([name, response]: [string, Response]): string[] {
  const [, ...cells] = renderAnswer(['', response]);
  return [`<span id="responses-${escapeHtml(name)}">${escapeHtml(name)}</span>`, ...cells];
}

/** Headers of many answers stand once, further down. */
function renderHeader([name, header]: [string, Header]): string {
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
  const shown = example === undefined ? Object.entries(examples) : [['example', { value: example }] as const];
  const details = shown.map(([name, { value }]) => renderExample(name, value));
  return `<p><code>${escapeHtml(type)}</code>${reference}</p>\n${details.join('\n')}`;
}

function renderExample(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return `<details><summary>${escapeHtml(name)}</summary><pre><code>${escapeHtml(text)}</code></pre></details>`;
}

function renderSchema([name, schema]: [string, JsonSchema]): string {
  return `<article id="schemas-${escapeHtml(name)}">
<h3>${escapeHtml(name)}</h3>
${renderText(schema.description ?? '')}
${renderFields(schema)}
</article>`;
}
