// JSON Schema out of the zod schemas that parse requests and shape answers: always what goes over
// the wire, before any transformation. An answer's objects stay open, so that fields may be added
// to them later; a request's are closed.

import { z } from 'zod';
import { components, SHORTHAND, WIRE_DEFAULT } from '../schemas/components.ts';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** One field of an object, for what lists its fields one by one: parameters and headers. */
export interface Field {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
  readonly examples: readonly unknown[];
  readonly schema: JsonSchema;
}

const options = { io: 'input', unrepresentable: 'any', override: mendSchema } as const;

/** Every component by name, in order of name. */
export function describeComponents(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(components, { ...options, uri: refTo });
  const byName = Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName.map(([name, { $schema, $id, ...schema }]) => [name, schema]));
}

/** The fields of an object schema that is no component. */
export function describeFields(schema: z.ZodType): Field[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, options);
  return Object.entries(properties).map(([name, property]) => {
    const { description = '', examples = [], ...rest } = property as JsonSchema;
    return { name, required: required.includes(name), description, examples, schema: rest };
  });
}

/** Refers to a component. Throws when it is none. */
export function referTo(schema: z.ZodType): JsonSchema {
  return { $ref: refTo(readComponent(schema).id) };
}

/** The examples of a component, as a media type lists them. Throws when it is none. */
export function listExamples(schema: z.ZodType): Record<string, { value: unknown }> {
  const examples = Object.entries(readComponent(schema).examples);
  return Object.fromEntries(examples.map(([name, value]) => [name, { value }]));
}

function readComponent(schema: z.ZodType) {
  const component = components.get(schema);
  if (component === undefined)
    throw new Error('A body has to be registered as a component: see schemas/components.ts.');
  return component;
}

function refTo(id: string): string {
  return `#/components/schemas/${id}`;
}

/** What zod writes and what is meant are not quite the same. */
function mendSchema({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodType; jsonSchema: JsonSchema }): void {
  const component = components.get(zodSchema);
  // What is made of a component looks like it, but has no name.
  if (component?.id !== undefined) jsonSchema.description = component.description;
  // Every whole number is a safe one; saying so everywhere would only be noise.
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  // zod leaves out the default of a schema that transforms.
  if (WIRE_DEFAULT in jsonSchema) {
    jsonSchema.default = jsonSchema[WIRE_DEFAULT] as JsonSchema['default'];
    delete jsonSchema[WIRE_DEFAULT];
  }
  const { [SHORTHAND]: field, ...object } = jsonSchema;
  const alone = typeof field === 'string' ? (object.properties?.[field] as JsonSchema | undefined) : undefined;
  if (alone === undefined) return;
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
  jsonSchema.anyOf = [alone, object as JsonSchema];
}
