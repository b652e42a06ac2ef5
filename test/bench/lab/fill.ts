// Large backlogs and large ledgers, made in SQL because publishing twenty million messages over
// HTTP takes longer than measuring them. What is made are copies of rows that the service itself
// wrote, column for column, with only the numbers, ids and times that must differ; so it keeps
// whatever the schema keeps, and fails where it cannot. Afterwards the tables are vacuumed and a
// checkpoint is made, so that none of it falls into what is measured.

import pg from 'pg';

export interface BacklogOrder {
  readonly databaseUrl: string;
  readonly topic: string;
  /**
   * Messages of the topic afterwards; the service must have written the first one, and nobody may
   * have received it.
   */
  readonly messages: number;
  /** The oldest is that old, the newest is new, the others lie evenly between. */
  readonly ageSeconds: number;
}

export interface LedgerOrder {
  readonly databaseUrl: string;
  readonly subscription: string;
  /** Rows that are added; everything that was published must have been acknowledged. */
  readonly acknowledgments: number;
}

const ROWS_PER_STATEMENT = 500_000;

/** Grows a topic's log. */
export async function fillBacklog({ databaseUrl, topic, messages, ageSeconds }: BacklogOrder): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    const topicId = await findNumber(client, 'select topic_id as no from willcall.topic where name = $1', [topic]);
    await client.query(
      'update willcall.message set published_at = published_at - make_interval(secs => $2) where topic_id = $1',
      [topicId, ageSeconds],
    );
    for (let from = 2; from <= messages; from += ROWS_PER_STATEMENT) {
      await copyRows(client, {
        table: 'message',
        template: `m.topic_id = ${topicId} and m.seq = 1`,
        from,
        to: Math.min(from + ROWS_PER_STATEMENT - 1, messages),
        changed: {
          seq: 'n',
          message_id: 'overlay(m.message_id placing int8send(n) from 6 for 8)',
          published_at: `m.published_at + make_interval(secs => ${ageSeconds}::float8 * n / ${messages})`,
        },
      });
    }
    await settleDown(client, ['message']);
  });
}

/**
 * Grows a subscription's ledger, as if so many messages more had been published, delivered at once,
 * signed for, and pruned.
 */
export async function fillLedger({ databaseUrl, subscription, acknowledgments }: LedgerOrder): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    const id = await findNumber(client, 'select subscription_id as no from willcall.subscription where name = $1', [
      subscription,
    ]);
    const topicId = await findNumber(client, 'select topic_id as no from willcall.subscription where name = $1', [
      subscription,
    ]);
    const ackNo = await findNumber(
      client,
      'select max(ack_no) as no from willcall.acknowledgment where topic_id = $1 and subscription_id = $2',
      [topicId, id],
    );
    const deliveryNo = await findNumber(
      client,
      'select max(delivery_no) as no from willcall.delivery where topic_id = $1 and subscription_id = $2',
      [topicId, id],
    );
    const seq = await findNumber(client, 'select max(seq) as no from willcall.message where topic_id = $1', [topicId]);
    const of = `m.topic_id = ${topicId} and m.subscription_id = ${id}`;
    const messageId = 'overlay(m.message_id placing int8send(n) from 6 for 8)';
    const last = seq + acknowledgments;
    await client.query('begin');
    // The last row of each log says where it stands: of the others nothing is left.
    await copyRows(client, {
      table: 'message',
      template: `m.topic_id = ${topicId} and m.seq = ${seq}`,
      from: last,
      to: last,
      changed: { seq: 'n', message_id: messageId },
    });
    await copyRows(client, {
      table: 'delivery',
      template: `${of} and m.delivery_no = ${deliveryNo}`,
      from: last,
      to: last,
      changed: {
        delivery_no: 'm.delivery_no + 1',
        head: 'n',
        handed: `int8multirange(int8range(${seq + 1}, n, '[]'))`,
      },
    });
    for (let from = seq + 1; from <= last; from += ROWS_PER_STATEMENT) {
      await copyRows(client, {
        table: 'acknowledgment',
        template: `${of} and m.ack_no = ${ackNo}`,
        from,
        to: Math.min(from + ROWS_PER_STATEMENT - 1, last),
        changed: {
          seq: 'n',
          ack_no: `n - ${seq - ackNo}`,
          delivery_no: 'm.delivery_no + 1',
          message_id: messageId,
        },
      });
    }
    await client.query('commit');
    await settleDown(client, ['acknowledgment']);
  });
}

interface Copies {
  readonly table: string;
  /** Which row is copied, as a condition on `m`. */
  readonly template: string;
  /** One copy for each `n` from here to there. */
  readonly from: number;
  readonly to: number;
  /** By column, where the table has it: what stands there instead, in terms of `m` and `n`. */
  readonly changed: Readonly<Record<string, string>>;
}

async function copyRows(client: pg.Client, { table, template, from, to, changed }: Copies): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = 'willcall' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'
     order by ordinal_position`,
    [table],
  );
  const names = rows.map((row) => client.escapeIdentifier(row.name)).join(', ');
  const values = rows.map((row) => changed[row.name] ?? `m.${client.escapeIdentifier(row.name)}`).join(', ');
  const { rowCount } = await client.query(
    `insert into willcall.${table} (${names})
     select ${values} from willcall.${table} m, generate_series(${from}::bigint, ${to}) n where ${template}`,
  );
  if (rowCount !== to - from + 1) {
    throw new Error(`${table}: ${rowCount} of ${to - from + 1} rows were made; is there a row to copy?`);
  }
}

async function settleDown(client: pg.Client, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await client.query(`vacuum (analyze) willcall.${table}`);
  }
  await client.query('checkpoint');
}

async function findNumber(client: pg.Client, query: string, values: readonly unknown[]): Promise<number> {
  const { rows } = await client.query<{ no: string | number | null }>(query, [...values]);
  const no = rows[0]?.no ?? null;
  if (no === null) {
    throw new Error(`nothing found: ${query}`);
  }
  return Number(no);
}

async function withClient(databaseUrl: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'bench fill' });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
