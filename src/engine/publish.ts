// publish: appends a call's messages to a topic's log, all of them or none. The caller is answered after the commit; many
// callers share one.

import { WillcallError } from '../domain/errors.ts';
import type { NewMessage, PublishedMessage } from '../domain/message.ts';
import { formatMessageId } from '../domain/message-id.ts';
import type { Store } from '../store/index.ts';
import type { PublishCall, PublishOutcome } from '../store/messages.ts';
import { Batcher, type Group } from './batcher.ts';
import type { Directory } from './directory.ts';
import type { Engine } from './types.ts';
import type { Wakeups } from './wakeups.ts';

const MIB = 1024 * 1024;

/** 'gone' when the topic is no more; a number is the topic's bound on a body, which one of the call's exceeds. */
type PublishReply = readonly PublishedMessage[] | 'gone' | { readonly maxMessageBytes: number };

export function createPublish(options: { store: Store; directory: Directory; wakeups: Wakeups }) {
  const { store, directory, wakeups } = options;

  const flush = async (groups: readonly Group<PublishCall>[], wait: boolean) => {
    const outcomes = await store.messages.publish(
      groups.map(({ key, entries }) => ({ topicId: key, calls: entries })),
      wait,
    );
    return Promise.all(groups.map((group, i) => toReplies(group, outcomes[i])));
  };

  /** A group with a body that is too large was left undone: tell that caller, and do the others. */
  const toReplies = async (
    group: Group<PublishCall>,
    outcome: PublishOutcome | undefined,
  ): Promise<readonly PublishReply[] | 'busy'> => {
    switch (outcome?.outcome) {
      case 'published':
        wakeups.wakeTopic(group.key);
        return numberMessages(group, outcome);
      case 'message_too_large': {
        const { refusedCalls, maxMessageBytes } = outcome;
        const kept = group.entries.filter((_, i) => !refusedCalls.includes(i));
        const replies = kept.length > 0 ? await flush([{ key: group.key, entries: kept }], true) : [[]];
        const rest = [...(replies[0] === 'busy' ? [] : (replies[0] ?? []))];
        return group.entries.map((_, i) => (refusedCalls.includes(i) ? { maxMessageBytes } : (rest.shift() ?? 'gone')));
      }
      case 'busy':
        return 'busy';
      default:
        return group.entries.map(() => 'gone');
    }
  };

  const batcher = new Batcher<PublishCall, PublishReply>({
    flush,
    weigh: ({ messages }) => ({
      items: messages.length,
      bytes: messages.reduce((bytes, message) => bytes + message.body.length, 0),
    }),
    groupsMax: 200,
    itemsMax: 5_000,
    bytesMax: 16 * MIB,
    flushesMax: 2,
    pendingBytesMax: 256 * MIB,
    pendingEntriesMax: 20_000,
  });

  const publish: Engine['publish'] = (request) => {
    const call = { messages: request.messages.map(withoutPastDelay), publisher: request.caller };
    return directory.withTopic(request.topic, async (topic) => {
      const reply = await batcher.submit(topic.topicId, call);
      if (reply === 'gone') return null;
      if (!('maxMessageBytes' in reply)) return reply;
      throw tooLarge(request.messages, request.topic, reply.maxMessageBytes);
    });
  };

  return { publish, drained: () => batcher.drained() };
}

/** What is due already enters the log at once. */
function withoutPastDelay(message: NewMessage): NewMessage {
  const past = message.delaySeconds === 0 || (message.deliverAt !== null && message.deliverAt.getTime() <= Date.now());
  return past ? { ...message, delaySeconds: null, deliverAt: null } : message;
}

function numberMessages(
  group: Group<PublishCall>,
  outcome: Extract<PublishOutcome, { outcome: 'published' }>,
): PublishedMessage[][] {
  let sequence = outcome.firstSequence;
  let delayed = 0;
  return group.entries.map((call) =>
    call.messages.map((message): PublishedMessage => {
      const id = { topicId: group.key, salt: outcome.salt };
      if (message.delaySeconds === null && message.deliverAt === null) {
        const number = sequence;
        sequence += 1;
        return { id: formatMessageId({ ...id, numbering: 'log', number }), sequence: number, duplicate: false };
      }
      const number = outcome.scheduledNos[delayed] ?? 0;
      delayed += 1;
      return { id: formatMessageId({ ...id, numbering: 'scheduled', number }), sequence: null, duplicate: false };
    }),
  );
}

function tooLarge(messages: readonly NewMessage[], topic: string, bytesMax: number): WillcallError {
  const fields = messages.flatMap((message, i) =>
    message.body.length > bytesMax
      ? [
          {
            field: `messages[${i}].body`,
            message: `has ${message.body.length} bytes; ${topic} takes at most ${bytesMax}`,
          },
        ]
      : [],
  );
  return new WillcallError(
    'message_too_large',
    `${topic} takes bodies of at most ${bytesMax} bytes (max_message_bytes); nothing was published.`,
    { fields },
  );
}
