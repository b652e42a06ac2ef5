-- last_dead_letter_no: the number of a subscription's newest dead letter, or 0. The caller holds
-- the settle lock, under which the next ones are numbered. Index: dead_letter_key backwards.

create function willcall.last_dead_letter_no(_topic_id integer, _subscription_id integer) returns bigint
language sql
stable
as $$
  select coalesce(
    (
      select letter.dead_letter_no
      from willcall.dead_letter letter
      where letter.topic_id = _topic_id and letter.subscription_id = _subscription_id
      order by letter.dead_letter_no desc
      limit 1
    ),
    0
  )
$$;
