// What a route is: one operation, registered on the server with the rooms it needs. It parses, makes one engine call and
// shapes the answer.

import type { FastifyInstance } from 'fastify';
import type { Logger } from '../../../domain/logger.ts';
import type { Engine } from '../../../engine/types.ts';

export interface RouteRooms {
  readonly engine: Engine;
  readonly logger: Logger;
}

export type Route = (app: FastifyInstance, rooms: RouteRooms) => void;
