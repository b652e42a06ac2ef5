-- acknowledge_late: signs for one message whose lease expired and that was not delivered since:
-- deletes it from the deferred ones, or closes its dead letter. Returns false, and does nothing,
-- when a receive or an operator was quicker. Called by acknowledge under the settle lock and its
-- planner settings; a receive does not hold that lock, so the row that both want decides.

create function willcall.acknowledge_late(
  _topic_id integer,
  _subscription_id integer,
  _at timestamptz,
  _ack_no bigint,
  _delivery_no bigint,
  _seq bigint,
  _attempt integer,
  _dead_letter_no bigint,
  _principal text,
  _key_id text,
  _reference text
) returns boolean
language plpgsql
as $$
declare
  _copy record;
begin
  if _dead_letter_no is not null then
    update willcall.dead_letter d
    set closed_at = _at, closed_by = _principal, closed_as = 'acknowledged'
    where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.dead_letter_no = _dead_letter_no
      and d.closed_at is null
    returning d.published_at, d.published_by, d.body_bytes, d.message_id, d.body_sha256 into _copy;
  else
    delete from willcall.deferred f
    where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq = _seq and f.attempt = _attempt;
    if not found then
      return false;
    end if;
    select m.published_at, m.published_by, m.body_bytes, m.message_id, m.body_sha256 into _copy
    from willcall.message m
    where m.topic_id = _topic_id and m.seq = _seq;
  end if;
  if not found then
    return false;
  end if;

  insert into willcall.acknowledgment (
    topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation, attempt,
    body_bytes, late, message_id, body_sha256, acknowledged_by, key_id, published_by, reference, reference_salt
  )
  select
    _topic_id, _subscription_id, _ack_no, _seq, _delivery_no, _copy.published_at, d.at, _at, d.generation, _attempt,
    _copy.body_bytes, true, _copy.message_id, _copy.body_sha256, _principal, _key_id, _copy.published_by, _reference,
    willcall.make_salt(_reference)
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.delivery_no = _delivery_no;
  return true;
end
$$;
