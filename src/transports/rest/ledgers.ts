// Ledgers in calls: by name or by id, and what of them the caller may read.

import type { FastifyRequest } from 'fastify';
import { checkAccess, fullRecordsOf, type Operation } from '../../domain/access.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/index.ts';
import { accessOf } from '../http/transport.ts';
import { parseName } from './requests.ts';

type LedgerOperation = Extract<Operation, 'getSubscription' | 'listAcknowledgments' | 'listDeadLetters'>;

/** The ledger that the name in the path has now, and whose records of it may be read in full. */
export function namedLedger(request: FastifyRequest, operation: LedgerOperation) {
  const subscription = parseName(request, 'subscription');
  return { subscription, client: fullRecordsOf(accessOf(request), operation, { subscription }) };
}

/**
 * The ledger with the id in the path, for which the key needs the right to the operation on its
 * name. An id that is none counts as a name: only a key that covers it gets `ledger_not_found`.
 */
export async function identifiedLedger(request: FastifyRequest, engine: Engine, operation: LedgerOperation) {
  const { ledger = '' } = request.params as Record<string, string | undefined>;
  const found = await engine.findLedger(ledger);
  const names = { subscription: found?.subscription ?? ledger };
  checkAccess(accessOf(request), operation, names);
  if (found === null) throw new WillcallError('ledger_not_found', { ledger });
  return { ledger, client: fullRecordsOf(accessOf(request), operation, names) };
}
