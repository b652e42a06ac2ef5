// Requests that break a published schema in one place, made from that schema: every field of every
// type, bound and enumeration, and fields that are unknown or missing.

/** As much of JSON Schema as the description of the API uses for requests. */
export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
}

export interface WrongRequest {
  /** What is wrong, for the title of a test. */
  readonly what: string;
  readonly json: unknown;
  /** As the answer has to name it; `request` is the whole. */
  readonly field: string;
  /** What the answer has to mention: the limit. */
  readonly says: string;
}

interface Place {
  readonly field: string;
  /** The request with this value in that place. */
  put(value: unknown): unknown;
}

/** All requests that are wrong in one place of the schema. */
export function listWrongRequests(schema: Schema): WrongRequest[] {
  return [...breakSchema(schema, { field: '', put: (value) => value })];
}

function* breakSchema(schema: Schema, place: Place): Generator<WrongRequest> {
  const choices = choicesOf(schema);
  const object = choices.find(({ type }) => type === 'object');
  const wrong = (what: string, value: unknown, says: string, field = place.field): WrongRequest => ({
    what: `${field || 'a request'} that is ${what}`,
    json: place.put(value),
    field: field || 'request',
    says,
  });
  const isNullable = choices.some(({ type }) => type === 'null');
  // Of several types the object stands for the others: they are short forms of it.
  const main = object ?? choices.find(({ type }) => type !== 'null') ?? schema;
  if (!isNullable) yield wrong('null', null, limitOf(main));
  yield* breakType(main, wrong);
  if (object !== undefined) yield* breakObject(object, place);
  if (main.type === 'array' && main.items !== undefined) {
    const first = { field: `${place.field}[0]`, put: (value: unknown) => place.put([value]) };
    yield* breakSchema(main.items, first);
  }
}

type Wrong = (what: string, value: unknown, says: string) => WrongRequest;

function* breakType(schema: Schema, wrong: Wrong): Generator<WrongRequest> {
  const says = limitOf(schema);
  switch (schema.type) {
    case 'integer':
      yield wrong('below its minimum', (schema.minimum ?? 0) - 1, says);
      yield wrong('above its maximum', (schema.maximum ?? Number.MAX_SAFE_INTEGER) + 1, says);
      yield wrong('a fraction', (schema.minimum ?? 0) + 0.5, says);
      yield wrong('a number in text', String(schema.minimum ?? 0), says);
      return;
    case 'boolean':
      yield wrong('text', 'yes', says);
      return;
    case 'array':
      yield wrong('no list', { 0: 'x' }, says);
      if ((schema.minItems ?? 0) > 0) yield wrong('an empty list', [], says);
      if (schema.maxItems !== undefined) {
        const item = sampleOf(schema.items ?? {});
        const tooMany = Array.from({ length: schema.maxItems + 1 }, () => item);
        yield wrong('too long a list', tooMany, says);
      }
      return;
    case 'object':
      yield wrong('a number', 7, says);
      yield wrong('a list', [], says);
      return;
    default:
      yield wrong('a number', 7, says);
      if ((schema.minLength ?? 0) > 0 || schema.pattern || schema.format) yield wrong('empty', '', says);
      if (schema.maxLength !== undefined) yield wrong('too long', 'x'.repeat(schema.maxLength + 1), says);
      if (schema.enum || schema.format) yield wrong('an unknown word', 'zork', says);
  }
}

function* breakObject(schema: Schema, place: Place): Generator<WrongRequest> {
  const sample = sampleOf(schema) as Record<string, unknown>;
  const inside = (name: string): Place => ({
    field: place.field === '' ? name : `${place.field}.${name}`,
    put: (value) => place.put({ ...sample, [name]: value }),
  });
  for (const name of schema.required ?? []) {
    const { [name]: _missing, ...rest } = sample;
    const { field } = inside(name);
    const says = limitOf(choicesOf(schema.properties?.[name] ?? {})[0] ?? {});
    yield { what: `${field} that is missing`, json: place.put(rest), field, says };
  }
  if (schema.additionalProperties === false) {
    const { field, put } = inside('zork');
    yield { what: `${field}, which is unknown`, json: put(1), field, says: 'unknown' };
  }
  if (typeof schema.additionalProperties === 'object') yield* breakSchema(schema.additionalProperties, inside('a'));
  for (const [name, property] of Object.entries(schema.properties ?? {})) yield* breakSchema(property, inside(name));
}

/** The least that is good: what is required, and nothing else. */
function sampleOf(schema: Schema): unknown {
  const choices = choicesOf(schema);
  const main = choices.find(({ type }) => type === 'object') ?? choices[0] ?? schema;
  switch (main.type) {
    case 'object': {
      const required = main.required ?? [];
      return Object.fromEntries(required.map((name) => [name, sampleOf(main.properties?.[name] ?? {})]));
    }
    case 'array':
      return [sampleOf(main.items ?? {})];
    case 'integer':
      return main.minimum ?? 0;
    case 'boolean':
      return false;
    default:
      return main.enum?.[0] ?? 'x';
  }
}

function choicesOf(schema: Schema): readonly Schema[] {
  return schema.anyOf ?? [schema];
}

/** The words of an answer that state what would be right. */
function limitOf(schema: Schema): string {
  const { minimum, maximum, minItems = 0, maxItems, maxLength, type } = schema;
  if (type === 'integer') return `must be a whole number from ${minimum} to ${maximum}`;
  if (type === 'array') return `${minItems} to ${maxItems} items`;
  if (type === 'boolean') return 'true or false';
  if (type === 'object') return 'object';
  if (maxLength !== undefined) return String(maxLength);
  return schema.enum?.[0] ?? (schema.format === 'date-time' ? 'RFC 3339' : 'must be');
}
