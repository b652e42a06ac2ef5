-- append_scheduled: moves the given messages of one topic from `scheduled` into its log, oldest
-- first. Returns how many entered the log. Their retention begins then. Lock: topic. due_scheduled
-- found them without a lock, so each is checked again; the rows of a deleted topic are dropped.
-- Rows are deleted by ctid: up to PostgreSQL 16, a scan of a key by an array may be planned as a
-- scan of all rows that share the key's first columns. Index: scheduled_key.

create function willcall.append_scheduled(_topic_id integer, _scheduled_nos bigint[]) returns integer
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  _tail bigint;
  _tail_at timestamptz;
  _at timestamptz;
  _appended integer;
  _row_ctids tid[];
begin
  perform willcall.take_lock(willcall.lock_topic(), _topic_id);
  select array_agg(s.row_ctid) into _row_ctids
  from unnest(_scheduled_nos) due (scheduled_no)
  cross join lateral (
    select s.ctid as row_ctid
    from willcall.scheduled s
    where s.topic_id = _topic_id and s.scheduled_no = due.scheduled_no
    limit 1
  ) s;

  if not exists (select from willcall.topic t where t.topic_id = _topic_id and t.deleted_at is null) then
    delete from willcall.scheduled s where s.ctid = any (_row_ctids);
    return 0;
  end if;

  select m.seq, m.published_at into _tail, _tail_at
  from willcall.message m
  where m.topic_id = _topic_id
  order by m.seq desc
  limit 1;
  _at := willcall.log_time(_tail_at, clock_timestamp());

  with taken as (
    delete from willcall.scheduled s
    where s.ctid = any (_row_ctids) and s.deliver_at <= _at
    returning s.*
  ),
  numbered as (
    select t.*, coalesce(_tail, 0) + row_number() over (order by t.deliver_at, t.scheduled_no) as seq from taken t
  ),
  remembered as (
    insert into willcall.scheduled_sequence (topic_id, scheduled_no, seq)
    select n.topic_id, n.scheduled_no, n.seq from numbered n
  )
  insert into willcall.message (
    topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
    ordering_key, body
  )
  select
    n.topic_id, n.seq, _at, length(n.body), n.message_id, sha256(n.body), n.published_by, n.content_type, n.attributes,
    n.ordering_key, n.body
  from numbered n;
  get diagnostics _appended = row_count;
  if _appended > 0 then
    perform willcall.note_clock_step('message', _topic_id, 0, coalesce(_tail, 0) + 1, _tail_at, _at);
  end if;
  return _appended;
end
$$;
