// Limits: every list, body, wait and name has a named maximum, here and nowhere else.

const KIB = 1024;
const MIB = 1024 * KIB;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const YEAR_SECONDS = 365 * DAY_SECONDS;

export const limits = {
  /** Names of topics and subscriptions. */
  namePattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,

  /** A name, or the beginning of names and `*`; `*` alone is every name. */
  scopePattern: /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127}|(?:[A-Za-z0-9][A-Za-z0-9._-]{0,126})?\*)$/,
  keyRolesMax: 16,
  /** Of one role: so many topics, and so many subscriptions. */
  roleScopesMax: 100,
  /** How long an instance may still accept a key that another one revoked. */
  keyRememberedMs: 1_000,
  keyUseIntervalSeconds: 60,
  /** Calls of a key: on average, and at once after a rest. */
  keyRequestsPerSecondDefault: 1_000,
  keyRequestsPerSecondMax: 100_000,
  keyBurstSeconds: 2,
  keyBurstRequestsMin: 10,
  /** Receives that wait at the same time: of a key, and of everybody on one instance. */
  keyParkedReceivesDefault: 1_000,
  parkedReceivesDefault: 20_000,
  parkedReceivesMax: 1_000_000,
  /**
   * On their way through one instance; the least lets a key send the largest request, which is a
   * quarter of it.
   */
  trafficBytesDefault: 256 * MIB,
  trafficBytesMin: 64 * MIB,
  trafficBytesMax: 64 * 1024 * MIB,

  publishMessagesMax: 1000,
  messageBytesDefault: 1 * MIB,
  messageBytesMax: 10 * MIB,
  /** A whole request, base64 and JSON included. */
  requestBytesMax: 16 * MIB,
  /** More than any call has a use for: the largest has 1000 messages of 64 attributes. */
  jsonDepthMax: 16,
  jsonItemsMax: 100_000,
  contentTypeCharactersMax: 255,
  orderingKeyCharactersMax: 256,
  attributesMax: 64,
  attributeNamePattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  dedupeKeyCharactersMax: 128,
  dedupeWindowSecondsDefault: DAY_SECONDS,
  dedupeWindowSecondsMax: 7 * DAY_SECONDS,
  /** Names and values of one message together, as UTF-8. */
  attributesBytesMax: 4 * KIB,
  delaySecondsMax: YEAR_SECONDS,

  receiveMessagesDefault: 10,
  receiveMessagesMax: 1000,
  /** Bodies of one answer together; the first message is always delivered, however large. */
  receiveBytesDefault: 4 * MIB,
  receiveBytesMax: 16 * MIB,
  idempotencyKeyCharactersMax: 128,
  waitSecondsDefault: 20,
  waitSecondsMax: 30,
  visibilityTimeoutSecondsDefault: 30,
  visibilityTimeoutSecondsMin: 1,
  visibilityTimeoutSecondsMax: 12 * HOUR_SECONDS,

  settleReceiptsMax: 1000,
  receiptCharactersMax: 64,
  referenceCharactersMax: 256,
  errorCodeCharactersMax: 128,
  errorMessageCharactersMax: 2048,

  /** How far ahead of the database's clock a client's may be. */
  startAheadSecondsMax: 5,

  subscriptionDelaySecondsMax: DAY_SECONDS,
  maxAttemptsDefault: 10,
  maxAttemptsMax: 1000,
  maxDeliveriesDefault: 100,
  maxDeliveriesMax: 1000,
  minBackoffSecondsDefault: 1,
  maxBackoffSecondsDefault: 600,
  backoffSecondsMax: DAY_SECONDS,
  maxInFlightMax: 1_000_000,

  maxBacklogMax: 1_000_000_000,
  retentionSecondsDefault: 7 * DAY_SECONDS,
  retainAcknowledgedSecondsDefault: 1 * DAY_SECONDS,
  expiredRetentionSecondsDefault: 7 * DAY_SECONDS,
  retentionSecondsMin: 60,
  retentionSecondsMax: 10 * YEAR_SECONDS,

  pageItemsDefault: 100,
  pageItemsMax: 1000,
  /** Rows that one search looks at, however few of them match. */
  searchedRowsMax: 20_000,
  /** Bodies of one page together; the first item is always given, however large. */
  pageBytesMax: 16 * MIB,
} as const;
