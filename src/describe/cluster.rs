//! What a person needs to know of one cluster: what it should run, what it runs, and what stands in the way.

use std::collections::BTreeMap;

use api::routes::clusters::{Cluster, ClusterDetail};
use api::routes::holds::Hold;
use cdn::document::{Report, ServiceReport};
use cdn::{Digest, ServiceName};

use super::page::Page;
use crate::get::nouns::state;
use crate::table::Table;
use crate::words::{age, labels, maybe_age, short, word};

/// The description.
pub(super) fn page(detail: &ClusterDetail, holds: &[Hold]) -> Page {
    let mut page = Page::default();
    about(&mut page, &detail.cluster);
    for (project, values) in &detail.values {
        let values = serde_json::to_value(values).unwrap_or_default();
        page.field(&format!("Values {project}"), &values.to_string());
    }
    page.section("Conditions");
    page.table(conditions(&detail.cluster, holds));
    page.section("Services");
    page.table(services(detail));
    page.section("Removals");
    for removal in &detail.removals {
        page.field(&removal.service.to_string(), &word(&removal.mode));
    }
    if !detail.notes.is_empty() {
        page.section("Left out");
        detail.notes.iter().for_each(|note| page.note(note));
    }
    page.section("Holds");
    for each in holds {
        hold(&mut page, each);
    }
    if let Some(report) = &detail.report {
        usage(&mut page, report);
    }
    page
}

fn about(page: &mut Page, cluster: &Cluster) {
    let projects: Vec<&str> = cluster.projects.iter().map(cdn::ProjectName::as_str).collect();
    page.field("Name", &cluster.name);
    page.field("Id", cluster.id.as_str());
    page.field("State", &state(cluster));
    page.field("Labels", &labels(&cluster.labels));
    page.field("Projects", &if projects.is_empty() { "every".to_owned() } else { projects.join(", ") });
    page.field("Joined", &format!("{} ago", age(cluster.joined_at)));
    page.field("Last poll", &ago(&maybe_age(cluster.last_seen)));
    page.field("Last report", &ago(&maybe_age(cluster.reported_at)));
    page.field("Agent", &cluster.agent);
    page.field("Sequence", &format!("{} (accepted: {})", cluster.seq, cluster.reported_seq));
    page.field("Set", &cluster.set.map(|set| set.to_string()).unwrap_or_default());
    if let Some(since) = cluster.duplicate_since {
        let name = &cluster.name;
        page.field(
            "Duplicate",
            &format!("two agents use this identity since {since}; stop one, then `windlass recover {name}`"),
        );
    }
    if let Some(seq) = cluster.agent_ahead {
        let name = &cluster.name;
        page.field("Ahead", &format!("its agent holds sequence {seq}, which is above ours: was the database restored? See `windlass recover {name}`"));
    }
}

fn ago(age: &str) -> String {
    if age.is_empty() { "never".to_owned() } else { format!("{age} ago") }
}

/// The three conditions that people know from Kubernetes.
fn conditions(cluster: &Cluster, holds: &[Hold]) -> Table {
    use cdn::document::{Health, Sync};
    let mut table = Table::new(["TYPE", "STATUS", "REASON"]);
    let truth = |yes: bool| if yes { "True" } else { "False" }.to_owned();
    let held = holds.first().map(|hold| hold.hold.reason.code().to_owned());
    let caught_up = cluster.reported_seq >= cluster.seq;
    let (ready, why) = match (cluster.sync, cluster.health) {
        _ if !caught_up => ("False", "NotReportedYet".to_owned()),
        (Sync::Synced, Health::Healthy | Health::Suspended) => ("True", word(&cluster.health)),
        (Sync::Synced, Health::Unknown) => ("Unknown", "HealthUnknown".to_owned()),
        (Sync::Synced, health) => ("False", word(&health)),
        (sync, _) => ("False", word(&sync)),
    };
    table.row(["Ready".to_owned(), ready.to_owned(), held.clone().unwrap_or(why)]);
    let under_way = !caught_up || cluster.sync == Sync::Pending || cluster.health == Health::Progressing;
    table.row(["Reconciling".to_owned(), truth(under_way), String::new()]);
    table.row(["Stalled".to_owned(), truth(!holds.is_empty()), held.unwrap_or_default()]);
    table
}

/// What should run beside what runs.
fn services(detail: &ClusterDetail) -> Table {
    let mut table = Table::new(["SERVICE", "SYNC", "HEALTH", "WANTED", "APPLIED", "OBJECTS", "SINCE"]);
    let reported: BTreeMap<&ServiceName, &ServiceReport> = detail
        .report
        .iter()
        .flat_map(|report| &report.services)
        .map(|service| (&service.name, service))
        .collect();
    let mut wanted: BTreeMap<&ServiceName, Option<Digest>> =
        reported.keys().map(|name| (*name, None)).collect();
    wanted.extend(detail.assigned.iter().map(|assigned| (&assigned.service, Some(assigned.release))));
    for (name, release) in wanted {
        let now = reported.get(name);
        table.row([
            name.to_string(),
            now.map_or_else(|| "Unknown".to_owned(), |now| word(&now.sync)),
            now.map_or_else(|| "Unknown".to_owned(), |now| word(&now.health)),
            release.map_or_else(|| "not assigned".to_owned(), |release| release.short()),
            now.map(|now| short(now.release)).unwrap_or_default(),
            now.map(|now| now.objects.to_string()).unwrap_or_default(),
            now.map(|now| age(now.since)).unwrap_or_default(),
        ]);
    }
    table
}

/// One hold: what, since when, and what to do.
pub(super) fn hold(page: &mut Page, hold: &Hold) {
    let inner = &hold.hold;
    page.field("Reason", inner.reason.code());
    page.field("Cluster", &format!("{} ({})", hold.cluster_name, hold.cluster));
    page.field("Service", &inner.service.as_ref().map(ToString::to_string).unwrap_or_default());
    page.field("Object", &inner.object.as_ref().map(ToString::to_string).unwrap_or_default());
    page.field("Message", &inner.message);
    page.field("Since", &format!("{} ({} ago)", inner.since, age(inner.since)));
    page.field("Next", &hold.next);
    match (hold.approved_at, inner.digest) {
        (Some(at), _) => {
            page.field("Approve", &format!("approved {} ago; the cluster has not acted on it yet", age(at)));
        }
        (None, Some(digest)) => page.field("Approve", &format!("windlass approve hold {digest}")),
        (None, None) => {}
    }
}

fn usage(page: &mut Page, report: &Report) {
    let usage = report.usage;
    let size = program::progress::size;
    page.section("Agent's use since its start");
    page.field("CPU", &format!("{} ms", usage.cpu_ms));
    page.field("Memory", &size(usage.memory_bytes));
    page.field(
        "Content",
        &format!("{} read, {} already there", size(usage.content_bytes), size(usage.saved_bytes)),
    );
}
