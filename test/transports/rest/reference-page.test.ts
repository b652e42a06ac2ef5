// The reference page and its code samples: complete, linked, and without anything that a browser
// would have to run or load.

import { describe, expect, it } from 'vitest';
import { outcomes } from '../../../src/domain/settling.ts';
import { problemCodes } from '../../../src/transports/http/problems.ts';
import { createDocument } from '../../../src/transports/rest/description/document.ts';
import { createReference } from '../../../src/transports/rest/description/index.ts';
import { routes } from '../../../src/transports/rest/routes/index.ts';

const document = createDocument(routes);
const { html, contentSecurityPolicy } = createReference(routes);
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);

describe('the reference page', () => {
  it('has a link to itself at every heading of a chapter or call', () => {
    const headings = [...html.matchAll(/<h[23][^>]*>.*?<\/h[23]>/g)].map(([heading]) => heading);
    expect(headings.length).toBeGreaterThan(operations.length);
    expect(headings.filter((heading) => !heading.includes('class="anchor"'))).toEqual([]);
  });

  it('shows a command for every call', () => {
    for (const { operation } of operations) {
      const article = html.split(`<article id="${operation.operationId}">`)[1]?.split('</article>')[0] ?? '';
      expect(article).toContain('<pre class="sample"><code>curl -sS ');
    }
  });

  it('leads a consumer to its calls and explains every outcome', () => {
    const guide = html.split('<h2 id="consumer">')[1]?.split('</section>')[0] ?? '';
    for (const verb of ['receive', 'acknowledge', 'extend', 'release', 'reject']) {
      expect(guide).toContain(`href="#${verb}"`);
    }
    for (const outcome of outcomes) expect(guide).toContain(`<code>${outcome}</code>`);
  });

  it('explains every code of a problem', () => {
    for (const code of problemCodes) expect(ids).toContain(`problem-${code}`);
  });

  it('runs and loads nothing', () => {
    expect(html).not.toMatch(/<script|\son\w+=|javascript:|<iframe|<object|@import|url\(/i);
    const loaded = [...html.matchAll(/<(?:link|img)[^>]*(?:href|src)="([^"]*)"/g)].map(([, url]) => url ?? '');
    expect(loaded.filter((url) => !url.startsWith('data:image/svg+xml,'))).toEqual([]);
    expect(contentSecurityPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; /);
  });
});

describe('the description', () => {
  it('has a code sample for each operation, with its method and path', () => {
    for (const { method, path, operation } of operations) {
      const [{ source } = { source: '' }] = operation['x-codeSamples'];
      const start = path.split('{')[0];
      expect(source).toContain(`"$WILLCALL${start}`);
      expect(source).not.toContain('{subscription}');
      expect(
        source.includes(`-X ${method} `) || method === 'GET' || source.includes(' -d ') || source.includes('--data'),
      ).toBe(true);
    }
  });

  it('gives a GET no 415 and says that it works as HEAD', () => {
    for (const { method, operation } of operations.filter((each) => each.method === 'GET')) {
      expect(Object.keys(operation.responses), `${method} ${operation.operationId}`).not.toContain('415');
      expect(operation.description).toContain('HEAD');
    }
  });
});
