-- The first sequence whose desired carries the removal, as approvals have it: a report of a pass before it says nothing of
-- it. Null: none yet.
alter table removals add column assigned_seq bigint;

-- What is open already is carried by what its cluster is assigned now.
update removals set assigned_seq = (select c.seq from clusters c where c.id = removals.cluster)
where done_at is null and exists (select 1 from clusters c where c.id = removals.cluster and c.stale = 0);
