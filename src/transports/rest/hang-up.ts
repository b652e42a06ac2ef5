// Clients that hang up. A parked receive whose client went away is forgotten before anything is leased to it; messages
// that were leased for an answer which could not be written are handed back at once, uncounted.

import type { Logger } from '../../domain/logger.ts';
import type { Engine, Principal } from '../../engine/types.ts';

export interface HandBackRequest {
  readonly subscription: string;
  readonly receipts: readonly string[];
  readonly caller: Principal;
}

/** Gives back what nobody got. */
export interface HandBacks {
  /** Releases the messages without an error: not a failed attempt. Never throws; a lease ends by itself too. */
  begin(request: HandBackRequest): void;
  /** Resolves when none is under way. */
  whenNone(): Promise<void>;
}

export function createHandBacks(rooms: {
  readonly engine: Pick<Engine, 'release'>;
  readonly logger: Logger;
}): HandBacks {
  const { engine, logger } = rooms;
  const underWay = new Set<Promise<void>>();

  const handBack = async ({ subscription, receipts, caller }: HandBackRequest): Promise<void> => {
    const wishes = receipts.map((receipt) => ({ receipt, delaySeconds: null, error: null }));
    try {
      await engine.release({ subscription, receipts: wishes, caller });
      logger.debug({ subscription, messages: receipts.length }, 'the client hung up: its messages were handed back');
    } catch (err) {
      logger.warn(
        { err, subscription, messages: receipts.length },
        'messages of a lost answer wait for their lease to end',
      );
    }
  };

  return {
    begin: (request) => {
      if (request.receipts.length === 0) return;
      const begun = handBack(request).finally(() => underWay.delete(begun));
      underWay.add(begun);
    },
    whenNone: async () => {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
