// What a load driver asks of a system under test, whatever its protocol: one client is one
// connection, with one call under way at a time. A peer that speaks something else than Willcall's
// HTTP brings its own module that exports `connect`; a call of its batch may then be several calls
// of its protocol.

const CREATORS_MAX = 8;

/** Where a client connects to. Plain data: it travels to the load generator's process. */
export interface Target {
  /** File URL of a module that exports `connect` (see `ClientModule`). */
  readonly client: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClientOptions {
  readonly target: Target;
  /** Size of each published message; the document is `makeBody(bodyBytes)`. */
  readonly bodyBytes: number;
}

export interface ReceiveOptions {
  readonly maxMessages: number;
  readonly waitSeconds: number;
  /** Absent: the queue's own. */
  readonly visibilityTimeoutSeconds?: number;
}

export interface Received {
  readonly receipts: readonly string[];
  /** How many of them had been handed out before. */
  readonly redelivered: number;
}

/** Each call throws when the system answers anything else than success: that fails the run. */
export interface QueueClient {
  createQueue(queue: string): Promise<void>;
  publish(queue: string, messages: number): Promise<void>;
  receive(queue: string, options: ReceiveOptions): Promise<Received>;
  /** Throws unless every one of them was settled. */
  acknowledge(queue: string, receipts: readonly string[]): Promise<void>;
  close(): void;
}

export interface ClientModule {
  connect(options: ClientOptions): Promise<QueueClient>;
}

/** Creates queues, several at a time where there are several connections. */
export async function createQueues(clients: readonly QueueClient[], queues: readonly string[]): Promise<void> {
  if (clients.length === 0) {
    throw new Error('a load needs at least one connection');
  }
  const creators = clients.slice(0, CREATORS_MAX);
  await Promise.all(
    creators.map(async (client, index) => {
      for (let at = index; at < queues.length; at += creators.length) {
        await client.createQueue(queues[at] ?? '');
      }
    }),
  );
}

/** Opens as many connections as asked for, by the target's own client. */
export async function connectAll(connections: number, options: ClientOptions): Promise<QueueClient[]> {
  const module = (await import(options.target.client)) as ClientModule;
  return Promise.all(Array.from({ length: connections }, () => module.connect(options)));
}
