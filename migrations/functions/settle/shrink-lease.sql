-- shrink_lease: takes messages out of a delivery's leases; a lease that becomes empty is deleted.
-- Called under the settle lock and its caller's planner settings. Index: lease_key, once.

create function willcall.shrink_lease(_topic_id integer, _subscription_id integer, _delivery_no bigint, _seqs bigint[])
returns void
language plpgsql
as $$
declare
  _settled int8multirange := willcall.range_of(_seqs);
begin
  with touched as materialized (
    select lease.ctid as row_ctid, lease.outstanding - _settled as rest
    from willcall.lease
    where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
      and lease.delivery_no = _delivery_no and lease.outstanding && _settled
  ),
  gone as (
    delete from willcall.lease
    where lease.ctid = any (array(select touched.row_ctid from touched where isempty(touched.rest)))
  )
  update willcall.lease
  set outstanding = touched.rest
  from touched
  where not isempty(touched.rest) and lease.ctid = touched.row_ctid;
end
$$;
