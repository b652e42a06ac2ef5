// Wakeups: whatever makes a message receivable, or changes a key, says so here; this instance hears
// it at once, the others through the store: at once when nothing was said lately, else coalesced to
// one message per few milliseconds. Losing one costs latency, never a message: each instance polls
// now and then, and looks at its keys again.

import { randomUUID } from 'node:crypto';
import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';

/** Between two messages: each is a transaction, which costs as much as a flush of few. */
const PAUSE_MS = 10;
const PAYLOAD_BYTES_MAX = 7_500;

/** Who hears. */
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

export function createWakeups(options: { store: Store; logger: Logger; handlers: WakeupHandlers }): Wakeups {
  const { store, logger, handlers } = options;
  const self = randomUUID().slice(0, 8);
  const outgoing = new Set<string>();
  /** `timer`: the next message, or the end of the pause after the last one. */
  const state = { timer: null as NodeJS.Timeout | null, sending: false, stopped: false };

  const flush = async (): Promise<void> => {
    state.timer = null;
    if (outgoing.size === 0) return;
    state.sending = true;
    try {
      await store.wakeups.send(takePayload(self, outgoing));
    } catch (err) {
      logger.debug({ err }, 'a wakeup was not sent; the other instances poll');
    }
    state.sending = false;
    schedule(PAUSE_MS);
  };
  const schedule = (ms: number): void => {
    if (state.timer === null && !state.sending && !state.stopped) state.timer = setTimeout(() => void flush(), ms);
  };
  const tell = (word: string): void => {
    outgoing.add(word);
    // Not before the present turn of the event loop is over, in which there may be more to say.
    schedule(0);
  };

  return {
    wakeTopic: (topicId) => {
      handlers.onTopic(topicId);
      tell(`t${topicId}`);
    },
    wakeSubscription: (subscriptionId) => {
      handlers.onSubscription(subscriptionId);
      tell(`s${subscriptionId}`);
    },
    wakeKey: (keyId) => {
      handlers.onKey(keyId);
      tell(`k${keyId}`);
    },
    start: () => {
      store.wakeups.listen({
        onWakeup: (payload) => hear(payload, self, handlers),
        // What was sent while nobody listened is lost: everybody looks.
        onConnect: handlers.onEverybody,
      });
    },
    stop: () => {
      state.stopped = true;
      if (state.timer !== null) clearTimeout(state.timer);
    },
  };
}

/** `<instance> t1 s2 kwk_… …`; `*` when there is too much to say. */
function takePayload(self: string, outgoing: Set<string>): string {
  const words = [...outgoing].join(' ');
  outgoing.clear();
  return words.length <= PAYLOAD_BYTES_MAX ? `${self} ${words}` : `${self} *`;
}

function hear(payload: string, self: string, handlers: WakeupHandlers): void {
  const [from, ...words] = payload.split(' ');
  if (from === self) return;
  for (const word of words) {
    const id = Number(word.slice(1));
    if (word === '*') handlers.onEverybody();
    else if (word.startsWith('t')) handlers.onTopic(id);
    else if (word.startsWith('s')) handlers.onSubscription(id);
    else if (word.startsWith('k')) handlers.onKey(word.slice(1));
  }
}
