-- append_journal: adds the entries of one administrative act, as the last thing of its transaction.
-- Lock: journal, so that numbers are in the order of commits and no reader passes one that is still
-- to come. It is the last lock of any transaction, so it cannot be part of a deadlock.
create function willcall.append_journal(_acted_by text, _key_id text, _entries jsonb) returns void
language plpgsql
as $$
declare
  _last bigint;
begin
  perform willcall.take_lock(willcall.lock_journal(), 0);
  -- By the primary key, from its end.
  select j.entry_no into _last from willcall.journal j order by j.entry_no desc limit 1;
  insert into willcall.journal (
    entry_no, acted_at, acted_by, key_id, subject, action, name, subject_id, topic, before, after
  )
  select
    coalesce(_last, 0) + entry.ordinality,
    clock_timestamp(),
    _acted_by,
    _key_id,
    entry.value ->> 'subject',
    entry.value ->> 'action',
    entry.value ->> 'name',
    entry.value ->> 'subject_id',
    entry.value ->> 'topic',
    nullif(entry.value -> 'before', 'null'::jsonb),
    nullif(entry.value -> 'after', 'null'::jsonb)
  from jsonb_array_elements(_entries) with ordinality as entry;
end
$$;
