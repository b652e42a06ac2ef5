// The description as a text of its own: valid, complete, current, and of the very routes that are
// served.

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../../docs/api/generated-files.ts';
import { errorCodes } from '../../../src/domain/errors.ts';
import { createDocument, formatDocument } from '../../../src/transports/rest/description/document.ts';
import { createReference } from '../../../src/transports/rest/description/index.ts';
import { renderText } from '../../../src/transports/rest/description/markup.ts';
import { routes } from '../../../src/transports/rest/routes/index.ts';
import { addRoute, type RouteDeps } from '../../../src/transports/rest/routes/route.ts';
import type { OpenApi } from '../../support/witness.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const copy = path.join(root, 'docs/api/openapi.json');
const source = path.join(root, 'src/transports/rest');

const text = formatDocument(createDocument(routes));
const document = JSON.parse(text) as OpenApi & Record<string, unknown>;
const operations = Object.entries(document.paths).flatMap(([url, item]) =>
  Object.entries(item).map(([verb, operation]) => ({ name: `${verb.toUpperCase()} ${url}`, operation })),
);

type Visit = (value: Record<string, unknown>, place: string) => void;
/**
 * Visits every object of the document, examples aside: they are data, and no part of the
 * description's language.
 */
const walk = (value: unknown, visit: Visit, place = ''): void => {
  if (typeof value !== 'object' || value === null) return;
  visit(value as Record<string, unknown>, place);
  for (const [key, each] of Object.entries(value)) {
    if (!/^examples?$/.test(key)) walk(each, visit, `${place}/${key}`);
  }
};
const find = (fault: (value: Record<string, unknown>, place: string) => boolean): string[] => {
  const places: string[] = [];
  walk(document, (value, place) => {
    if (fault(value, place)) places.push(place);
  });
  return places;
};

describe('what is made of the schemas', () => {
  it('is current: run "node docs/api/write-openapi.ts" after a change of them', async () => {
    const files = await generatedFiles();
    expect(files.map(({ url }) => path.basename(url.pathname))).toEqual(['openapi.json', 'settings.ts', 'README.md']);
    for (const { url, text: made } of files) expect(await readFile(url, 'utf8')).toBe(made);
  });
});

describe('the description', () => {
  it('passes the linter, examples included', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      // The product has no licence yet. What no call refers to is told below.
      rules: { 'info-license': 'off', 'no-unused-components': 'off' },
    });
    const problems = await lintFromString({ source: text, absoluteRef: copy, config });
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
  });

  it('has no component that nothing refers to, but what is answered where there is no call', () => {
    const unused = (['headers', 'responses', 'schemas'] as const).flatMap((kind) =>
      Object.keys(document.components[kind]).filter((name) => !text.includes(`"#/components/${kind}/${name}"`)),
    );
    expect(unused).toEqual(['NotImplemented', 'NotFound', 'MethodNotAllowed']);
  });

  it('says of every field, parameter and header what it means and what it may be', () => {
    const isDescribed = (value: unknown) =>
      typeof value === 'object' && value !== null && /\S/.test((value as { description?: string }).description ?? '');
    const undescribed: string[] = [];
    walk(document.components.schemas, ({ properties }, place) => {
      for (const [name, property] of Object.entries(properties ?? {})) {
        if (!isDescribed(property)) undescribed.push(`${place}/${name}`);
      }
    });
    undescribed.push(
      ...find((value) => ('in' in value || 'required' in value) && 'schema' in value && !isDescribed(value)),
    );
    expect(undescribed).toEqual([]);
    const bounds = ['type', '$ref', 'enum', 'const', 'anyOf', 'oneOf', 'properties', 'additionalProperties'];
    const schemas = find((_, place) => /\/properties\/[^/]+$|\/schema$|\/items$|\/anyOf\/\d+$/.test(place));
    expect(schemas.length).toBeGreaterThan(200);
    expect(find((value, place) => schemas.includes(place) && !bounds.some((keyword) => keyword in value))).toEqual([]);
  });

  it('has a list, a text or a number of a request bounded, or says in words what bounds it', () => {
    const unbounded: string[] = [];
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      if (!/Request$|Settings$|Changes$/.test(name)) continue;
      walk(schema, (value, place) => {
        const keyword = { array: 'maxItems', integer: 'maximum', string: 'maxLength' }[String(value.type)];
        const isBounded = keyword === undefined || keyword in value || 'enum' in value || 'format' in value;
        if (!isBounded && !('pattern' in value)) unbounded.push(`${name}${place}`);
      });
    }
    // max_message_bytes, which is the topic's, and attributesBytesMax, which is of all of them
    // together.
    expect(unbounded).toEqual([
      'PublishRequest/properties/messages/items/properties/body',
      'PublishRequest/properties/messages/items/properties/attributes/anyOf/0/additionalProperties',
    ]);
  });

  it.each(operations)('has everything of $name', ({ name, operation }) => {
    expect(operation).toMatchObject({
      operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
      summary: expect.stringMatching(/^[A-Z].*[^.]$/),
      description: expect.stringMatching(/\.$/),
      tags: [expect.any(String)],
    });
    for (const [status, response] of Object.entries(operation.responses)) {
      const [media] = Object.values(response.content ?? {});
      const hasExample = media?.example !== undefined || Object.keys(media?.examples ?? {}).length > 0;
      expect([status, response.$ref !== undefined || media === undefined || hasExample]).toEqual([status, true]);
    }
    for (const media of Object.values(operation.requestBody?.content ?? {})) {
      expect(media.example ?? Object.keys(media.examples ?? {}).length).toBeTruthy();
    }
    const everywhere = ['400', '408', '431', '500', '503'];
    const withBody = name.startsWith('GET ') ? [] : ['413', '415'];
    const withKey = operation.security ? [] : ['401'];
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining([...everywhere, ...withBody, ...withKey]));
  });

  it('has no two operations of one id', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).toEqual([...new Set(ids)]);
  });

  it('lists every code of the domain, with an example each', () => {
    for (const code of errorCodes) expect(text).toContain(`"urn:willcall:problem:${code}"`);
  });
});

describe('routes and description', () => {
  it('are of the same calls', async () => {
    const app = fastify();
    const served: string[] = [];
    app.addHook('onRoute', ({ method, url }) => {
      if (method !== 'HEAD') served.push(`${String(method)} ${url.replace(/:(\w+)/g, '{$1}')}`);
    });
    for (const route of routes) addRoute(app, route, {} as RouteDeps);
    await app.ready();
    expect(served.sort()).toEqual(operations.map(({ name }) => name).sort());
  });

  it('are of the same files: each in routes/ is one of them, and nothing is served past them', async () => {
    const files = (await readdir(path.join(source, 'routes'))).filter((file) => !/^(index|route)\.ts$/.test(file));
    expect(routes).toHaveLength(files.length);
    const registrations: string[] = [];
    for (const file of await readdir(source, { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const code = await readFile(path.join(source, file), 'utf8');
      if (/\b\w+\.(?:route|get|head|post|put|patch|delete|options|all)\(\s*['"`{]/.test(code)) registrations.push(file);
    }
    expect(registrations).toEqual([path.join('routes', 'route.ts')]);
  });
});

describe('the page', () => {
  const { html } = createReference(routes);

  it('has a place for each of its links, and no two places of one name', () => {
    const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toEqual(expect.arrayContaining(links));
    expect(links).toEqual(expect.arrayContaining(operations.map(({ operation }) => operation.operationId)));
  });

  it('closes what it opens', () => {
    const open: string[] = [];
    for (const [, slash, name = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (['meta', 'link', 'input', 'wbr'].includes(name)) continue;
      if (slash === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  it('shows text as text', () => {
    expect(renderText('a < `b & c`\n\n- "one"\n- two\n\nend')).toBe(
      '<p>a &lt; <code>b &amp; c</code></p>\n<ul><li>&quot;one&quot;</li>\n<li>two</li></ul>\n<p>end</p>',
    );
  });
});
