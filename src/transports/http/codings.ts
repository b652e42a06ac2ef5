// Content codings by RFC 9110: gzip is the only one here, because every client has it. Names of
// codings know no case, and x-gzip is gzip (sections 8.4.1 and 8.4.1.3).

/** The coding of a body: `identity` for none, `gzip`, or the name as it was sent. */
export function readContentCoding(header: string | undefined): string {
  const coding = (header ?? '').trim().toLowerCase();
  if (coding === 'x-gzip') return 'gzip';
  return coding === '' ? 'identity' : coding;
}

/**
 * Whether a client accepts gzip and does not prefer no coding (section 12.5.3). What is said of a
 * coding by its name counts, whatever is said of `*`.
 */
export function acceptsGzip(header: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const element of (header ?? '').split(',')) {
    const [name = '', ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight));
  }
  const gzip = weights.get('gzip') ?? weights.get('*') ?? 0;
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0);
}
