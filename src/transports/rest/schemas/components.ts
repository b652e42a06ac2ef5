// The bodies that the API's description knows by name, each with what it is and with examples,
// which are types checked against it here and values checked against it in the tests.

import { z } from 'zod';

export interface Component {
  /** The name under `components.schemas`. */
  readonly id: string;
  /** One sentence. */
  readonly description: string;
  /** By name; a whole body each. Empty where the schema is only a part of others. */
  readonly examples: Readonly<Record<string, z.core.$input>>;
}

/**
 * A key of an object's metadata: the name of the one field that may stand for the whole object, as
 * a receipt does for `{ "receipt": … }`.
 */
export const SHORTHAND = 'shorthand';

/** Filled by the files beside this one as they are loaded, and by nothing later. */
export const components = z.registry<Component>();

/**
 * Key of a schema's metadata: a default in wire form, for schemas that transform what they parse.
 */
export const WIRE_DEFAULT = 'willcall-wire-default';
