-- acknowledge_plain: acknowledges the calls of many subscriptions at once, for subscriptions whose
-- receipts are all good: a lease still holds each message. A subscription that it leaves out has no
-- row in the answer; willcall.acknowledge does it. The caller ensures that no batch names a message
-- twice. Locks: settle, by id (take_locks). Indexes: subscription_key, delivery_key, lease_key,
-- message_key; acknowledgment_key backwards, for the tail. Batch b is groups [_firsts[b],
-- _lasts[b]]. A group is receipts of one delivery that one key settles: entries [_entry_firsts[g],
-- _entry_lasts[g]] of _seqs and _refs. _key_ids and _refs are null where none is given. Returns one
-- row per group: its ids concatenated in the order of the entries, which have consecutive numbers
-- in the ledger. It spans topics, so it is for one PostgreSQL: see docs/decisions/0013.

create function willcall.acknowledge_plain(
  _topic_ids integer[],
  _subscription_ids integer[],
  _firsts integer[],
  _lasts integer[],
  _delivery_nos bigint[],
  _nonces bigint[],
  _principals text[],
  _key_ids text[],
  _entry_firsts integer[],
  _entry_lasts integer[],
  _seqs bigint[],
  _refs text[]
) returns table (
  batch integer,
  outcome text,
  grp integer,
  ids bytea,
  ack_no bigint,
  acknowledged_at timestamptz
)
language plpgsql
rows 10
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _mine integer[];
  _now timestamptz;
begin
  _mine := willcall.take_locks(willcall.lock_settle(), _subscription_ids);
  if cardinality(_mine) < cardinality(_subscription_ids) then
    outcome := 'busy';
    for batch in
      select ids.no from generate_subscripts(_subscription_ids, 1) ids (no) where ids.no <> all (_mine)
    loop
      return next;
    end loop;
  end if;
  -- Read after the locks. The clock decides whether a lease is over.
  _now := clock_timestamp();

  return query
  with batch as materialized (
    select part.no, part.topic_id, part.subscription_id, part.first, part.last, coalesce(tail.ack_no, 0) as tail,
      -- The ledger's own time never runs backwards.
      greatest(_now, tail.acknowledged_at) as at
    from unnest(_mine) mine (no)
    cross join lateral (
      select mine.no, _topic_ids[mine.no] as topic_id, _subscription_ids[mine.no] as subscription_id,
        _firsts[mine.no] as first, _lasts[mine.no] as last
    ) part
    cross join lateral (
      select from willcall.subscription sub
      where sub.topic_id = part.topic_id and sub.subscription_id = part.subscription_id and sub.deleted_at is null
      limit 1
    ) living
    left join lateral (
      select tail.ack_no, tail.acknowledged_at
      from willcall.acknowledgment tail
      where tail.topic_id = part.topic_id and tail.subscription_id = part.subscription_id
      order by tail.ack_no desc
      limit 1
    ) tail on true
    where not willcall.is_ahead(tail.acknowledged_at, _now)
  ),
  -- Each lease is read once: what is taken out of it, and what stays.
  share as materialized (
    select
      batch.no, batch.topic_id, batch.subscription_id, batch.at, batch.last - batch.first + 1 as shares,
      batch.tail + _entry_firsts[share.no] - _entry_firsts[batch.first] as tail, share.no as grp,
      delivery.at as delivered_at, delivery.generation, leased.*
    from batch
    cross join lateral generate_series(batch.first, batch.last) share (no)
    cross join lateral (
      select range_agg(int8range(entry.seq, entry.seq, '[]')) as seqs
      from unnest(_seqs[_entry_firsts[share.no]:_entry_lasts[share.no]]) entry (seq)
    ) asked
    cross join lateral (
      select delivery.at, delivery.generation
      from willcall.delivery
      where delivery.topic_id = batch.topic_id and delivery.subscription_id = batch.subscription_id
        and delivery.delivery_no = _delivery_nos[share.no]
        and delivery.nonce = _nonces[share.no]
      limit 1
    ) delivery
    cross join lateral (
      select
        array_agg(lease.ctid) as row_ctids, array_agg(lease.outstanding - asked.seqs) as rests,
        min(lease.attempt) as attempt, max(lease.expires_at) <= _now as late,
        range_agg(lease.outstanding) @> asked.seqs and min(lease.attempt) = max(lease.attempt)
          and (min(lease.expires_at) > _now or max(lease.expires_at) <= _now) as plain
      from willcall.lease
      where lease.topic_id = batch.topic_id and lease.subscription_id = batch.subscription_id
        and lease.delivery_no = _delivery_nos[share.no] and lease.outstanding && asked.seqs
    ) leased
  ),
  -- Groups that are partly late or whose attempts differ are left to willcall.acknowledge.
  plain as materialized (
    select share.no
    from share
    where share.plain
    group by share.no, share.shares
    having count(*) = share.shares
  ),
  looked_up as materialized (
    select
      share.no, share.topic_id, share.subscription_id, share.at, share.tail + entry.ord as ack_no, share.grp,
      entry.seq, entry.ref, share.delivered_at, share.generation, share.late, share.attempt, msg.published_at,
      msg.published_by, msg.body_bytes, msg.message_id, msg.body_sha256
    from share
    cross join lateral unnest(
      _seqs[_entry_firsts[share.grp]:_entry_lasts[share.grp]], _refs[_entry_firsts[share.grp]:_entry_lasts[share.grp]]
    ) with ordinality entry (seq, ref, ord)
    left join lateral (
      select msg.published_at, msg.published_by, msg.body_bytes, msg.message_id, msg.body_sha256
      from willcall.message msg
      where msg.topic_id = share.topic_id and msg.seq = entry.seq
      limit 1
    ) msg on true
    where share.no = any (array(select plain.no from plain))
  ),
  -- Of a message that the log lost, nothing can be signed.
  signing as materialized (
    select looked_up.*
    from looked_up
    where looked_up.no <> all (array(select other.no from looked_up other where other.message_id is null))
  ),
  signed as (
    insert into willcall.acknowledgment (
      topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
      attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, key_id, published_by, reference,
      reference_salt
    )
    select
      signing.topic_id, signing.subscription_id, signing.ack_no, signing.seq, _delivery_nos[signing.grp],
      signing.published_at, signing.delivered_at, signing.at, signing.generation, signing.attempt,
      signing.body_bytes, signing.late, signing.message_id, signing.body_sha256, _principals[signing.grp],
      _key_ids[signing.grp], signing.published_by, signing.ref, willcall.make_salt(signing.ref)
    from signing
  ),
  -- Two groups may take out of the same lease.
  settled as materialized (
    select lease.row_ctid, range_intersect_agg(lease.rest) as rest
    from share
    cross join lateral unnest(share.row_ctids, share.rests) lease (row_ctid, rest)
    where share.no = any (array(select distinct signing.no from signing))
    group by lease.row_ctid
  ),
  gone as (
    delete from willcall.lease
    where lease.ctid = any (array(select settled.row_ctid from settled where isempty(settled.rest)))
  ),
  kept as (
    update willcall.lease
    set outstanding = settled.rest
    from settled
    where not isempty(settled.rest) and lease.ctid = settled.row_ctid
  )
  select
    signing.no, case when signing.late then 'acknowledged_late' else 'acknowledged' end, signing.grp,
    string_agg(signing.message_id, ''::bytea order by signing.ack_no), min(signing.ack_no), signing.at
  from signing
  group by signing.no, signing.grp, signing.late, signing.at;
end
$$;
