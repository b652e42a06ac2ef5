// The settings of the HTTP listener, which all HTTP transports share.

import { z } from 'zod';
import { type SettingsSlice, wholeNumber } from '../../settings.ts';

export interface HttpSettings {
  /** A name or an address; the listener is on every address of a name. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

const PORT_DEFAULT = 8080;
const PORT_MAX = 65_535;

const variables = {
  WILLCALL_HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/, { error: 'must be a host name or an IP address without brackets, such as 127.0.0.1' })
    .default('127.0.0.1'),
  WILLCALL_PORT: wholeNumber(0, PORT_MAX).default(PORT_DEFAULT),
};

export const httpSettings: SettingsSlice<typeof variables, HttpSettings> = {
  variables,
  read: ({ WILLCALL_HOST, WILLCALL_PORT }) => ({ host: WILLCALL_HOST, port: WILLCALL_PORT }),
};
