-- shrink_lease: takes messages out of a delivery's leases; a lease that becomes empty is deleted.
-- Called under the settle lock and its caller's planner settings. Index: lease_key.

create function willcall.shrink_lease(_topic_id integer, _subscription_id integer, _delivery_no bigint, _seqs bigint[])
returns void
language plpgsql
as $$
declare
  _settled int8multirange;
begin
  select range_agg(int8range(s.seq, s.seq, '[]')) into _settled from unnest(_seqs) s (seq);

  delete from willcall.lease l
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_no
    and l.outstanding <@ _settled;

  update willcall.lease l
  set outstanding = l.outstanding - _settled
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_no
    and l.outstanding && _settled;
end
$$;
