-- reject: makes dead letters of live messages, now. Lock: settle. Groups and entries as in
-- acknowledge. Returns one row per receipt.

create function willcall.reject(
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _first integer,
  _last integer,
  _delivery_nos bigint[],
  _nonces bigint[],
  _principals text[],
  _entry_firsts integer[],
  _entry_lasts integer[],
  _seqs bigint[],
  _error_codes text[],
  _error_messages text[]
) returns table (
  outcome text,
  entry integer,
  message_id bytea,
  ack_no bigint,
  acknowledged_at timestamptz,
  available_at timestamptz
)
language plpgsql
rows 10
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select s.*
  from willcall.give_back(
    'reject', _topic_id, _subscription_id, _wait, _first, _last, _delivery_nos, _nonces, _principals, _entry_firsts,
    _entry_lasts, _seqs, null, _error_codes, _error_messages
  ) s;
end
$$;
