// Field names: snake_case on the wire, camelCase in this client.
// Every name is converted by rule, so that a field which a newer service adds arrives too. Names of
// attributes belong to the publisher and are not changed.

const OPAQUE = 'attributes';

/** A request as the wire has it. */
export function toWire(value: unknown): unknown {
  return rename(value, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** An answer as this client has it. */
export function fromWire(value: unknown): unknown {
  return rename(value, (name) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
}

function rename(value: unknown, turn: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => rename(item, turn));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [turn(name), name === OPAQUE ? field : rename(field, turn)]),
  );
}
