-- judge_receipts: what became of the receipts of one delivery, without changing anything. One row
-- per receipt, in no order; `entry` is its position in _seqs. The leases are read once for all
-- receipts; only those whose message is in no lease cost a judge_receipt each.
-- outcome is null when the receipt's lease is live. While the sweep has not ended an expired lease,
-- its messages are 'acknowledged_late' for acknowledge (with a null `attempt`) and 'gone' for the
-- others. Called under the settle lock and its caller's planner settings. Indexes: delivery_key,
-- lease_key, message_key, and those of judge_receipt.

create function willcall.judge_receipts(
  _verb text,
  _topic_id integer,
  _subscription_id integer,
  _at timestamptz,
  _delivery_no bigint,
  _nonce bigint,
  _seqs bigint[]
) returns table (
  entry integer,
  outcome text,
  message_id bytea,
  ack_no bigint,
  acknowledged_at timestamptz,
  attempt integer,
  dead_letter_no bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
  _leased record;
begin
  select leased.seqs, leased.expiries into _leased
  from willcall.delivery
  cross join lateral willcall.find_leased(_topic_id, _subscription_id, _delivery_no, _seqs, _at, null) leased
  where delivery.topic_id = _topic_id and delivery.subscription_id = _subscription_id
    and delivery.delivery_no = _delivery_no and delivery.nonce = _nonce;
  if not found then
    select '{}'::bigint[] as seqs, '{}'::timestamptz[] as expiries into _leased;
  end if;

  return query
  with receipt as materialized (
    select
      given.entry::integer as entry, given.seq, _leased.seqs[place.index] is not distinct from given.seq as leased,
      _leased.expiries[place.index] as expires_at
    from unnest(_seqs) with ordinality given (seq, entry)
    cross join lateral (select width_bucket(given.seq, _leased.seqs) as index offset 0) place
  )
  select
    receipt.entry,
    case
      when receipt.expires_at > _at then null
      when _verb = 'acknowledge' then 'acknowledged_late'
      else 'gone'
    end,
    msg.message_id, null::bigint, null::timestamptz, null::integer, null::bigint
  from receipt
  left join lateral (
    select msg.message_id from willcall.message msg where msg.topic_id = _topic_id and msg.seq = receipt.seq limit 1
  ) msg on true
  where receipt.leased
  union all
  select receipt.entry, judged.*
  from receipt
  cross join lateral willcall.judge_receipt(
    _verb, _topic_id, _subscription_id, _delivery_no, _nonce, receipt.seq
  ) judged
  where not receipt.leased;
end
$$;
