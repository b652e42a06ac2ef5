-- acknowledge_plain: acknowledges the calls of many subscriptions at once, for subscriptions whose
-- receipts are all good: a lease still holds each message. A subscription that it leaves out has no
-- row in the answer; willcall.acknowledge does it. The caller ensures that no batch names a message
-- twice. Locks: settle, by id (take_locks). Indexes: subscription_key, delivery_key, lease_key,
-- message_key; acknowledgment_key backwards, for the tail.
-- Batch b is groups [_firsts[b], _lasts[b]]. A group is the receipts of one delivery in one call:
-- entries [_entry_firsts[g], _entry_lasts[g]] of _seqs and _refs. Returns one row per group: its
-- ids concatenated in the order of the entries, which have consecutive numbers in the ledger. It
-- spans topics, so it is for one PostgreSQL: see docs/decisions/0013.

create function willcall.acknowledge_plain(
  _topic_ids integer[],
  _subscription_ids integer[],
  _firsts integer[],
  _lasts integer[],
  _delivery_nos bigint[],
  _nonces bigint[],
  _principals text[],
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
    select b.no, b.topic_id, b.subscription_id, b.first, b.last, coalesce(a.ack_no, 0) as tail,
      -- The ledger's own time never runs backwards.
      greatest(_now, a.acknowledged_at) as at
    from unnest(_mine) m (no)
    cross join lateral (
      select m.no, _topic_ids[m.no] as topic_id, _subscription_ids[m.no] as subscription_id, _firsts[m.no] as first,
        _lasts[m.no] as last
    ) b
    cross join lateral (
      select from willcall.subscription s
      where s.topic_id = b.topic_id and s.subscription_id = b.subscription_id and s.deleted_at is null
      limit 1
    ) living
    left join lateral (
      select a.ack_no, a.acknowledged_at
      from willcall.acknowledgment a
      where a.topic_id = b.topic_id and a.subscription_id = b.subscription_id
      order by a.ack_no desc
      limit 1
    ) a on true
  ),
  held as materialized (
    select
      b.no, b.topic_id, b.subscription_id, b.at, b.tail + _entry_firsts[g.no] - _entry_firsts[b.first] as tail,
      _entry_lasts[b.last] - _entry_firsts[b.first] + 1 as wanted, g.no as grp, g.seqs, n.found, d.at as delivered_at,
      d.generation, l.row_ctid, l.outstanding, l.attempt, l.late
    from batch b
    cross join lateral (
      select g.no, _seqs[_entry_firsts[g.no]:_entry_lasts[g.no]] as seqs from generate_series(b.first, b.last) g (no)
    ) g
    cross join lateral (
      select d.at, d.generation
      from willcall.delivery d
      where d.topic_id = b.topic_id and d.subscription_id = b.subscription_id and d.delivery_no = _delivery_nos[g.no]
        and d.nonce = _nonces[g.no]
      limit 1
    ) d
    cross join lateral (
      select l.ctid as row_ctid, l.outstanding, l.attempt, l.expires_at <= _now as late
      from willcall.lease l
      where l.topic_id = b.topic_id and l.subscription_id = b.subscription_id and l.delivery_no = _delivery_nos[g.no]
      offset 0
    ) l
    cross join lateral (
      select count(*) as found from unnest(g.seqs) e (seq) where l.outstanding @> e.seq
    ) n
    where n.found > 0
  ),
  looked_up as materialized (
    select
      h.no, h.topic_id, h.subscription_id, h.at, h.tail + e.ord as ack_no, h.grp, e.seq, e.ref, h.delivered_at,
      h.generation, h.row_ctid, h.outstanding, h.attempt, h.late, m.published_at, m.body_bytes, m.message_id, m.body_sha256
    from held h
    cross join lateral unnest(h.seqs, _refs[_entry_firsts[h.grp]:_entry_lasts[h.grp]])
      with ordinality e (seq, ref, ord)
    left join lateral (
      select m.published_at, m.body_bytes, m.message_id, m.body_sha256
      from willcall.message m
      where m.topic_id = h.topic_id and m.seq = e.seq
      limit 1
    ) m on true
    where h.outstanding @> e.seq
      -- A group that is partly late would need two rows: willcall.acknowledge does it.
      and h.no = any (array(
        select o.no from held o group by o.no, o.wanted
        having sum(o.found) = o.wanted and (bool_and(o.late) or not bool_or(o.late))
      ))
  ),
  -- Of a message that the log lost, nothing can be signed.
  signing as materialized (
    select l.* from looked_up l where l.no <> all (array(select o.no from looked_up o where o.message_id is null))
  ),
  signed as (
    insert into willcall.acknowledgment (
      topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
      attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, reference
    )
    select
      s.topic_id, s.subscription_id, s.ack_no, s.seq, _delivery_nos[s.grp], s.published_at, s.delivered_at, s.at,
      s.generation, s.attempt, s.body_bytes, s.late, s.message_id, s.body_sha256, _principals[s.grp], s.ref
    from signing s
  ),
  settled as materialized (
    select s.row_ctid, s.outstanding - range_agg(int8range(s.seq, s.seq, '[]')) as rest
    from signing s
    group by s.row_ctid, s.outstanding
  ),
  gone as (
    delete from willcall.lease l
    where l.ctid = any (array(select s.row_ctid from settled s where isempty(s.rest)))
  ),
  kept as (
    update willcall.lease l
    set outstanding = s.rest
    from settled s
    where not isempty(s.rest) and l.ctid = s.row_ctid
  )
  select
    s.no, case when s.late then 'acknowledged_late' else 'acknowledged' end, s.grp,
    string_agg(s.message_id, ''::bytea order by s.ack_no), min(s.ack_no), s.at
  from signing s
  group by s.no, s.grp, s.late, s.at;
end
$$;
