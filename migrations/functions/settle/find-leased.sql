-- find_leased: which of the given messages are outstanding in leases of one delivery, with what
-- those leases say. Parallel lists, in order of seq; empty where none is. _over: only leases that
-- are over at _at, or only live ones; null: all. It reads each lease once, however many messages
-- are asked for: find a message's position in `seqs` by width_bucket.
-- Called under the settle lock and its caller's planner settings. Index: lease_key.

create function willcall.find_leased(
  _topic_id integer,
  _subscription_id integer,
  _delivery_no bigint,
  _seqs bigint[],
  _at timestamptz,
  _over boolean,
  out seqs bigint[],
  out attempts integer[],
  out failures integer[],
  out expiries timestamptz[]
) returns record
language plpgsql
as $$
declare
  _asked int8multirange := willcall.range_of(_seqs);
begin
  select
    coalesce(array_agg(msg.seq order by msg.seq), '{}'), array_agg(lease.attempt order by msg.seq),
    array_agg(lease.failures order by msg.seq), array_agg(lease.expires_at order by msg.seq)
  into seqs, attempts, failures, expiries
  from willcall.lease
  cross join lateral unnest(lease.outstanding * _asked) run
  cross join lateral generate_series(lower(run), upper(run) - 1) msg (seq)
  where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
    and lease.delivery_no = _delivery_no and lease.outstanding && _asked
    and (_over is null or (lease.expires_at <= _at) = _over);
end
$$;

-- range_of: sequences as a multirange; null where there are none.
create function willcall.range_of(_seqs bigint[]) returns int8multirange
language sql
immutable
as $$
  select range_agg(int8range(entry.seq, entry.seq, '[]')) from unnest(_seqs) entry (seq)
$$;
