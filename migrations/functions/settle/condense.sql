-- condense: a list whose elements are all the same as a list of one; any other list as it is. For
-- what the messages of a delivery mostly have in common, see willcall.pack_messages. PostgreSQL
-- inlines it.

create function willcall.condense(_list anyarray) returns anyarray
language sql
immutable
as $$
  select case when _list[1] = all (_list) then _list[1:1] else _list end
$$;
