-- prune_ledger: the only function that deletes ledger rows. It runs as the schema's owner and reads
-- the owner's policy, so that the service's role can start it but cannot decide what is old. The
-- last row stays: the next number is read from it. Lock: settle.

create function willcall.prune_ledger(_topic_id integer, _subscription_id integer, _limit integer) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _before timestamptz;
  _tail bigint;
  _bound bigint;
  _pruned bigint;
begin
  select clock_timestamp() - p.retention_seconds * interval '1 second' into _before
  from willcall.ledger_policy p
  where p.retention_seconds is not null;
  if not found then
    return 0;
  end if;

  perform willcall.take_lock(willcall.lock_settle(), _subscription_id);
  select l.ack_no into _tail
  from willcall.acknowledgment l
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id
  order by l.ack_no desc
  limit 1;
  -- The limit applies before the age is compared: time rises with ack_no, so a young row ends the
  -- scan.
  select max(o.ack_no) into _bound
  from (
    select o.ack_no, o.acknowledged_at
    from willcall.acknowledgment o
    where o.topic_id = _topic_id and o.subscription_id = _subscription_id and o.ack_no < _tail
    order by o.ack_no
    limit _limit
  ) o
  where o.acknowledged_at < _before;
  delete from willcall.acknowledgment a
  where a.topic_id = _topic_id and a.subscription_id = _subscription_id and a.ack_no <= _bound;
  get diagnostics _pruned = row_count;
  return _pruned;
end
$$;
