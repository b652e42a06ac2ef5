// A verb to be tried and measured: what has to be there first is made apart from the call itself.

export interface Verb<Prepared> {
  name: string;
  /** By which it must find its rows. */
  indexes: string[];
  /** What has to be there first, outside what is measured. */
  prepare: () => Promise<Prepared>;
  call: (prepared: Prepared) => Promise<unknown>;
}

/** A verb whose preparation and call are made one after the other, with something between them. */
export interface Trial {
  name: string;
  indexes: string[];
  run: (between?: () => Promise<void>) => Promise<unknown>;
}

export function trial<Prepared>({ name, indexes, prepare, call }: Verb<Prepared>): Trial {
  const run = async (between?: () => Promise<void>) => {
    const prepared = await prepare();
    await between?.();
    return call(prepared);
  };
  return { name, indexes, run };
}
