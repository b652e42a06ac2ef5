// What a caller gave of a noun's settings: absent ones keep their value, or take their default.

/** Undefined is as good as absent. */
export type Changes<Settings> = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

/** The changes without what is undefined. */
export function given<Settings extends object>(changes: Changes<Settings>): Partial<Settings> {
  const present = Object.entries(changes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<Settings>;
}

/** The names of the settings whose given value is another than the existing one. */
export function differences<Settings extends object>(
  existing: Settings,
  changes: Changes<Settings>,
): (keyof Settings & string)[] {
  const names = Object.keys(given(changes)) as (keyof Settings & string)[];
  return names.filter((name) => existing[name] !== changes[name]);
}
