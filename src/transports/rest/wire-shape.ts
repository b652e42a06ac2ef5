// Answers made after their schemas: the same fields in the same order, read from a domain value.
// For lists and administration; the hot verbs write theirs by hand, which is faster.

import { z } from 'zod';
import { type CamelCase, toCamelCase } from './wire-names.ts';

/** The domain's side of an answer: the same fields under their names in camelCase. */
type DomainValue<Wire> = Wire extends Date | string | number | boolean | null | undefined
  ? Wire
  : Wire extends readonly (infer Item)[]
    ? readonly DomainValue<Item>[]
    : { readonly [Name in keyof Wire as Name extends string ? CamelCase<Name> : Name]: DomainValue<Wire[Name]> };

/** Fields that the schema does not have are left out. */
export function wireShape<Schema extends z.ZodObject>(
  schema: Schema,
  value: DomainValue<z.input<Schema>>,
): z.input<Schema> {
  return shapeObject(schema, value) as z.input<Schema>;
}

function shapeObject(schema: z.ZodObject, value: object): object {
  const fields = Object.entries(schema.shape).map(([name, field]) => {
    const domainName = toCamelCase(name) as keyof typeof value;
    return [name, shape(field, value[domainName])];
  });
  return Object.fromEntries(fields);
}

/** Objects of named fields are turned over; other values, and what they hold, stay as they are. */
function shape(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return shape(schema.unwrap(), value);
  if (schema instanceof z.ZodArray && Array.isArray(value)) return value.map((item) => shape(schema.element, item));
  if (schema instanceof z.ZodObject && typeof value === 'object' && value !== null) return shapeObject(schema, value);
  return value;
}
