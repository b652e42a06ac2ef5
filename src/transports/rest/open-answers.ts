// Answers under way, so that the door closes after the last byte of each has left. Node's own closing cuts a connection
// whose answer was handed over but not yet written out.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface OpenAnswers {
  /** Counts an answer until it is written out or its connection ends. */
  add(request: IncomingMessage, response: ServerResponse): void;
  /** Resolves as soon as there is none. */
  whenNone(): Promise<void>;
}

export function createOpenAnswers(): OpenAnswers {
  // By connection: of several answers that wait in line on one, only the first learns of its end.
  const openBySocket = new Map<Socket, number>();
  const none = Promise.withResolvers<void>();
  let open = 0;
  let awaited = false;
  const subtract = (count: number) => {
    open -= count;
    if (awaited && open === 0) none.resolve();
  };
  return {
    add(request, response) {
      const { socket } = request;
      const before = openBySocket.get(socket);
      if (before === undefined) {
        socket.once('close', () => {
          subtract(openBySocket.get(socket) ?? 0);
          openBySocket.delete(socket);
        });
      }
      openBySocket.set(socket, (before ?? 0) + 1);
      open += 1;
      response.once('finish', () => {
        const left = openBySocket.get(socket);
        if (left === undefined) return;
        openBySocket.set(socket, left - 1);
        subtract(1);
      });
    },
    whenNone() {
      awaited = true;
      if (open === 0) none.resolve();
      return none.promise;
    },
  };
}
