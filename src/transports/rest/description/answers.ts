// Answers as the description shows them.

import type { z } from 'zod';
import type { AnswerDescription, BytesBody } from '../routes/route.ts';
import { rateLimitHeaders } from '../schemas/parameters.ts';
import { describeFields, type JsonSchema, listExamples, referTo } from './json-schemas.ts';

/** A header, or a reference to one. */
export type Header = DescribedHeader | { readonly $ref: string };

export interface DescribedHeader {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

export interface MediaType {
  readonly schema?: JsonSchema | undefined;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** A response, or a reference to one. */
export interface Response {
  readonly $ref?: string;
  readonly description?: string;
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, MediaType>>;
}

export function describeAnswer({ description, headers, json, bytes }: AnswerDescription): Response {
  return {
    description,
    ...(headers && { headers: describeHeaders(headers) }),
    ...(json && { content: describeJson(json) }),
    ...(bytes && { content: describeBytes(bytes) }),
  };
}

export function describeHeaders(headers: z.ZodObject): Record<string, DescribedHeader> {
  return Object.fromEntries(
    describeFields(headers).map(({ name, description, required, schema, examples }) => [
      name,
      { description, required, schema, ...(examples.length > 0 && { example: examples[0] }) },
    ]),
  );
}

/** The headers that answers refer to, as components. */
export function describeSharedHeaders(): Record<string, DescribedHeader> {
  return describeHeaders(rateLimitHeaders);
}

/** The same answer to a key whose calls may be counted. */
export function addRateLimit(response: Response): Response {
  if (response.$ref !== undefined) return response;
  const names = Object.keys(rateLimitHeaders.shape);
  const counted = Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
  return { ...response, headers: { ...response.headers, ...counted } };
}

/** JSON that is one of the components. */
export function describeJson(schema: z.ZodType): Record<string, MediaType> {
  return { 'application/json': { schema: referTo(schema), examples: listExamples(schema) } };
}

export function describeBytes({ mediaType, example }: BytesBody): Record<string, MediaType> {
  return { [mediaType]: { example } };
}
