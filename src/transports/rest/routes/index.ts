// The list of all operations.

import { acknowledge } from './acknowledge.ts';
import { checkHealth } from './check-health.ts';
import { checkReadiness } from './check-readiness.ts';
import { createKey } from './create-key.ts';
import { createSubscription } from './create-subscription.ts';
import { createTopic } from './create-topic.ts';
import { deleteSubscription } from './delete-subscription.ts';
import { deleteTopic } from './delete-topic.ts';
import { extend } from './extend.ts';
import { getKey } from './get-key.ts';
import { getLedger } from './get-ledger.ts';
import { getLedgerStats } from './get-ledger-stats.ts';
import { getOpenApi } from './get-openapi.ts';
import { getSubscription } from './get-subscription.ts';
import { getTopic } from './get-topic.ts';
import { listAcknowledgments } from './list-acknowledgments.ts';
import { listDeadLetters } from './list-dead-letters.ts';
import { listJournal } from './list-journal.ts';
import { listKeys } from './list-keys.ts';
import { listLedgerAcknowledgments } from './list-ledger-acknowledgments.ts';
import { listLedgerDeadLetters } from './list-ledger-dead-letters.ts';
import { listSubscriptions } from './list-subscriptions.ts';
import { listTopics } from './list-topics.ts';
import { listUnacknowledged } from './list-unacknowledged.ts';
import { publish } from './publish.ts';
import { publishRaw } from './publish-raw.ts';
import { queryAcknowledgments } from './query-acknowledgments.ts';
import { receive } from './receive.ts';
import { receiveRaw } from './receive-raw.ts';
import { reject } from './reject.ts';
import { release } from './release.ts';
import { revokeKey } from './revoke-key.ts';
import type { Route } from './route.ts';
import { showFrontPage } from './show-front-page.ts';
import { showReference } from './show-reference.ts';
import { updateSubscription } from './update-subscription.ts';
import { updateTopic } from './update-topic.ts';

export const routes: readonly Route[] = [
  acknowledge,
  checkHealth,
  checkReadiness,
  createKey,
  createSubscription,
  createTopic,
  deleteSubscription,
  deleteTopic,
  extend,
  getKey,
  getLedger,
  getLedgerStats,
  getOpenApi,
  getSubscription,
  getTopic,
  listAcknowledgments,
  listDeadLetters,
  listJournal,
  listKeys,
  listLedgerAcknowledgments,
  listLedgerDeadLetters,
  listSubscriptions,
  listTopics,
  listUnacknowledged,
  publish,
  publishRaw,
  queryAcknowledgments,
  receive,
  receiveRaw,
  reject,
  release,
  revokeKey,
  showFrontPage,
  showReference,
  updateSubscription,
  updateTopic,
];
