// The chapters of the API's description, in their order.

export const tags = {
  Topics: 'Append-only logs of messages.',
  Subscriptions: 'Claims of clients on topics: a cursor into the log, and what is in flight.',
  Publish: 'Messages into a topic. What was published is what is received, byte for byte.',
  Receive:
    'Messages out of a subscription, leased until their visibility timeout ends. A receive waits until there is something.',
  Settle:
    'What is to become of received messages. A receipt gets one definite outcome however often and however late it is sent, ' +
    'so that each of these calls may be repeated.',
  Records: 'What stays: the ledger of acknowledgments, and the dead letters.',
  Keys: 'What opens this API: each of a client, with roles, for names. Several of one client may be good at once.',
  Service: 'Health, and this description. None of these calls needs a key.',
} as const;

export type Tag = keyof typeof tags;
