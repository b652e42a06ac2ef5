// Tables as Kysely sees them, in camelCase: the columns that lists and administration use.
// A setting's column has its domain name in snake_case and needs no line here. The hot verbs reach
// the tables by SQL functions (migrations/functions) and need no types here.

import type { ColumnType, Generated } from 'kysely';
import type { Grant } from '../../domain/access.ts';
import type { JournalAction, JournalSubject, JournalValues } from '../../domain/journal.ts';
import type { DeadLetterReason, FailedAttempt } from '../../domain/ledger.ts';
import type { PublicKey } from '../../domain/public-key.ts';
import type { SubscriptionSettings } from '../../domain/subscription.ts';
import type { TopicSettings } from '../../domain/topic.ts';

/** Set by the database at the row's creation. */
type CreationTime = ColumnType<Date, never, never>;

/** Who made a row and when, and who turned it into a tombstone. */
interface LifeColumns {
  createdAt: CreationTime;
  createdBy: string;
  deletedAt: Date | null;
  deletedBy: string | null;
}

export interface TopicTable extends TopicSettings, LifeColumns {
  topicId: Generated<number>;
  publicId: Generated<string>;
  name: string;
}

export interface SubscriptionTable extends SubscriptionSettings, LifeColumns {
  topicId: number;
  subscriptionId: Generated<number>;
  publicId: Generated<string>;
  name: string;
  startAt: 'earliest' | 'latest' | 'time';
  startTime: Date | null;
}

export interface AcknowledgmentTable {
  topicId: number;
  subscriptionId: number;
  ackNo: number;
  seq: number;
  deliveryNo: number;
  publishedAt: Date;
  deliveredAt: Date;
  acknowledgedAt: Date;
  generation: number;
  attempt: number;
  bodyBytes: number;
  revision: number;
  late: boolean;
  messageId: Buffer;
  bodySha256: Buffer;
  acknowledgedBy: string;
  keyId: string | null;
  publishedBy: string | null;
  reference: string | null;
  referenceSalt: Buffer | null;
  referenceDigest: Buffer | null;
}

export interface DeadLetterTable {
  topicId: number;
  subscriptionId: number;
  deadLetterNo: number;
  reason: DeadLetterReason;
  deadAt: Date;
  seq: number;
  seqLast: number;
  messageCount: number;
  attempts: number | null;
  messageId: Buffer | null;
  publishedAt: Date | null;
  contentType: string | null;
  attributes: Record<string, string> | null;
  orderingKey: string | null;
  bodyBytes: number | null;
  body: Buffer | null;
  history: HistoryEntry[];
  closedAt: Date | null;
}

/** As `failure_history` writes it: JSON keeps the names that it has. */
export interface HistoryEntry {
  attempt: number;
  ended: FailedAttempt['ended'];
  delivered_at: string;
  ended_at: string;
  ended_by: string | null;
  error_code: string | null;
  error_message: string | null;
}

export interface ApiKeyTable {
  keyId: string;
  client: string;
  /** Written as JSON text. */
  roles: ColumnType<readonly Grant[], string, never>;
  secretSha256: Buffer;
  expiresAt: Date | null;
  requestsPerSecond: ColumnType<number | null, number | null, never>;
  createdAt: CreationTime;
  createdBy: string;
  revokedAt: Date | null;
  revokedBy: string | null;
  lastUsedAt: Date | null;
  secretVersion: ColumnType<number | null, number | null, never>;
  /** Written as JSON text. */
  publicKeys: ColumnType<readonly PublicKey[] | null, string | null, never>;
}

export interface SecretVersionTable {
  version: number;
  checkValue: Buffer;
}

export interface JournalTable {
  entryNo: number;
  actedAt: Date;
  actedBy: string;
  keyId: string | null;
  subject: JournalSubject;
  action: JournalAction;
  name: string;
  subjectId: string | null;
  topic: string | null;
  /** By the names of columns: JSON keeps the names that it has. */
  before: JournalValues | null;
  after: JournalValues | null;
}

export interface Tables {
  topic: TopicTable;
  subscription: SubscriptionTable;
  acknowledgment: AcknowledgmentTable;
  deadLetter: DeadLetterTable;
  apiKey: ApiKeyTable;
  journal: JournalTable;
  secretVersion: SecretVersionTable;
}
