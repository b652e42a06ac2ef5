// The kinds of settings that the environment holds, and the shape of a slice of them that a module
// brings. config.ts composes the slices and is the only reader of the environment.

import { z } from 'zod';

/** The settings of one module: its variables by name, and what they mean to it. */
export interface SettingsSlice<Variables extends z.ZodRawShape, Settings> {
  /** Each says in `error` what would be right, as the end of a sentence that the name begins. */
  readonly variables: Variables;
  read(values: z.output<z.ZodObject<Variables>>): Settings;
}

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}
