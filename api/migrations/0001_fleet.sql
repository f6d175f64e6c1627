-- The whole state of one fleet. One text for SQLite and PostgreSQL: text, bigint, named constraints, nothing else.
-- Times are unix milliseconds. Digests, names and documents are text as they are written on the wire.

-- One row: what every write transaction touches first, so that writers follow each other on PostgreSQL as they do on
-- SQLite, and so that the counters below are in the order of commits.
create table fleet (
    one bigint not null constraint fleet_key primary key constraint fleet_one check (one = 1),
    -- The fleet's id; an api that was given another root 1 refuses to start on this database.
    id text not null,
    -- What every desired says beside the assignment (origins, lifetime); when it changes, every sequence grows.
    terms text not null,
    -- The change log's head. Replicas read the clusters that changed after the last one they know.
    change bigint not null,
    -- Grows with services, sources, releases: all that can change every cluster's assignment.
    catalog bigint not null,
    -- The catalog that all clusters were last assigned by. Below `catalog`: a pass is due.
    assigned bigint not null,
    -- When the last write was made, and the one before it. It never goes back and is another with each write, so that
    -- each sequence that is taken from it is this database's own.
    written_at bigint not null,
    written_before bigint not null
);

-- The times before each start in which nothing was written, ends excluded: no sequence of this database lies in one. An
-- agent that holds such a sequence was told it by a database that is lost: this one is a restored backup.
create table gaps (
    began bigint not null constraint gaps_key primary key,
    ended bigint not null
);

create table join_tokens (
    id text not null constraint join_tokens_key primary key,
    -- sha256 of the token. 256 random bits need no slower hash.
    hash text not null constraint join_tokens_hash_key unique,
    created_at bigint not null,
    created_by text not null,
    expires_at bigint not null,
    max_uses bigint not null,
    -- Counted up in the transaction of the join, with its bound in the same statement: exactly max_uses joins succeed.
    uses bigint not null constraint join_tokens_uses check (uses >= 0 and uses <= max_uses),
    labels text not null,
    projects text not null,
    approve bigint not null constraint join_tokens_approve check (approve in (0, 1)),
    revoked_at bigint
);

-- Sets and values by digest. Their bytes also lie in the store; here they serve inline answers and the next pass.
create table documents (
    digest text not null constraint documents_key primary key,
    kind text not null constraint documents_kind check (kind in ('set', 'values')),
    bytes text not null,
    created_at bigint not null
);

create table clusters (
    id text not null constraint clusters_key primary key,
    name text not null constraint clusters_name_key unique,
    labels text not null,
    -- Projects whose services may come here; an empty list means every project.
    projects text not null,
    -- Values by project, as a person set them.
    own_values text not null,
    state text not null constraint clusters_state check (state in ('pending', 'active', 'revoked')),
    -- sha256 of the credential.
    credential text not null constraint clusters_credential_key unique,
    -- The credential that was handed out by the last renewal. It takes over when it is first used; until then the old
    -- one works, so that an answer lost on the way locks nobody out.
    next_credential text constraint clusters_next_credential_key unique,
    -- The cluster's own public key, for receipts.
    key text not null,
    join_token text constraint clusters_join_token references join_tokens (id),
    joined_at bigint not null,
    agent text not null,
    -- Coarse: written in batches, about once a minute.
    last_seen bigint,
    -- The assignment. seq 0: none yet.
    seq bigint not null,
    -- When the assignment changed: the base of `issued`.
    changed_at bigint not null,
    set_digest text constraint clusters_set references documents (digest),
    set_length bigint,
    values_digest text constraint clusters_values references documents (digest),
    values_length bigint,
    -- Removals and approvals as the desired lists them.
    extras text not null,
    -- 1: its own inputs (labels, removals, approvals ...) changed after its last assignment.
    stale bigint not null constraint clusters_stale check (stale in (0, 1)),
    -- The change that touched this row last, see fleet.change.
    change bigint not null,
    duplicate_since bigint,
    -- A sequence that its agent holds and that this database never issued: it is older than the fleet. Until a person
    -- has looked, the cluster is assigned nothing and told nothing.
    agent_ahead bigint,
    -- The last such sequence that a person has looked at: whoever holds it, or one below, is told what counts here.
    ahead_accepted bigint,
    -- A part of the nonce of its agent's last start, 0 before the first: what the replicas tell copies by.
    agent_start bigint not null,
    -- The last report, and what lists show of it.
    report text,
    reported_number bigint not null,
    reported_at bigint,
    reported_seq bigint not null,
    sync text not null,
    health text not null,
    services bigint not null,
    holds bigint not null,
    -- Two PUTs of one person's page: the second one's If-Match fails.
    version bigint not null
);

-- Replicas read it in this order, page by page.
create index clusters_change on clusters (change, id);
create index clusters_stale_ones on clusters (id) where stale = 1;

-- The labels again, one a row: what a selector of a list is answered from. clusters.labels is what counts.
create table cluster_labels (
    cluster text not null constraint cluster_labels_cluster references clusters (id) on delete cascade,
    key text not null,
    value text not null,
    constraint cluster_labels_key primary key (cluster, key)
);

create index cluster_labels_value on cluster_labels (key, value);

-- Clusters that were deleted, so that replicas forget them too.
create table departures (
    change bigint not null,
    cluster text not null,
    constraint departures_key primary key (change, cluster)
);

create table sources (
    project text not null,
    name text not null,
    spec text not null,
    created_at bigint not null,
    version bigint not null,
    constraint sources_key primary key (project, name)
);

create table publishers (
    id text not null constraint publishers_key primary key,
    name text not null,
    project text not null,
    hash text not null constraint publishers_hash_key unique,
    created_at bigint not null,
    created_by text not null,
    revoked_at bigint,
    constraint publishers_name_key unique (project, name)
);

create table services (
    -- project/name: one namespace of names for both kinds, so that a service is at most once in a set.
    name text not null constraint services_key primary key,
    project text not null,
    kind text not null constraint services_kind check (kind in ('ServiceDeployment', 'GlobalService')),
    source text not null,
    spec text not null,
    -- Null: follows the latest release.
    pinned text,
    created_at bigint not null,
    -- The change that made it: releases of a namesake that was deleted before are none of its own.
    made bigint not null,
    version bigint not null,
    -- What its publisher last said.
    publish text,
    publish_at bigint,
    constraint services_source foreign key (project, source) references sources (project, name)
);

create table releases (
    digest text not null constraint releases_key primary key,
    -- No foreign key: a release is kept when its service goes, for those who ask what ran.
    service text not null,
    bundle text not null,
    seq bigint not null,
    min_seq bigint not null,
    revision text not null,
    subject text not null,
    objects bigint not null,
    length bigint not null,
    -- The exact bytes that were signed, at most 16 KiB.
    envelope text not null,
    created_at bigint not null,
    publisher text not null,
    -- The change that registered it, also anew for a service that was made after it.
    registered bigint not null,
    constraint releases_seq_key unique (service, seq)
);

create table removals (
    id text not null constraint removals_key primary key,
    cluster text not null constraint removals_cluster references clusters (id) on delete cascade,
    service text not null,
    mode text not null constraint removals_mode check (mode in ('delete', 'orphan')),
    created_at bigint not null,
    created_by text not null,
    -- When the cluster reported it done, or a person assigned the service again.
    done_at bigint
);

-- One open removal for each service of a cluster.
create unique index removals_open_key on removals (cluster, service) where done_at is null;

-- What each cluster says it runs, from its last report: counts by health, and which releases are in use.
create table running (
    cluster text not null constraint running_cluster references clusters (id) on delete cascade,
    service text not null,
    release text,
    sync text not null,
    health text not null,
    constraint running_key primary key (cluster, service)
);

create index running_service on running (service, health);

-- Holds of each cluster's last report.
create table holds (
    cluster text not null constraint holds_cluster references clusters (id) on delete cascade,
    place bigint not null,
    digest text,
    reason text not null,
    service text,
    hold text not null,
    constraint holds_key primary key (cluster, place)
);

create index holds_digest on holds (digest);

create table approvals (
    hold text not null,
    cluster text not null constraint approvals_cluster references clusters (id) on delete cascade,
    service text,
    signatures text not null,
    approved_at bigint not null,
    approved_by text not null,
    -- The first sequence whose desired carries it.
    assigned_seq bigint,
    -- When the cluster, having accepted that sequence, no longer reported the hold.
    done_at bigint,
    constraint approvals_key primary key (hold, cluster)
);

create table audit (
    id text not null constraint audit_key primary key,
    at bigint not null,
    who text not null,
    verb text not null,
    object text not null,
    detail text not null
);

-- What an Idempotency-Key made, so that a retried POST makes nothing twice. Never the answer: it may hold a token.
create table idempotency (
    key text not null,
    verb text not null,
    made text not null,
    at bigint not null,
    constraint idempotency_key primary key (key, verb)
);
