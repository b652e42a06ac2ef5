// The chapters of the API's description, in their order.

export const tags = {
  Topics: 'Append-only logs of messages.',
  Subscriptions: 'Readers of topics: a cursor into the log, and the messages in flight.',
  Publish: 'Put messages into a topic. Consumers receive the published bytes, unchanged.',
  Receive:
    'Get messages of a subscription, leased until their visibility timeout ends. A receive waits ' +
    'until there is a message.',
  Settle:
    'Acknowledge, release, extend or reject received messages. A receipt gets one definite outcome, ' +
    'however often and however late it is sent, so that each of these calls can be repeated.',
  Records: 'The ledger of acknowledgments, the dead letters, and the journal of administrative acts.',
  Keys:
    'Credentials for this API: a key belongs to a client and has roles on names. A client may have ' +
    'several valid keys at once.',
  Service: 'Health, and this description. None of these calls needs a key.',
} as const;

export type Tag = keyof typeof tags;
