-- Advisory locks: their classes, and how they are taken. No other file names a class or calls
-- PostgreSQL's functions for advisory locks (test/store/lock-classes.test.ts). Order, in which a
-- transaction that needs several takes them: topic, receive, settle, journal; within a class by id.
-- A lock is kept until its transaction ends. See docs/decisions/0003 and 0024.

-- The classes. PostgreSQL replaces each call by its number when it plans the statement.
create function willcall.lock_topic() returns integer
language sql
immutable
as $$ select hashtext('willcall.topic') $$;

create function willcall.lock_receive() returns integer
language sql
immutable
as $$ select hashtext('willcall.receive') $$;

create function willcall.lock_settle() returns integer
language sql
immutable
as $$ select hashtext('willcall.settle') $$;

create function willcall.lock_journal() returns integer
language sql
immutable
as $$ select hashtext('willcall.journal') $$;

-- take_lock: takes the lock of one topic or subscription; whether it did. With _wait it always
-- does, or fails by lock_timeout.
create function willcall.take_lock(_class integer, _id integer, _wait boolean default true)
returns boolean
language plpgsql
as $$
begin
  if _wait then
    perform pg_advisory_xact_lock(_class, _id);
    return true;
  end if;
  return pg_try_advisory_xact_lock(_class, _id);
end
$$;

-- take_locks: takes the locks of a flush, in the order given, which must be that of the ids. Waits
-- 20 ms at most in all. Returns where in _ids those stand that it got; the others are busy.
create function willcall.take_locks(_class integer, _ids integer[]) returns integer[]
language plpgsql
as $$
declare
  _taken integer[] := '{}';
  _lock_deadline timestamptz := clock_timestamp() + interval '20 milliseconds';
begin
  for _index in 1..cardinality(_ids) loop
    if pg_try_advisory_xact_lock(_class, _ids[_index])
      or (clock_timestamp() < _lock_deadline and willcall.lock_soon(_class, _ids[_index]))
    then
      _taken := _taken || _index;
    end if;
  end loop;
  return _taken;
end
$$;

-- lock_soon: takes a busy lock if it comes free within 20 ms; whether it did. Its holder is mostly
-- a flush of another instance, over in a millisecond or two: waiting costs less than to leave the
-- key out and send it again alone.
create function willcall.lock_soon(_class integer, _id integer) returns boolean
language plpgsql
set lock_timeout = '20ms'
as $$
begin
  perform pg_advisory_xact_lock(_class, _id);
  return true;
exception when lock_not_available then
  return false;
end
$$;
