// The settings of the transports: the slice of each, beside the others. A transport with settings
// costs its slice in its folder and a line in each of the two lists here.

import type { z } from 'zod';
import { httpSettings } from './http/settings.ts';

/** The variables of every transport, as config.ts reads them. */
export const transportVariables = { ...httpSettings.variables };

type Values = z.output<z.ZodObject<typeof transportVariables>>;

/** The settings of each transport, by its name. */
export function readTransportSettings(values: Values) {
  return { http: httpSettings.read(values) };
}

export type TransportSettings = ReturnType<typeof readTransportSettings>;
