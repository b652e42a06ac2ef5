// Answers under way, so that the door closes after the last byte of each has left. Node's own closing cuts a connection
// whose answer was handed over but not yet written out.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface OpenAnswers {
  /** Counts an answer until it is written out or its connection ends, and tells. */
  add(request: IncomingMessage, response: ServerResponse, onOver: () => void): void;
  /** Whether one request of the connection is under way, and nothing of its answer was written yet. */
  isUnanswered(socket: Socket): boolean;
  /** Whether an answer would come between those that are under way: several are, or one is half written. */
  isAnswering(socket: Socket): boolean;
  /** Resolves as soon as there is none. */
  whenNone(): Promise<void>;
  /** Ends the connections of all. */
  cutAll(): void;
}

export function createOpenAnswers(): OpenAnswers {
  // By connection: of several answers that wait in line on one, only the first learns of its end.
  const openBySocket = new Map<Socket, Map<ServerResponse, () => void>>();
  const none = Promise.withResolvers<void>();
  let open = 0;
  let awaited = false;
  const end = (onOver: () => void) => {
    onOver();
    open -= 1;
    if (awaited && open === 0) none.resolve();
  };
  const openOn = (socket: Socket) => {
    const known = openBySocket.get(socket);
    if (known !== undefined) return known;
    const added = new Map<ServerResponse, () => void>();
    openBySocket.set(socket, added);
    socket.once('close', () => {
      openBySocket.delete(socket);
      for (const onOver of added.values()) end(onOver);
      added.clear();
    });
    return added;
  };
  return {
    add(request, response, onOver) {
      const onSocket = openOn(request.socket);
      onSocket.set(response, onOver);
      open += 1;
      response.once('finish', () => {
        if (onSocket.delete(response)) end(onOver);
      });
    },
    isUnanswered(socket) {
      const open = [...(openBySocket.get(socket)?.keys() ?? [])];
      return open.length === 1 && open[0]?.headersSent === false;
    },
    isAnswering(socket) {
      const open = [...(openBySocket.get(socket)?.keys() ?? [])];
      return open.length > 1 || open.some(({ headersSent }) => headersSent);
    },
    whenNone() {
      awaited = true;
      if (open === 0) none.resolve();
      return none.promise;
    },
    cutAll() {
      for (const socket of [...openBySocket.keys()]) if (openBySocket.get(socket)?.size !== 0) socket.destroy();
    },
  };
}
