-- Explicit targets go by a cluster's name, and whoever joins chooses one: a token may say which. Null: any name; `NAME` or
-- `PREFIX*` else.
alter table join_tokens add column cluster_name text;
