// The hot functions, each sabotaged in one place: what a wrong Willcall would be. A checker that
// lets one of them pass would let the same mistake pass in earnest.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Rule } from '../support/history-check.ts';

export interface Mutant {
  readonly name: string;
  /** Below migrations/functions. */
  readonly file: string;
  /**
   * What stands there, once, and what stands there instead; in another file where a third says so.
   */
  readonly edits: readonly (readonly [good: string, bad: string, file?: string])[];
  /**
   * By which it is found; any of them will do. 'calls fail': the database itself refuses what a
   * caller should be granted.
   */
  readonly caughtBy: readonly (Rule | 'calls fail')[];
  /**
   * For one that shows only between the end of a lease and the sweep that finds it; absent: all the
   * time.
   */
  readonly sweepPauseMs?: number;
}

const TOPIC_LOCK = 'if not willcall.take_lock(willcall.lock_topic(), _topic_id, _wait) then';
const RECEIVE_LOCK = 'if not willcall.take_lock(willcall.lock_receive(), _subscription_id, _wait) then';
const SETTLE_LOCK = 'if not willcall.take_lock(willcall.lock_settle(), _subscription_id, _wait) then';
/** Instead of a lock: long enough that others come between. */
const NO_LOCK = 'if pg_sleep(0.02) is null then';

/** All of the flush's keys, none of them locked. */
function noLocks(ids: string): string {
  return `array(select ids.no from generate_subscripts(${ids}, 1) ids (no) where pg_sleep(0.02) is not null)`;
}

/** Leases are over for expire while they still last so long. */
function endTooSoon(early: string): Mutant['edits'] {
  return [
    ['and lease.expires_at <= _at\n', `and lease.expires_at <= _at + interval '${early}'\n`, 'upkeep/expire.sql'],
    [
      '(lease.expires_at <= _at) = _over',
      `(lease.expires_at <= _at + case when _over then interval '${early}' else interval '0' end) = _over`,
      'settle/find-leased.sql',
    ],
  ];
}

const ACKNOWLEDGE_PLAIN = 'settle/acknowledge-plain.sql';
const PUBLISH_PLAIN = 'publish/publish-plain.sql';

/** Of the functions that do the plain case in one pass. */
const plainMutants: readonly Mutant[] = [
  {
    name: 'publish in one pass takes no lock',
    file: PUBLISH_PLAIN,
    edits: [['willcall.take_locks(willcall.lock_topic(), _topic_ids)', noLocks('_topic_ids')]],
    caughtBy: ['calls fail'],
  },
  {
    name: 'receive in one pass takes no lock',
    file: 'receive/receive-plain.sql',
    edits: [['willcall.take_locks(willcall.lock_receive(), _subscription_ids)', noLocks('_subscription_ids')]],
    caughtBy: ['calls fail'],
  },
  {
    name: 'receive in one pass does not move the head',
    file: 'receive/receive-plain.sql',
    edits: [
      [
        'served.subscription_id, served.delivery_no, served.head, served.at,',
        'served.subscription_id, served.delivery_no, lower(served.handed) - 1, served.at,',
      ],
    ],
    caughtBy: ['leasesAreExclusive', 'nothingIsSkipped'],
  },
  {
    name: 'acknowledge in one pass signs and leaves the lease as it is',
    file: ACKNOWLEDGE_PLAIN,
    edits: [
      [
        'where lease.ctid = any (array(select settled.row_ctid from settled where isempty(settled.rest)))',
        'where false',
      ],
    ],
    caughtBy: ['everyMessageIsInOnePlace', 'receiptsFence', 'calls fail'],
  },
  {
    name: 'acknowledge in one pass numbers with gaps',
    file: ACKNOWLEDGE_PLAIN,
    edits: [['coalesce(tail.ack_no, 0) as tail', 'coalesce(tail.ack_no, 0) + 1 as tail']],
    caughtBy: ['ackNumbersAreDense'],
  },
  {
    name: 'acknowledge in one pass forgets the reference',
    file: ACKNOWLEDGE_PLAIN,
    edits: [['signing.ref, willcall.make_salt(signing.ref)\n', 'null, null\n']],
    caughtBy: ['answersHaveRecords'],
  },
];

export const mutants: readonly Mutant[] = [
  ...plainMutants,
  {
    name: 'receive takes no lock',
    file: 'receive/receive.sql',
    edits: [[RECEIVE_LOCK, NO_LOCK]],
    caughtBy: ['calls fail'],
  },
  {
    name: 'receive does not move the head',
    file: 'receive/receive.sql',
    edits: [['      _head := _seqs[_to];', '      _head := _head;']],
    caughtBy: ['leasesAreExclusive', 'nothingIsSkipped'],
  },
  {
    name: 'receive moves the head too far',
    file: 'receive/receive.sql',
    edits: [['      _head := _seqs[_to];', '      _head := _seqs[_to] + 1;']],
    caughtBy: ['nothingIsSkipped', 'everyMessageIsInOnePlace'],
  },
  {
    name: 'receive leaves what it hands out among the deferred',
    file: 'receive/receive.sql',
    edits: [
      ['delete from willcall.deferred f where f.ctid = any', 'perform from willcall.deferred f where f.ctid = any'],
    ],
    caughtBy: ['leasesAreExclusive', 'everyMessageIsInOnePlace', 'calls fail'],
  },
  {
    name: 'receive counts every attempt as the first',
    file: 'receive/receive.sql',
    edits: [['select e.seq, coalesce(e.attempt, 1) as attempt,', 'select e.seq, 1 as attempt,']],
    caughtBy: ['attemptsAreCounted', 'calls fail'],
  },
  {
    name: 'receive does not find the delivery that is asked for again',
    file: 'receive/receive.sql',
    edits: [['        and d.receive_key = _receive_keys[_waiter]', '        and d.receive_key is null and false']],
    caughtBy: ['repetitionsAreAnsweredAlike', 'deliveriesWereAsked'],
  },
  {
    name: 'receive promises a longer lease than it gives',
    file: 'upkeep/expire.sql',
    edits: endTooSoon('700 milliseconds'),
    caughtBy: ['leasesLastTheirTime', 'outcomesAreAllowed'],
  },
  {
    name: 'expire takes no lock and does not look again',
    file: 'upkeep/expire.sql',
    edits: [[SETTLE_LOCK, NO_LOCK], ...endTooSoon('400 milliseconds')],
    caughtBy: ['leasesLastTheirTime', 'everyMessageIsInOnePlace', 'calls fail'],
  },
  {
    name: 'acknowledge takes no lock',
    file: 'settle/acknowledge.sql',
    edits: [[SETTLE_LOCK, NO_LOCK]],
    caughtBy: ['calls fail'],
  },
  {
    name: 'acknowledge answers without a row in the ledger',
    file: 'settle/acknowledge.sql',
    edits: [
      [
        `        insert into willcall.acknowledgment (
          topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
          attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, key_id, published_by, reference,
          reference_salt
        )
        select
          _topic_id, _subscription_id, _tail + row_number() over (order by v.seq), v.seq, _delivery_nos[_g],
          m.published_at, _delivery.at, _at, _delivery.generation, v.attempt, m.body_bytes, v.expires_at <= _now,
          m.message_id, m.body_sha256, _principals[_g], _key_ids[_g], m.published_by, v.ref,
          willcall.make_salt(v.ref)
`,
        `        select v.seq, _tail + row_number() over (order by v.seq) as ack_no, m.message_id, v.expires_at <= _now as late
`,
      ],
      ['        returning seq, ack_no, message_id, late\n', ''],
    ],
    caughtBy: ['answersHaveRecords'],
  },
  {
    name: 'acknowledge signs and leaves the lease as it is',
    file: 'settle/acknowledge.sql',
    edits: [['        perform willcall.shrink_lease(_topic_id, _subscription_id, _delivery_nos[_g], _done);\n', '']],
    caughtBy: ['everyMessageIsInOnePlace', 'receiptsFence', 'calls fail'],
  },
  {
    name: 'acknowledge takes a receipt for the whole delivery',
    file: 'settle/acknowledge.sql',
    edits: [['        where _leased.seqs[place.index] = entry.seq\n', '        where place.index > 0\n']],
    caughtBy: ['receiptsFence', 'answersHaveRecords', 'everyMessageIsInOnePlace', 'outcomesAreAllowed', 'calls fail'],
  },
  {
    name: 'acknowledge does not ask for the nonce',
    file: 'settle/acknowledge.sql',
    edits: [
      ['\n      and d.nonce = _nonces[_g];', ';'],
      ['\n        and delivery.nonce = _nonces[share.no]', '', ACKNOWLEDGE_PLAIN],
    ],
    caughtBy: ['outcomesAreAllowed'],
  },
  {
    name: 'acknowledge numbers with gaps',
    file: 'settle/acknowledge.sql',
    edits: [['  _tail := coalesce(_tail, 0);', '  _tail := coalesce(_tail, 0) + 1;']],
    caughtBy: ['ackNumbersAreDense'],
  },
  {
    name: 'acknowledge forgets the reference',
    file: 'settle/acknowledge.sql',
    edits: [['v.ref,\n          willcall.make_salt(v.ref)\n', 'null, null\n']],
    caughtBy: ['answersHaveRecords'],
  },
  {
    name: 'acknowledge does not mark what is late',
    file: 'settle/acknowledge.sql',
    edits: [
      ['v.attempt, m.body_bytes, v.expires_at <= _now,', 'v.attempt, m.body_bytes, false,'],
      [
        '_copy.body_bytes, true, _copy.message_id',
        '_copy.body_bytes, false, _copy.message_id',
        'settle/acknowledge-late.sql',
      ],
      [
        'signing.body_bytes, signing.late, signing.message_id,',
        'signing.body_bytes, false, signing.message_id,',
        ACKNOWLEDGE_PLAIN,
      ],
    ],
    caughtBy: ['lateIsMarked', 'answersHaveRecords'],
  },
  {
    name: 'an atomic acknowledge does what it can',
    file: 'settle/acknowledge.sql',
    edits: [['  if _atomic then', '  if false then']],
    caughtBy: ['outcomesAreAllowed'],
  },
  {
    name: 'a late acknowledgment does not ask who has the message now',
    file: 'settle/acknowledge-late.sql',
    edits: [
      [
        `    if not found then
      return false;
    end if;
    select m.published_at`,
        '    select m.published_at',
      ],
      [
        `  if exists (\n    select from willcall.deferred f`,
        `  if true or exists (\n    select from willcall.deferred f`,
        'settle/judge-receipt.sql',
      ],
    ],
    caughtBy: ['receiptsFence', 'everyMessageIsInOnePlace'],
  },
  {
    name: 'nobody is told that a newer delivery is there',
    file: 'settle/judge-receipt.sql',
    edits: [[`  else\n    outcome := 'superseded';`, `  else\n    outcome := 'gone';`]],
    caughtBy: ['outcomesAreAllowed'],
  },
  {
    name: 'nobody is told that the receipt was released before',
    file: 'settle/judge-receipt.sql',
    edits: [[`in ('released', 'rejected')`, `in ('rejected')`]],
    caughtBy: ['outcomesAreAllowed'],
  },
  {
    name: 'a lease that is over can be given back',
    file: 'settle/find-leased.sql',
    edits: [['(lease.expires_at <= _at) = _over', 'not _over or lease.expires_at <= _at']],
    caughtBy: ['endsAreInTime', 'outcomesAreAllowed'],
    sweepPauseMs: 4_000,
  },
  {
    name: 'failed attempts are not counted',
    file: 'settle/end-attempts.sql',
    edits: [
      [
        `_leased.failures[given.index] + (_ended = 'expired' or given.error_code is not null)::integer as failures`,
        '_leased.failures[given.index] as failures',
      ],
    ],
    caughtBy: ['failuresAreCounted'],
  },
  {
    name: 'a dead letter is handed out again',
    file: 'settle/end-attempts.sql',
    edits: [
      [
        'verdict.due_at, verdict.attempt, verdict.failures\n    from verdict\n    where verdict.reason is null',
        'verdict.due_at, verdict.attempt, verdict.failures\n    from verdict',
      ],
    ],
    caughtBy: ['everyMessageIsInOnePlace', 'failuresAreCounted', 'calls fail'],
  },
  {
    name: 'there is no back-off',
    file: 'settle/end-attempts.sql',
    edits: [['        when ended.failed then least(', '        when false then least(']],
    caughtBy: ['redeliveryWaits'],
  },
  {
    name: 'extend promises and does nothing',
    file: 'settle/extend.sql',
    edits: [
      ['set expires_at = _until\n', 'set expires_at = lease.expires_at\n'],
      ['set expires_at = _until, outstanding', 'set expires_at = lease.expires_at, outstanding'],
    ],
    caughtBy: ['leasesLastTheirTime'],
  },
  {
    name: 'extend forgets the failed attempts of what it splits off',
    file: 'settle/extend.sql',
    edits: [['merged.attempt, merged.failures,\n    _until', 'merged.attempt, 0,\n    _until']],
    caughtBy: ['failuresAreCounted'],
  },
  {
    name: 'extend takes what it splits off for a first attempt',
    file: 'settle/extend.sql',
    edits: [['merged.attempt, merged.failures,\n    _until', '1, 0,\n    _until']],
    caughtBy: ['attemptsAreCounted', 'failuresAreCounted', 'calls fail'],
  },
  {
    name: 'extend loses the lease that it splits',
    file: 'settle/extend.sql',
    edits: [['    set outstanding = touched.rest\n    from', '    set outstanding = touched.part\n    from']],
    caughtBy: ['everyMessageIsInOnePlace', 'leasesAreExclusive', 'calls fail'],
  },
  {
    name: 'publish answers and appends nothing',
    file: 'publish/publish.sql',
    edits: [
      [
        '    cross join lateral (select substring(_bodies from e.start for e.bytes) as body) b;',
        '    cross join lateral (select substring(_bodies from e.start for e.bytes) as body) b\n    where e.ord < 3;',
      ],
      ['as body offset 0) data\n', 'as body offset 0) data\n    where entry.ord < 3\n', PUBLISH_PLAIN],
    ],
    caughtBy: ['publishedIsKept'],
  },
  {
    name: 'publish leaves gaps',
    file: 'publish/publish.sql',
    edits: [
      ['  first_seq := coalesce(_tail, 0) + 1;', '  first_seq := coalesce(_tail, 0) + 2;'],
      ['coalesce(tail.seq, 0) as tail', 'coalesce(tail.seq, 0) + 1 as tail', PUBLISH_PLAIN],
    ],
    caughtBy: ['sequencesAreDense'],
  },
  {
    name: 'publish takes no lock',
    file: 'publish/publish.sql',
    edits: [[TOPIC_LOCK, NO_LOCK]],
    caughtBy: ['calls fail'],
  },
  {
    name: 'publish does not remember dedupe keys',
    file: 'publish/publish-each.sql',
    edits: [
      ['  if turn % 2 = 0 or _rotation.both_read then', '  if false then'],
      ['  if turn % 2 = 1 or _rotation.both_read then', '  if false then'],
    ],
    caughtBy: ['dedupeKeysNameOneMessage', 'nothingIsPublishedTwice'],
  },
];

const DIRECTORY = join(import.meta.dirname, '../../migrations/functions');

/** Puts the sabotaged functions in place of the good ones. */
export async function applyMutant(databaseUrl: string, { name, file: ownFile, edits }: Mutant): Promise<void> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'test' });
  await client.connect();
  try {
    const byFile = Map.groupBy(edits, ([, , file = ownFile]) => file);
    for (const [file, ofFile] of byFile) {
      let text = await readFile(join(DIRECTORY, file), 'utf8');
      for (const [good, bad] of ofFile) {
        if (text.split(good).length !== 2)
          throw new Error(`"${name}": ${file} no longer has once ${JSON.stringify(good)}`);
        text = text.replace(good, () => bad);
      }
      await client.query(text.replaceAll(/^create function/gm, 'create or replace function'));
    }
  } finally {
    await client.end();
  }
}
