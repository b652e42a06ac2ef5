// The TypeScript client of Willcall, exported by the package as `willcall/client`.
// It needs fetch, timers and abort signals, and no other module of this codebase. How it is packed:
// docs/decisions/0022-typescript-client.md.

export type { RetrySettings } from './backoff.ts';
export { bytesOf } from './bodies.ts';
export type { CallOptions } from './calls.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { ConsumeFault, ConsumeOptions, Handled, HandlerContext } from './consume.ts';
export { type Problem, Rejection, WillcallClientError } from './errors.ts';
export type * from './types.ts';
