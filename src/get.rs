//! `windlass get`: lists, and single things, in every format; `-w` shows what changes.

pub(crate) mod nouns;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use api::routes::audit::Entry;
use api::routes::clusters::{Cluster, ClusterDetail};
use api::routes::holds::Hold;
use api::routes::join_tokens::JoinToken;
use api::routes::publishers::Publisher;
use api::routes::releases::{Release, ReleaseDetail};
use api::routes::removals::Removal;
use api::routes::services::Service;
use api::routes::sources::Source;
use cdn::Digest;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure, exit_of};
use crate::output::{Format, FormatArg, View};
use crate::server::{Query, Server, escaped};
use crate::session::Session;
use crate::table::Table;
use crate::words;
use nouns::Row;

/// The states of a cluster, and the words of its sync, as the table shows them.
const STATES: [&str; 5] = ["Active", "Pending", "Revoked", "DuplicateIdentity", "AgentAhead"];
const SYNCS: [&str; 4] = ["Synced", "Pending", "Held", "Unknown"];
/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(2);

/// Show what there is
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass get clusters
  windlass get clusters -l env=production,region!=north -o wide
  windlass get services default/web -o yaml
  windlass get releases default/web --sort-by seq
  windlass get release 4be1c2d3e4f5
  windlass get clusters --state AgentAhead
  windlass get holds --cluster site-1
  windlass get clusters -w")]
pub(crate) struct Get {
    /// What to show
    #[arg(value_name = "NOUN")]
    noun: Noun,
    /// Only this one; for `releases`: those of this service, or the one with this digest or these first digits
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only clusters with these labels: `env=prod,region in (north,south),!canary`
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = words::selector)]
    selector: Option<String>,
    /// Only what belongs to this cluster (holds, removals)
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only clusters in this state, as the table shows it
    #[arg(long, value_name = "STATE", value_parser = STATES, ignore_case = true)]
    state: Option<String>,
    /// Only clusters that are in sync so, as the table shows it
    #[arg(long, value_name = "SYNC", value_parser = SYNCS, ignore_case = true)]
    sync: Option<String>,
    /// Only holds with this reason
    #[arg(long, value_name = "CODE", value_parser = words::reason(), hide_possible_values = true)]
    reason: Option<String>,
    /// Removals that are done as well
    #[arg(long)]
    done: bool,
    /// Sort by a field of the JSON form, such as `health` or `spec.path`
    #[arg(long, value_name = "FIELD")]
    sort_by: Option<String>,
    /// Stay, and show what changes
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Noun {
    /// Registered clusters
    #[value(alias = "cluster")]
    Clusters,
    /// Where manifests come from
    #[value(alias = "source")]
    Sources,
    /// Services of both kinds
    #[value(alias = "service", alias = "svc")]
    Services,
    /// Services with a selector
    #[value(alias = "global-service")]
    GlobalServices,
    /// What was published
    #[value(alias = "release")]
    Releases,
    /// Services that clusters are to take away
    #[value(alias = "removal")]
    Removals,
    /// What agents refuse or wait for
    #[value(alias = "hold")]
    Holds,
    /// Join tokens
    #[value(alias = "join-token")]
    JoinTokens,
    /// Publishers' credentials
    #[value(alias = "publisher")]
    Publishers,
    /// Every write
    Audit,
}

/// Rows that are about to be shown: the JSON form beside the cells.
#[derive(Debug)]
struct Sheet {
    table: fn() -> Table,
    empty: &'static str,
    rows: Vec<SheetRow>,
    /// Whether one thing was asked for, so that its JSON is no list.
    single: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct SheetRow {
    value: Value,
    cells: Vec<String>,
    name: String,
}

impl Sheet {
    fn of<R: Row>(rows: Vec<R>, single: bool) -> Result<Self> {
        let row = |row: R| {
            let value = serde_json::to_value(&row)?;
            Ok(SheetRow { value, cells: row.cells(), name: row.name() })
        };
        let rows = rows.into_iter().map(row).collect::<Result<_>>()?;
        Ok(Self {
            table: || Table::new(R::HEAD.iter().copied()).wide(R::WIDE.iter().copied()),
            empty: R::EMPTY,
            rows,
            single,
        })
    }

    fn view(self) -> View {
        let mut table = (self.table)();
        let names = self.rows.iter().map(|row| row.name.clone()).collect();
        let mut values = Vec::new();
        for row in self.rows {
            table.row(row.cells);
            values.push(row.value);
        }
        let value = match values.as_slice() {
            [one] if self.single => one.clone(),
            _ => json!({ "items": values }),
        };
        View { table, value, names, empty: self.empty }
    }

    fn sort(&mut self, field: &str) -> Result<()> {
        let pointer = format!("/{}", field.trim_start_matches('.').replace('.', "/"));
        if let Some(first) = self.rows.first()
            && self.rows.iter().all(|row| row.value.pointer(&pointer).is_none())
        {
            let known = first.value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
            return Err(Failure::new(Exit::Usage, format!("nothing here has a field `{field}`"))
                .why(format!("the fields are: {}", known.unwrap_or_default().join(", ")))
                .into());
        }
        let key = |row: &SheetRow| row.value.pointer(&pointer).cloned().unwrap_or_default();
        self.rows.sort_by(|a, b| compare(&key(a), &key(b)));
        Ok(())
    }
}

/// Numbers by size, everything else by its text.
fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let numbers = a.as_f64().zip(b.as_f64());
    numbers.map_or_else(|| text(a).cmp(&text(b)), |(a, b)| a.total_cmp(&b))
}

impl Get {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        self.check()?;
        let server = session.server()?;
        if self.watch {
            return self.watch(session, &server).await;
        }
        session.out.show(&self.sheet(&server).await?.view(), self.format.output)?;
        Ok(Exit::Ok)
    }

    /// A filter that a noun does not know would silently show too much.
    fn check(&self) -> Result<()> {
        let of_cluster = matches!(self.noun, Noun::Holds | Noun::Removals);
        let wrong = [
            ("--selector", self.selector.is_some() && self.noun != Noun::Clusters, "clusters"),
            ("--state", self.state.is_some() && self.noun != Noun::Clusters, "clusters"),
            ("--sync", self.sync.is_some() && self.noun != Noun::Clusters, "clusters"),
            ("--cluster", self.cluster.is_some() && !of_cluster, "holds and removals"),
            ("--reason", self.reason.is_some() && self.noun != Noun::Holds, "holds"),
            ("--done", self.done && self.noun != Noun::Removals, "removals"),
        ];
        match wrong.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((flag, _, nouns)) => {
                Err(Failure::new(Exit::Usage, format!("{flag} is for {nouns} only")).into())
            }
            None => Ok(()),
        }
    }

    async fn sheet(&self, server: &Server) -> Result<Sheet> {
        let mut sheet = match &self.name {
            Some(name) => self.one(server, name).await?,
            None => self.all(server).await?,
        };
        if self.state.is_some() || self.sync.is_some() {
            sheet.empty = "no cluster stands so; see all of them with `windlass get clusters -o wide`";
        } else if self.selector.is_some() {
            sheet.empty = "no cluster has these labels; see them with `windlass get clusters -o wide`";
        }
        if let Some(field) = &self.sort_by {
            sheet.sort(field)?;
        }
        Ok(sheet)
    }

    async fn all(&self, server: &Server) -> Result<Sheet> {
        let none = Query::default();
        let query = Query::default()
            .add("selector", self.selector.as_deref())
            .add("cluster", self.cluster.as_deref())
            .add("reason", self.reason.as_deref())
            .add("done", self.done.then_some("true"));
        match self.noun {
            Noun::Clusters => {
                let mut clusters: Vec<Cluster> = server.list("/v1/clusters", &query).await?;
                clusters.retain(|cluster| self.fits(cluster));
                Sheet::of(clusters, false)
            }
            Noun::Sources => Sheet::of::<Source>(server.list("/v1/sources", &none).await?, false),
            Noun::Services => Sheet::of::<Service>(server.list("/v1/services", &none).await?, false),
            Noun::GlobalServices => {
                Sheet::of::<Service>(server.list("/v1/global-services", &none).await?, false)
            }
            Noun::Releases => Sheet::of(releases(server).await?, false),
            Noun::Removals => Sheet::of::<Removal>(server.list("/v1/removals", &query).await?, false),
            Noun::Holds => Sheet::of::<Hold>(server.list("/v1/holds", &query).await?, false),
            Noun::JoinTokens => Sheet::of::<JoinToken>(server.list("/v1/join-tokens", &none).await?, false),
            Noun::Publishers => Sheet::of::<Publisher>(server.list("/v1/publishers", &none).await?, false),
            Noun::Audit => Sheet::of::<Entry>(server.list("/v1/audit", &none).await?, false),
        }
    }

    fn fits(&self, cluster: &Cluster) -> bool {
        let fits = |wanted: &Option<String>, shown: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(shown))
        };
        fits(&self.state, &nouns::state(cluster)) && fits(&self.sync, &words::word(&cluster.sync))
    }

    async fn one(&self, server: &Server, name: &str) -> Result<Sheet> {
        match self.noun {
            Noun::Clusters => Sheet::of(vec![cluster(server, name).await?.cluster], true),
            Noun::Sources => {
                let path = format!("/v1/sources/{}", words::service(name)?);
                Sheet::of::<Source>(vec![server.get(&path).await?], true)
            }
            Noun::Services => Sheet::of(vec![service(server, name).await?], true),
            Noun::GlobalServices => {
                let path = format!("/v1/global-services/{}", words::service(name)?);
                Sheet::of::<Service>(vec![server.get(&path).await?], true)
            }
            Noun::Releases if name.starts_with("sha256:") || name.starts_with("release/") => {
                Sheet::of(vec![release(server, name).await?.release], true)
            }
            Noun::Releases => releases_named(server, name).await,
            Noun::Removals | Noun::Holds | Noun::JoinTokens | Noun::Publishers | Noun::Audit => {
                let mut sheet = self.all(server).await?;
                sheet.rows.retain(|row| {
                    row.name.rsplit('/').next() == Some(name) || row.cells.first().is_some_and(|c| c == name)
                });
                if sheet.rows.is_empty() {
                    return Err(Failure::new(Exit::NotFound, format!("there is no `{name}` among them"))
                        .next(format!("see them all with `windlass get {}`", word_of(self.noun)))
                        .into());
                }
                Ok(sheet)
            }
        }
    }

    /// Shows the list, then each row again that is new or has changed, as kubectl does.
    async fn watch(&self, session: &Session, server: &Server) -> Result<Exit> {
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        let mut first = true;
        loop {
            let mut sheet = self.sheet(server).await?;
            let new = |row: &SheetRow| seen.get(&row.name) != Some(&row.value);
            sheet.rows.retain(new);
            for row in &sheet.rows {
                seen.insert(row.name.clone(), row.value.clone());
            }
            if first || !sheet.rows.is_empty() {
                self.print(session, &sheet.view(), first)?;
            }
            first = false;
            tokio::time::sleep(WATCH).await;
        }
    }

    fn print(&self, session: &Session, view: &View, first: bool) -> Result<()> {
        let look =
            crate::table::Look { colour: session.out.colour(), wide: self.format.output == Format::Wide };
        match self.format.output {
            Format::Table | Format::Wide if !first => {
                let text = view.table.render(look);
                session.out.write(text.split_once('\n').map_or("", |(_, rows)| rows))?;
            }
            Format::Json if !first => {
                session.out.write(&format!("{}\n", crate::clean::json(&view.value.to_string())))?;
            }
            Format::Yaml if !first => {
                session.out.write(&format!("---\n{}", crate::yaml::document(&view.value)))?;
            }
            Format::Table | Format::Wide | Format::Json | Format::Yaml | Format::Name => {
                session.out.show(view, self.format.output)?;
            }
        }
        Ok(())
    }
}

fn word_of(noun: Noun) -> String {
    noun.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// One cluster, by name or id.
pub(crate) async fn cluster(server: &Server, name: &str) -> Result<ClusterDetail> {
    server.get(&format!("/v1/clusters/{}", escaped(name))).await
}

/// One service of either kind.
pub(crate) async fn service(server: &Server, name: &str) -> Result<Service> {
    server.get(&format!("/v1/services/{}", words::service(name)?)).await
}

/// One release, by its digest or the digest's first digits.
pub(crate) async fn release(server: &Server, name: &str) -> Result<ReleaseDetail> {
    let name = name.strip_prefix("release/").unwrap_or(name);
    let digest = match name.parse() {
        Ok(digest) => digest,
        Err(_) => words::one_release(name, &releases(server).await?, "the fleet")?,
    };
    server.get(&format!("/v1/releases/{}", escaped(&Digest::to_string(&digest)))).await
}

/// A service's releases, newest first.
pub(crate) async fn releases_of(server: &Server, service: &str) -> Result<Vec<Release>> {
    server.list(&format!("/v1/services/{}/releases", words::service(service)?), &Query::default()).await
}

/// A service's releases; where there is no such service, the one release that begins with these digits.
async fn releases_named(server: &Server, name: &str) -> Result<Sheet> {
    match releases_of(server, name).await {
        Err(error) if exit_of(&error) == Exit::NotFound && words::are_digits(name) => {
            Sheet::of(vec![release(server, name).await?.release], true)
        }
        Err(error) if exit_of(&error) == Exit::NotFound => Err(Failure::new(
            Exit::NotFound,
            format!("`{name}` is neither a service nor a release"),
        )
        .why("a release is named by its digest: `sha256:` and 64 hex digits, or at least the first 6 of them")
        .next("see what there is with `windlass get services` and `windlass get releases`")
        .into()),
        releases => Sheet::of(releases?, false),
    }
}

/// The releases of every service.
pub(crate) async fn releases(server: &Server) -> Result<Vec<Release>> {
    let services: Vec<Service> = server.list("/v1/services", &Query::default()).await?;
    let mut releases = Vec::new();
    for service in services {
        releases.extend(releases_of(server, &service.name.to_string()).await?);
    }
    Ok(releases)
}
