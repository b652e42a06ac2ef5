// The reference for people: the OpenAPI document as one page without a script, which loads nothing.
// It needs no script because its few controls are plain HTML: a contents list that a checkbox folds
// on narrow screens, and code samples that a click selects whole.

import { createHash } from 'node:crypto';
import { type ProblemCode, problemCodes, problems } from '../../http/problems.ts';
import type { Guide } from './guides.ts';
import type { JsonSchema } from './json-schemas.ts';
import { escapeHtml, renderLine, renderText, toSentence } from './markup.ts';
import type { OpenApiDocument } from './openapi.ts';
import { type Call, renderCall, renderExample, renderHeader, renderHeading, renderSample } from './page-calls.ts';
import { renderFields, renderTable } from './page-schemas.ts';
import { pageStyle } from './page-style.ts';

/** A letter in a rounded square; inline, so that nothing is loaded. */
const ICON =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b5cad"/>' +
      '<path d="M6 10l4 13 6-12 6 12 4-13" fill="none" stroke="#fff" stroke-width="3" stroke-linejoin="round"/></svg>',
  );

/** Lets the page's own style apply, by its digest, and its inline icon be shown; nothing else. */
export const pageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(pageStyle).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Chapter {
  readonly name: string;
  readonly description: string;
  readonly calls: readonly Call[];
}

export function renderPage(document: OpenApiDocument, guides: readonly Guide[]): string {
  const { info } = document;
  const title = `${escapeHtml(info.title)} API ${escapeHtml(info.version)}`;
  const chapters = listChapters(document);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${ICON}">
<style>${pageStyle}</style>
</head>
<body>
${renderNavigation(chapters, guides)}
<main>
<h1>${title}</h1>
<p class="start">${guides.map(({ id, title: words }) => `<a href="#${id}">${escapeHtml(words)}</a>`).join(' ')}</p>
${renderText(info.description)}
<p>The same for programs: <a href="openapi.json">openapi.json</a>
(<a href="openapi.json" download="willcall-openapi.json">download</a>).</p>
${renderAccess(document)}
${guides.map(renderGuide).join('\n')}
${chapters.map((chapter) => renderChapter(chapter, document)).join('\n')}
${renderErrors()}
${renderHeading(2, 'headers', 'Headers of many answers')}
${Object.entries(document.components.headers).map(renderHeader).join('\n')}
${renderHeading(2, 'schemas', 'Schemas')}
${Object.entries(document.components.schemas).map(renderSchema).join('\n')}
</main>
</body>
</html>
`;
}

function listChapters({ paths, tags }: OpenApiDocument): Chapter[] {
  const calls = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  return tags.map((tag) => ({ ...tag, calls: calls.filter(({ operation }) => operation.tags[0] === tag.name) }));
}

function renderNavigation(chapters: readonly Chapter[], guides: readonly Guide[]): string {
  const guideLinks = guides.map(({ id, title }) => `<li><a href="#${id}">${escapeHtml(title)}</a></li>`);
  return `<nav aria-label="Contents">
<input type="checkbox" id="contents"><label for="contents">Contents</label>
<div class="contents">
<p>Begin here</p>
<ul><li><a href="#access">Access</a></li>${guideLinks.join('')}</ul>
${chapters.map(renderContents).join('\n')}
<p><a href="#errors">Errors</a></p>
<p><a href="#headers">Headers of many answers</a></p>
<p><a href="#schemas">Schemas</a></p>
</div>
</nav>`;
}

function renderContents({ name, calls }: Chapter): string {
  const items = calls.map(
    ({ operation }) => `<li><a href="#${operation.operationId}">${escapeHtml(operation.summary)}</a></li>`,
  );
  return `<p><a href="#chapter-${escapeHtml(name)}">${escapeHtml(name)}</a></p>\n<ul>${items.join('')}</ul>`;
}

function renderAccess({ components }: OpenApiDocument): string {
  const schemes = Object.values(components.securitySchemes).map(
    ({ type, scheme, description }) =>
      `<p><code>${escapeHtml(type)} ${escapeHtml(scheme)}</code>: ${renderLine(description)}</p>`,
  );
  return `${renderHeading(2, 'access', 'Access')}
<p>Every call needs a key, except those of the chapter <a href="#chapter-Service">Service</a>. An administrator
<a href="#createKey">creates a key</a> for each client, with roles on names; the admin key of the first start may do everything.</p>
${schemes.join('\n')}
<p>The samples below read the address and the key from two variables. A click on a sample selects it whole, ready to copy.</p>
${renderSample('WILLCALL=http://127.0.0.1:8080\nKEY=$(cat .willcall/admin-key)')}`;
}

function renderGuide({ id, title, introduction, sample, steps, table, conclusion }: Guide): string {
  const rows = table?.rows.map((cells) => cells.map(renderLine));
  return `<section>
${renderHeading(2, id, title)}
${renderText(introduction)}
${sample === undefined ? '' : renderSample(sample)}
<ol>${steps.map((step) => `<li>${renderLine(step)}</li>`).join('\n')}</ol>
${table === undefined ? '' : `${renderHeading(3, `${id}-table`, table.title)}\n${renderTable(table.heads, rows ?? [])}`}
${renderText(conclusion)}
</section>`;
}

function renderChapter({ name, description, calls }: Chapter, document: OpenApiDocument): string {
  const articles = calls.map((call) => renderCall(call, document.components));
  return `<section>\n${renderHeading(2, `chapter-${name}`, name)}\n${renderText(description)}\n${articles.join('\n')}\n</section>`;
}

/** Every code, which the answers of calls refer to. */
function renderErrors(): string {
  const rows = problemCodes.map((code: ProblemCode) => {
    const { status, title, when, detail } = problems[code];
    const example = { type: `urn:willcall:problem:${code}`, title, status, detail, code };
    return [
      `<code id="problem-${code}">${code}</code>`,
      String(status),
      `${renderLine(toSentence(when))}${renderExample('example', example)}`,
    ];
  });
  return `${renderHeading(2, 'errors', 'Errors')}
<p>Errors are problem documents (RFC 9457). The <code>type</code> of a problem is a name that ends in its code.</p>
${renderTable(['code', 'status', 'when'], rows)}`;
}

function renderSchema([name, schema]: [string, JsonSchema]): string {
  return `<article id="schemas-${escapeHtml(name)}">
${renderHeading(3, `schemas-${name}`, name, { isAnchored: true })}
${renderText(schema.description ?? '')}
${renderFields(schema)}
</article>`;
}
