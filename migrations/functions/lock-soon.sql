-- lock_soon: takes a lock that somebody else holds if it comes free within a moment; whether it did. Holders are mostly flushes of
-- another instance, over in a millisecond or two: to wait is cheaper than to leave the key out and send it again alone.
-- Callers take the locks of a class in order of id, so that those who wait for each other wait in one direction, and wait no more when a
-- moment has gone by in all. What is taken here is kept until the caller's transaction ends. See docs/decisions/0024.

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
