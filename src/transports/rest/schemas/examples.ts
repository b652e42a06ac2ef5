// Values that several examples share, so that what is published in one is what is received and
// signed for in another.

export const exampleIds = {
  message: 'AQAAAAEAAAAAAAAAAVx3pE1Cv0hF',
  delayed: 'AgAAAAEAAAAAAAAAAVx3pE1Cv0hF',
  receipt: 'AQAAAAEAAAABAAAAAAAAAAIAAAAAAAAAAQ5Cb4o0LZ1k',
  topic: 'top_3f1c2b9ad87e4d0c8a5b6e7f90123456',
  subscription: 'sub_7a6b5c4d3e2f41089b8a7c6d5e4f3021',
  oldReceipt: 'AQAAAAEAAAABAAAAAAAAAAEAAAAAAAAAAVo7m2kXc0Qy',
} as const;

export const exampleTimes = {
  created: '2026-03-17T06:40:02.118305Z',
  published: '2026-03-17T06:42:11.250417Z',
  delivered: '2026-03-17T06:42:11.262093Z',
  acknowledged: '2026-03-17T06:42:12.004871Z',
  deleted: '2026-04-02T09:15:40.771902Z',
  visibleUntil: '2026-03-17T06:43:11.262093Z',
} as const;

/** The body that the examples publish, and what the ledger says of it. */
export const exampleBody = {
  text: '<Ping/>',
  bytes: 7,
  sha256: '1bce8e5c7d83e013e783ce69baceae7b3fb77abb1bfa9c447ff282248f67f40c',
} as const;
