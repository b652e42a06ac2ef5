// Settings of a noun as a table: from a row come the field of requests, that of answers, and its
// words.

import { z } from 'zod';
import type { Changes } from '../../../domain/settings.ts';
import { type SnakeCase, toSnakeCase } from '../wire-names.ts';
import { strict } from './fields.ts';

/** One setting; `within` names the object that it stands in on the wire. */
export interface Setting<Value = unknown> {
  readonly words: string;
  /** What a request may give; every setting may be left out. */
  readonly request: z.ZodType<Value>;
  readonly answer: z.ZodType<Value>;
  readonly within?: string;
}

/** By domain names, in the order of the wire. */
export type SettingTable<Settings> = { readonly [Name in keyof Settings]: Setting<Settings[Name]> };

export type AnyTable = Readonly<Record<string, Setting>>;
type WireName<Table extends AnyTable, Name extends keyof Table & string> = Table[Name] extends {
  within: infer Outer extends string;
}
  ? Outer
  : SnakeCase<Name>;
type NamesWithin<Table extends AnyTable, Outer> = {
  [Name in keyof Table & string]: Table[Name] extends { within: Outer } ? Name : never;
}[keyof Table & string];

/** The fields of a request. */
export type RequestShape<Table extends AnyTable> = {
  [Name in keyof Table & string as WireName<Table, Name>]: Table[Name] extends { within: infer Outer }
    ? z.ZodOptional<z.ZodObject<RequestFields<Table, NamesWithin<Table, Outer>>, z.core.$strict>>
    : z.ZodOptional<Table[Name]['request']>;
};
type RequestFields<Table extends AnyTable, Names extends keyof Table & string> = {
  [Name in Names as SnakeCase<Name>]: z.ZodOptional<Table[Name]['request']>;
};

/** The fields of an answer. */
export type AnswerShape<Table extends AnyTable> = {
  [Name in keyof Table & string as WireName<Table, Name>]: Table[Name] extends { within: infer Outer }
    ? z.ZodObject<AnswerFields<Table, NamesWithin<Table, Outer>>>
    : Table[Name]['answer'];
};
type AnswerFields<Table extends AnyTable, Names extends keyof Table & string> = {
  [Name in Names as SnakeCase<Name>]: Table[Name]['answer'];
};

/**
 * `groupWords` describes each object that settings stand in; `defaults` go into the description.
 */
export function requestShape<Table extends AnyTable>(
  table: Table,
  groupWords: Readonly<Record<string, string>> = {},
  defaults: { readonly [Name in keyof Table]?: unknown } = {},
) {
  return arrange(
    table,
    ({ request, words }, name) => {
      const field = request.optional().describe(words);
      return name in defaults ? field.meta({ ...field.meta(), default: defaults[name] }) : field;
    },
    (shape, group) =>
      strict(shape)
        .optional()
        .describe(groupWords[group] ?? ''),
  ) as RequestShape<Table>;
}

export function answerShape<Table extends AnyTable>(table: Table, groupWords: Readonly<Record<string, string>> = {}) {
  return arrange(
    table,
    ({ answer, words }) => answer.describe(words),
    (shape, group) => z.object(shape).describe(groupWords[group] ?? ''),
  ) as AnswerShape<Table>;
}

/** The settings that the fields of a request give, in domain names. */
export function toChanges<Settings>(table: SettingTable<Settings>, fields: object): Changes<Settings> {
  const changes = Object.entries<Setting>(table).map(([name, { within }]) => {
    const outer = within === undefined ? fields : ((fields as Record<string, object | undefined>)[within] ?? {});
    return [name, (outer as Record<string, unknown>)[toSnakeCase(name)]];
  });
  return Object.fromEntries(changes);
}

/** Where the wire has the setting. */
export function settingPath(table: Readonly<Record<string, Setting>>, name: string): readonly string[] {
  const within = table[name]?.within;
  return within === undefined ? [toSnakeCase(name)] : [within, toSnakeCase(name)];
}

/** Fields in the order of the table; a group stands where its first member does. */
function arrange(
  table: AnyTable,
  field: (setting: Setting, name: string) => z.ZodType,
  group: (shape: Record<string, z.ZodType>, name: string) => z.ZodType,
): Record<string, z.ZodType> {
  const members = Map.groupBy(Object.entries(table), ([name, { within }]) => within ?? toSnakeCase(name));
  const shape = [...members].map(([wireName, settings]) => {
    const fields = Object.fromEntries(settings.map(([name, setting]) => [toSnakeCase(name), field(setting, name)]));
    const isGroup = settings.some(([, { within }]) => within !== undefined);
    return [wireName, isGroup ? group(fields, wireName) : fields[wireName]];
  });
  return Object.fromEntries(shape);
}
