// One publish for many subscriptions: each connection publishes a batch to its topic and then, for
// each subscription of the topic in turn, collects up to as many and signs for them, in calls of
// their own or with the next receive. Or it publishes alone, to subscriptions that nobody collects
// from.

import type { WillcallClient } from './http-queue-client.ts';
import type { Reporter } from './protocol.ts';
import { connectAll, type Target } from './queue-client.ts';
import { type LifecycleFigures, measureWindows, repeat, type Shared, timed, type WindowTimes } from './windows.ts';

export interface FanOutSettings extends WindowTimes {
  readonly target: Target;
  readonly connections: number;
  /** Connection i works on topic i modulo their number. */
  readonly topics: readonly string[];
  readonly subscriptionsPerTopic: number;
  readonly batch: number;
  readonly bodyBytes: number;
  /** What is done with what was published. */
  readonly collect: 'not at all' | 'acknowledged separately' | 'acknowledged with the next receive';
}

export async function drive(settings: FanOutSettings, reporter: Reporter<LifecycleFigures>): Promise<void> {
  const { target, connections, bodyBytes, topics } = settings;
  const clients = (await connectAll(connections, { target, bodyBytes })) as WillcallClient[];
  await Promise.all(topics.map((topic, index) => subscribeAll(clients[index % clients.length], topic, settings)));
  await measureWindows(settings, reporter, (shared) =>
    Promise.all(
      clients.map((client, index) => {
        const topic = topics[index % topics.length] ?? '';
        const unsigned = new Map<string, readonly string[]>();
        return repeat(shared, () => takeTurn({ client, topic, unsigned, settings, shared }));
      }),
    ),
  );
  for (const client of clients) {
    client.close();
  }
}

async function subscribeAll(
  client: WillcallClient | undefined,
  topic: string,
  settings: FanOutSettings,
): Promise<void> {
  await client?.createTopic(topic, {});
  for (const subscription of subscriptionsOf(topic, settings)) {
    await client?.subscribe(topic, subscription);
  }
}

function subscriptionsOf(topic: string, settings: FanOutSettings): string[] {
  return Array.from({ length: settings.subscriptionsPerTopic }, (_, index) => `${topic}-${index + 1}`);
}

interface Turn {
  readonly client: WillcallClient;
  readonly topic: string;
  /** By subscription, what this connection has received and not yet signed for. */
  readonly unsigned: Map<string, readonly string[]>;
  readonly settings: FanOutSettings;
  readonly shared: Shared;
}

async function takeTurn(turn: Turn): Promise<void> {
  const { client, topic, settings, shared } = turn;
  await timed(shared, 'publish', () => client.publish(topic, settings.batch));
  shared.recorder.add('published', settings.batch);
  if (settings.collect === 'not at all') {
    return;
  }
  for (const subscription of subscriptionsOf(topic, settings)) {
    if (shared.stopped) {
      return;
    }
    await collect(turn, subscription);
  }
}

async function collect({ client, unsigned, settings, shared }: Turn, subscription: string): Promise<void> {
  const options = { maxMessages: settings.batch, waitSeconds: 0 };
  const before = unsigned.get(subscription) ?? [];
  const received = await timed(shared, 'receive', () =>
    before.length > 0
      ? client.receiveAcknowledging(subscription, options, before)
      : client.receive(subscription, options),
  );
  shared.recorder.add('acknowledged', before.length);
  shared.recorder.add('received', received.receipts.length);
  unsigned.delete(subscription);
  if (received.receipts.length === 0) {
    shared.recorder.add('emptyReceives', 1);
  } else if (settings.collect === 'acknowledged with the next receive') {
    unsigned.set(subscription, received.receipts);
  } else {
    await timed(shared, 'acknowledge', () => client.acknowledge(subscription, received.receipts));
    shared.recorder.add('acknowledged', received.receipts.length);
  }
}
