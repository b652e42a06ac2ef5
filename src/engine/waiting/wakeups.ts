// Wakeups: notifications that a message may be receivable, or that a key has changed. This instance
// gets one at once, the others through the store: at once when none was sent lately, else several
// in one message every few milliseconds. A lost one costs latency, never a message: each instance
// polls now and then, and looks up its keys again.

import { randomUUID } from 'node:crypto';
import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';

/** Between two messages: each is a transaction, which costs as much as a small flush. */
const PAUSE_MS = 10;
const PAYLOAD_BYTES_MAX = 7_500;

export interface WakeupHandlers {
  readonly onTopic: (topicId: number) => void;
  readonly onSubscription: (subscriptionId: number) => void;
  readonly onKey: (keyId: string) => void;
  readonly onEverybody: () => void;
}

export interface Wakeups {
  /** Something entered the topic's log. */
  wakeTopic(topicId: number): void;
  /** Something of the subscription became receivable. */
  wakeSubscription(subscriptionId: number): void;
  /** The key was made or revoked: what is remembered of it is no longer true. */
  wakeKey(keyId: string): void;
  start(): void;
  stop(): void;
}

export interface WakeupOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly handlers: WakeupHandlers;
}

export function createWakeups({ store, logger, handlers }: WakeupOptions): Wakeups {
  const instance = randomUUID().slice(0, 8);
  const outgoing = new Set<string>();
  /** The next message, or the end of the pause after the last one. */
  let timer: NodeJS.Timeout | null = null;
  let sending = false;
  let stopped = false;

  async function flush(): Promise<void> {
    timer = null;
    if (outgoing.size === 0) return;
    sending = true;
    try {
      await store.wakeups.send(takePayload(instance, outgoing));
    } catch (err) {
      logger.debug({ err }, 'a wakeup was not sent; the other instances poll');
    }
    sending = false;
    schedule(PAUSE_MS);
  }

  function schedule(ms: number): void {
    if (timer === null && !sending && !stopped) timer = setTimeout(() => void flush(), ms);
  }

  function notify(word: string): void {
    outgoing.add(word);
    // Not before the present turn of the event loop is over, in which there may be more to send.
    schedule(0);
  }

  return {
    wakeTopic: (topicId) => {
      handlers.onTopic(topicId);
      notify(`t${topicId}`);
    },
    wakeSubscription: (subscriptionId) => {
      handlers.onSubscription(subscriptionId);
      notify(`s${subscriptionId}`);
    },
    wakeKey: (keyId) => {
      handlers.onKey(keyId);
      notify(`k${keyId}`);
    },
    start: () => {
      store.wakeups.listen({
        onWakeup: (payload) => onPayload(payload, instance, handlers),
        // What was sent while this instance did not listen is lost.
        onConnect: handlers.onEverybody,
      });
    },
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** `<instance> t1 s2 kwk_… …`; `*` when that is too long. */
function takePayload(instance: string, outgoing: Set<string>): string {
  const words = [...outgoing].join(' ');
  outgoing.clear();
  return words.length <= PAYLOAD_BYTES_MAX ? `${instance} ${words}` : `${instance} *`;
}

function onPayload(payload: string, instance: string, handlers: WakeupHandlers): void {
  const [from, ...words] = payload.split(' ');
  if (from === instance) return;
  for (const word of words) {
    const id = Number(word.slice(1));
    if (word === '*') handlers.onEverybody();
    else if (word.startsWith('t')) handlers.onTopic(id);
    else if (word.startsWith('s')) handlers.onSubscription(id);
    else if (word.startsWith('k')) handlers.onKey(word.slice(1));
  }
}
