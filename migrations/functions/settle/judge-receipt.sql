-- judge_receipt: what became of one receipt whose message is in no lease of its delivery, without
-- changing anything. Called under the settle lock by judge_receipts and acknowledge, so it may be
-- slow. outcome is that of the table in docs/message-life.md, in that order. A message whose lease
-- expired and that was not delivered since is 'acknowledged_late' for acknowledge and 'gone' for
-- the others; then `attempt` is that of its failure row.
-- Runs under its caller's planner settings. Indexes: delivery_key, acknowledgment_once,
-- failure_key, deferred_key, dead_letter_key, message_key.

create function willcall.judge_receipt(
  _verb text,
  _topic_id integer,
  _subscription_id integer,
  _delivery_no bigint,
  _nonce bigint,
  _seq bigint,
  out outcome text,
  out message_id bytea,
  out ack_no bigint,
  out acknowledged_at timestamptz,
  out attempt integer,
  out dead_letter_no bigint
) returns record
language plpgsql
as $$
#variable_conflict use_column
declare
  _delivery record;
  _ack record;
  _failure record;
  _generation integer;
  _dead record;
begin
  select d.nonce, d.generation, d.handed into _delivery
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.delivery_no = _delivery_no;
  if not found then
    -- Numbers are dense and pruned from the low end: below the oldest row, it was pruned.
    select case when _delivery_no < d.delivery_no and _delivery_no > 0 then 'gone' else 'invalid_receipt' end into outcome
    from willcall.delivery d
    where d.topic_id = _topic_id and d.subscription_id = _subscription_id
    order by d.delivery_no
    limit 1;
    return;
  end if;
  if _delivery.nonce is distinct from _nonce or not _delivery.handed @> _seq then
    outcome := 'invalid_receipt';
    return;
  end if;

  select m.message_id into message_id
  from willcall.message m
  where m.topic_id = _topic_id and m.seq = _seq;

  select a.ack_no, a.acknowledged_at, a.delivery_no, a.message_id into _ack
  from willcall.acknowledgment a
  where a.topic_id = _topic_id and a.subscription_id = _subscription_id and a.seq = _seq
    and a.generation = _delivery.generation
  order by a.generation;
  message_id := coalesce(_ack.message_id, message_id);
  if _ack.delivery_no = _delivery_no then
    outcome := 'already_acknowledged';
    ack_no := _ack.ack_no;
    acknowledged_at := _ack.acknowledged_at;
    return;
  end if;

  select f.* into _failure
  from willcall.failure f
  where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq = _seq
    and f.generation = _delivery.generation and f.delivery_no = _delivery_no
  order by f.attempt
  limit 1;
  -- What this very receipt did comes before what another one did since.
  if _failure.ended in ('released', 'rejected') then
    outcome := 'already_' || _failure.ended;
    return;
  end if;
  if _ack.delivery_no is not null then
    outcome := 'superseded';
    return;
  end if;
  if _failure.ended is null then
    outcome := 'gone';
    return;
  end if;

  select d.generation into _generation
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id
  order by d.delivery_no desc
  limit 1;
  if _generation > _delivery.generation then
    outcome := 'gone';
    return;
  end if;

  attempt := _failure.attempt;
  dead_letter_no := _failure.dead_letter_no;
  if dead_letter_no is not null then
    select d.closed_at, d.message_id into _dead
    from willcall.dead_letter d
    where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.dead_letter_no = judge_receipt.dead_letter_no;
    message_id := coalesce(message_id, _dead.message_id);
    outcome := case when _verb = 'acknowledge' and _dead.closed_at is null then 'acknowledged_late' else 'dead_lettered' end;
    return;
  end if;

  -- Where it waits for its next attempt and this was the last one, the message was not delivered
  -- since. Retention may have made a dead letter of it, which its failure row does not say.
  if exists (
    select from willcall.deferred f
    where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq = _seq
      and f.attempt = _failure.attempt
  ) then
    outcome := case _verb when 'acknowledge' then 'acknowledged_late' else 'gone' end;
  else
    outcome := 'superseded';
  end if;
end
$$;
