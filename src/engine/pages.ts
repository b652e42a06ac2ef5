// Keyset pages: a list is read with one item more than a page has, which says whether there is a
// next page.

/** `after` is the `next` of the page before. */
export interface PageRequest<Key> {
  readonly limit: number;
  readonly after?: Key | undefined;
}

/** Of topics or subscriptions, in order of name. */
export interface NamePageRequest extends PageRequest<string> {
  /** Shows only names that one of these scopes covers. Absent: all. */
  readonly scopes?: readonly string[] | undefined;
}

export interface Page<Item, Key> {
  readonly items: readonly Item[];
  /** Where the next page begins, after this key; null when this page is the last one. */
  readonly next: Key | null;
  readonly hasMore: boolean;
}

/** The page of the items that `read` finds, given how many to read; `keyOf` is their order. */
export async function readPage<Item, Key>(
  limit: number,
  read: (limit: number) => Promise<readonly Item[]>,
  keyOf: (item: Item) => Key,
): Promise<Page<Item, Key>> {
  const found = await read(limit + 1);
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit;
  return { items, next: hasMore && last !== undefined ? keyOf(last) : null, hasMore };
}
