-- A key may have a rate of its own: how many calls per second each instance takes from it, on average. Null is what the
-- instance sets, 0 is no bound.
-- Locks: access exclusive on api_key for the moment of adding a column; the check reads its few rows.

alter table willcall.api_key add column requests_per_second integer;
alter table willcall.api_key add constraint api_key_rate_in_range
  check (requests_per_second between 0 and 100000);
