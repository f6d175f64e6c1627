//! What `windlass get` can list: for each noun its rows, and the words of its table.

use api::routes::audit::Entry;
use api::routes::clusters::Cluster;
use api::routes::holds::Hold;
use api::routes::join_tokens::JoinToken;
use api::routes::publishers::Publisher;
use api::routes::releases::Release;
use api::routes::removals::Removal;
use api::routes::services::{Follow, Service, ServiceKind};
use api::routes::sources::Source;
use cdn::wire::{Described, Source as Place};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::output::View;
use crate::table::Table;
use crate::words::{age, commit, labels, maybe_age, short, word};

/// An entry of a list.
pub(crate) trait Row: Serialize {
    /// Columns that are always there.
    const HEAD: &'static [&'static str];
    /// Columns of `-o wide`.
    const WIDE: &'static [&'static str];
    /// What to say where the list is empty.
    const EMPTY: &'static str;

    /// The cells, for all columns.
    fn cells(&self) -> Vec<String>;
    /// The name for `-o name`: `noun/name`.
    fn name(&self) -> String;
}

/// Rows in every format; `value` is their JSON.
pub(crate) fn view<R: Row>(rows: &[R], value: Value) -> View {
    let mut table = Table::new(R::HEAD.iter().copied()).wide(R::WIDE.iter().copied());
    for row in rows {
        table.row(row.cells());
    }
    View { table, value, names: rows.iter().map(Row::name).collect(), empty: R::EMPTY }
}

impl Row for Cluster {
    const HEAD: &'static [&'static str] =
        &["NAME", "STATE", "SYNC", "HEALTH", "SERVICES", "HOLDS", "SEEN", "AGE"];
    const WIDE: &'static [&'static str] = &["ID", "SEQ", "REPORTED", "AGENT", "LABELS"];
    const EMPTY: &'static str = "no clusters; make a join token with `windlass join-token create`";

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            state(self),
            word(&self.sync),
            word(&self.health),
            self.services.to_string(),
            self.holds.to_string(),
            maybe_age(self.last_seen),
            age(self.joined_at),
            self.id.to_string(),
            self.seq.to_string(),
            self.reported_seq.to_string(),
            self.agent.clone(),
            labels(&self.labels),
        ]
    }

    fn name(&self) -> String {
        format!("cluster/{}", self.name)
    }
}

/// A cluster's state, or what stands in the way of its polls.
pub(crate) fn state(cluster: &Cluster) -> String {
    match (cluster.duplicate_since, cluster.agent_ahead) {
        (Some(_), _) => "DuplicateIdentity".to_owned(),
        (None, Some(_)) => "AgentAhead".to_owned(),
        (None, None) => word(&cluster.state),
    }
}

impl Row for Source {
    const HEAD: &'static [&'static str] = &["NAME", "KIND", "PLACE", "REF", "AGE"];
    const WIDE: &'static [&'static str] = &[];
    const EMPTY: &'static str = "no sources; describe one in a document and `windlass apply -f` it";

    fn cells(&self) -> Vec<String> {
        let (kind, place, reference) = match &self.spec {
            Described::Known(Place::Git(git)) => ("git", git.url.clone(), git.reference.clone()),
            Described::Known(Place::Directory(directory)) => {
                ("directory", directory.path.clone(), String::new())
            }
            // `-o json` shows all of it.
            Described::Unknown(unknown) => ("unknown", unknown.why.clone(), String::new()),
        };
        vec![
            format!("{}/{}", self.project, self.name),
            kind.to_owned(),
            place,
            reference,
            age(self.created_at),
        ]
    }

    fn name(&self) -> String {
        format!("source/{}/{}", self.project, self.name)
    }
}

impl Row for Service {
    const HEAD: &'static [&'static str] =
        &["NAME", "KIND", "RELEASE", "FOLLOW", "TARGETS", "PUBLISH", "COMMIT", "AGE"];
    const WIDE: &'static [&'static str] = &["SOURCE", "PATH", "RENDERER", "NAMESPACE", "LATEST", "MESSAGE"];
    const EMPTY: &'static str = "no services; describe one in a document and `windlass apply -f` it";

    fn cells(&self) -> Vec<String> {
        let publish = self.publish.as_ref();
        vec![
            self.name.to_string(),
            word(&self.kind),
            short(self.release),
            follow(&self.follow).to_owned(),
            targets(self),
            publish.map(|publish| word(&publish.status.outcome)).unwrap_or_default(),
            publish.map(|publish| commit(&publish.status.commit)).unwrap_or_default(),
            age(self.created_at),
            self.spec.source.clone(),
            self.spec.path.clone(),
            self.spec.renderer.word().to_owned(),
            self.spec.namespace.clone(),
            short(self.latest),
            publish.map(|publish| publish.status.message.clone()).unwrap_or_default(),
        ]
    }

    fn name(&self) -> String {
        format!("service/{}", self.name)
    }
}

/// What a service follows.
pub(crate) fn follow(follow: &Follow) -> &'static str {
    match follow {
        Follow::Latest => "latest",
        Follow::Pinned { .. } => "pinned",
    }
}

/// Where a service goes.
pub(crate) fn targets(service: &Service) -> String {
    match service.kind {
        ServiceKind::ServiceDeployment => service.spec.clusters.join(","),
        ServiceKind::GlobalService => service.spec.selector.as_ref().map(selector).unwrap_or_default(),
    }
}

/// A selector in the form of `-l`.
fn selector(selector: &api::routes::services::Selector) -> String {
    use api::routes::services::Operator;
    let term = |term: api::routes::services::Expression| {
        let (key, values) = (&term.key, term.values.join(","));
        match term.operator {
            Operator::In if term.values.len() == 1 => format!("{key}={values}"),
            Operator::In => format!("{key} in ({values})"),
            Operator::NotIn => format!("{key} notin ({values})"),
            Operator::Exists => key.clone(),
            Operator::DoesNotExist => format!("!{key}"),
        }
    };
    selector.terms().map(term).collect::<Vec<_>>().join(",")
}

impl Row for Release {
    const HEAD: &'static [&'static str] =
        &["RELEASE", "SERVICE", "CURRENT", "COMMIT", "OBJECTS", "BYTES", "AGE", "SUBJECT"];
    const WIDE: &'static [&'static str] = &["BUNDLE", "SEQ", "PUBLISHER", "DIGEST"];
    const EMPTY: &'static str =
        "no releases; see what the publisher says with `windlass get services -o wide`";

    fn cells(&self) -> Vec<String> {
        vec![
            self.digest.short(),
            self.service.to_string(),
            match (self.current, self.trusted) {
                (true, true) => "yes".to_owned(),
                (false, true) => "no".to_owned(),
                // No key that signed it counts in the newest root, or its floor is above: agents refuse it.
                (true, false) => "yes, not trusted".to_owned(),
                (false, false) => "no, not trusted".to_owned(),
            },
            commit(&self.revision),
            self.objects.to_string(),
            self.length.to_string(),
            age(self.created_at),
            self.subject.clone(),
            self.bundle.short(),
            self.seq.to_string(),
            self.publisher.clone(),
            self.digest.to_string(),
        ]
    }

    fn name(&self) -> String {
        format!("release/{}", self.digest)
    }
}

impl Row for Removal {
    const HEAD: &'static [&'static str] = &["CLUSTER", "SERVICE", "MODE", "AGE", "DONE"];
    const WIDE: &'static [&'static str] = &["ID", "BY"];
    const EMPTY: &'static str = "no removals under way";

    fn cells(&self) -> Vec<String> {
        vec![
            self.cluster_name.clone(),
            self.service.to_string(),
            word(&self.mode),
            age(self.created_at),
            self.done_at.map_or_else(|| "no".to_owned(), |at| format!("{} ago", age(at))),
            self.id.clone(),
            self.created_by.clone(),
        ]
    }

    fn name(&self) -> String {
        format!("removal/{}", self.id)
    }
}

impl Row for Hold {
    const HEAD: &'static [&'static str] =
        &["CLUSTER", "SERVICE", "REASON", "OBJECT", "SINCE", "APPROVE", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["NEXT", "DIGEST"];
    const EMPTY: &'static str = "no holds";

    fn cells(&self) -> Vec<String> {
        let hold = &self.hold;
        let approve = match (self.approved_at, hold.digest) {
            (Some(_), _) => "approved".to_owned(),
            (None, Some(digest)) => digest.short(),
            (None, None) => String::new(),
        };
        vec![
            self.cluster_name.clone(),
            hold.service.as_ref().map(ToString::to_string).unwrap_or_default(),
            hold.reason.code().to_owned(),
            hold.object.as_ref().map(ToString::to_string).unwrap_or_default(),
            age(hold.since),
            approve,
            hold.message.clone(),
            self.next.clone(),
            hold.digest.map(|digest| digest.to_string()).unwrap_or_default(),
        ]
    }

    fn name(&self) -> String {
        match self.hold.digest {
            Some(digest) => format!("hold/{digest}"),
            None => format!("hold/{}/{}", self.cluster_name, self.hold.reason.code()),
        }
    }
}

impl Row for JoinToken {
    const HEAD: &'static [&'static str] = &["ID", "STATE", "USES", "EXPIRES", "APPROVE", "LABELS", "AGE"];
    const WIDE: &'static [&'static str] = &["PROJECTS", "BY"];
    const EMPTY: &'static str = "no join tokens; make one with `windlass join-token create`";

    fn cells(&self) -> Vec<String> {
        let projects: Vec<String> = self.projects.iter().map(ToString::to_string).collect();
        vec![
            self.id.clone(),
            token_state(self, Timestamp::now()).to_owned(),
            format!("{} of {}", self.uses, self.max_uses),
            self.expires_at.to_string(),
            if self.approve { "at once".to_owned() } else { "by a person".to_owned() },
            labels(&self.labels),
            age(self.created_at),
            if projects.is_empty() { "every".to_owned() } else { projects.join(",") },
            self.created_by.clone(),
        ]
    }

    fn name(&self) -> String {
        format!("join-token/{}", self.id)
    }
}

fn token_state(token: &JoinToken, now: Timestamp) -> &'static str {
    if token.revoked_at.is_some() {
        "Revoked"
    } else if token.expires_at <= now {
        "Expired"
    } else if token.uses >= token.max_uses {
        "Used"
    } else {
        "Active"
    }
}

impl Row for Publisher {
    const HEAD: &'static [&'static str] = &["NAME", "PROJECT", "STATE", "AGE"];
    const WIDE: &'static [&'static str] = &["ID", "BY"];
    const EMPTY: &'static str = "no publishers; make a credential with `windlass publisher create NAME`";

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.project.to_string(),
            if self.revoked_at.is_some() { "Revoked".to_owned() } else { "Active".to_owned() },
            age(self.created_at),
            self.id.clone(),
            self.created_by.clone(),
        ]
    }

    fn name(&self) -> String {
        format!("publisher/{}", self.id)
    }
}

impl Row for Entry {
    const HEAD: &'static [&'static str] = &["AT", "WHO", "VERB", "OBJECT"];
    const WIDE: &'static [&'static str] = &["DETAIL", "ID"];
    const EMPTY: &'static str = "nothing was written yet";

    fn cells(&self) -> Vec<String> {
        vec![
            self.at.to_string(),
            self.who.clone(),
            self.verb.clone(),
            self.object.clone(),
            self.detail.to_string(),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        format!("audit/{}", self.id)
    }
}
