// The headers of every answer, whichever transport gives it; a transport adds or replaces its own.

/**
 * Nothing is cached; no type is guessed; no browser runs or frames an answer, or sends its address
 * on (docs/security.md); and no proxy collects an answer for a client that may have gone
 * (docs/proxies.md).
 */
export const answerHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-accel-buffering': 'no',
} as const;
