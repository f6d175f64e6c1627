-- Whether the newest root that was taken up still believes a release (its signers, its floors). What it does not is kept
-- for those who ask what ran, and counts for nothing.
alter table releases add column trusted bigint not null default 1;

-- The version of that root. 0: none was asked yet.
alter table fleet add column root bigint not null default 0;

-- The newest release of a service that counts: the last row of its service here.
create index releases_newest on releases (service, trusted, seq);

-- What the api itself holds of a cluster lies below place 0, once for each reason.
create unique index holds_own on holds (cluster, reason) where place < 0;
