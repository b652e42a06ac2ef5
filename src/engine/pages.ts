// Pages of lists by keyset: what a list verb is asked for.

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
