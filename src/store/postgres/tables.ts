// The tables as Kysely sees them: those columns that lists and administration read or write. The
// hot verbs reach the tables by SQL functions (migrations/functions) and need no types here.

import type { ColumnType, Generated } from 'kysely';
import type { Role } from '../../domain/access.ts';

type Instant = ColumnType<Date, Date | undefined, Date>;

export interface TopicTable {
  topic_id: Generated<number>;
  name: string;
  retention_seconds: number;
  retain_acknowledged_seconds: number;
  expired_retention_seconds: number;
  dedupe_window_seconds: number;
  max_message_bytes: number;
  max_backlog: number | null;
  created_at: Instant;
  created_by: string;
  deleted_at: Date | null;
  deleted_by: string | null;
}

export interface SubscriptionTable {
  topic_id: number;
  subscription_id: Generated<number>;
  name: string;
  start_at: 'earliest' | 'latest' | 'time';
  start_time: Date | null;
  visibility_timeout_seconds: number;
  delay_seconds: number;
  max_attempts: number;
  max_deliveries: number;
  min_backoff_seconds: number;
  max_backoff_seconds: number;
  max_in_flight: number | null;
  created_at: Instant;
  created_by: string;
  deleted_at: Date | null;
  deleted_by: string | null;
}

export interface AcknowledgmentTable {
  topic_id: number;
  subscription_id: number;
  ack_no: number;
  seq: number;
  delivery_no: number;
  published_at: Date;
  delivered_at: Date;
  acknowledged_at: Date;
  generation: number;
  attempt: number;
  body_bytes: number;
  revision: number;
  late: boolean;
  message_id: Buffer;
  body_sha256: Buffer;
  acknowledged_by: string;
  reference: string | null;
}

export interface DeadLetterTable {
  topic_id: number;
  subscription_id: number;
  dead_letter_no: number;
  reason: 'max_attempts' | 'max_deliveries' | 'rejected' | 'retention' | 'expired';
  dead_at: Date;
  seq: number;
  seq_last: number;
  message_count: number;
  attempts: number | null;
  message_id: Buffer | null;
  published_at: Date | null;
  content_type: string | null;
  attributes: Record<string, string> | null;
  ordering_key: string | null;
  body_bytes: number | null;
  body: Buffer | null;
  history: HistoryEntry[];
  closed_at: Date | null;
}

/** As `failure_history` writes it. */
export interface HistoryEntry {
  attempt: number;
  ended: 'expired' | 'released' | 'rejected';
  delivered_at: string;
  ended_at: string;
  ended_by: string | null;
  error_code: string | null;
  error_message: string | null;
}

export interface ApiKeyTable {
  key_id: string;
  client: string;
  /** Written as JSON text. */
  roles: ColumnType<readonly GrantColumn[], string, never>;
  secret_sha256: Buffer;
  expires_at: Date | null;
  requests_per_second: ColumnType<number | null, number | null, never>;
  created_at: ColumnType<Date, never, never>;
  created_by: string;
  revoked_at: Date | null;
  revoked_by: string | null;
  last_used_at: Date | null;
}

export interface GrantColumn {
  role: Role;
  topics: string[];
  subscriptions: string[];
}

export interface Tables {
  topic: TopicTable;
  subscription: SubscriptionTable;
  acknowledgment: AcknowledgmentTable;
  dead_letter: DeadLetterTable;
  api_key: ApiKeyTable;
}
