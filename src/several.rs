//! One decision for several things: which clusters are meant, what is asked before, and how each is done though another
//! fails.

use std::collections::BTreeSet;

use anyhow::Result;
use api::routes::clusters::Cluster;
use clap::Args;
use program::progress::count;

use crate::exit::{Exit, exit_of};
use crate::get;
use crate::server::{Query, Server};
use crate::session::Session;
use crate::words::selector;

/// Which clusters.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct Clusters {
    /// Names or ids of clusters
    #[arg(value_name = "NAME", conflicts_with_all = ["selector", "all"])]
    pub(crate) names: Vec<String>,
    /// All with these labels that wait for it
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = selector, conflicts_with = "all")]
    selector: Option<String>,
    /// All that wait for it
    #[arg(long)]
    all: bool,
}

impl Clusters {
    /// Those that were named, whether they wait or not; else all that `wait`.
    pub(crate) async fn read(
        &self,
        server: &Server,
        waits: impl Fn(&Cluster) -> bool,
    ) -> Result<Vec<Cluster>> {
        let mut clusters = Vec::new();
        let mut seen = BTreeSet::new();
        for name in &self.names {
            let cluster = get::cluster(server, name).await?.cluster;
            if seen.insert(cluster.id.to_string()) {
                clusters.push(cluster);
            }
        }
        if self.names.is_empty() {
            let query = Query::default().add("selector", self.selector.as_deref());
            clusters = server.list("/v1/clusters", &query).await?;
            clusters.retain(waits);
        }
        Ok(clusters)
    }
}

/// The names of all clusters with these labels.
pub(crate) async fn names_with(server: &Server, selector: &str) -> Result<BTreeSet<String>> {
    let query = Query::default().add("selector", Some(selector));
    let clusters: Vec<Cluster> = server.list("/v1/clusters", &query).await?;
    Ok(clusters.into_iter().map(|cluster| cluster.name).collect())
}

/// Prints what the decision does to each, and asks once: `one` where it is one, else with their number.
pub(crate) async fn confirm(
    session: &Session,
    effects: &[String],
    one: &str,
    (noun, several): (&str, &str),
) -> Result<()> {
    session.out.hint(&effects.join("\n"));
    if effects.len() == 1 {
        return session.confirm(one).await;
    }
    session.confirm(&format!("{}: {several}", count(effects.len() as u64, noun))).await
}

/// Does it to each, which is `named` where it fails. One that fails stops no other.
pub(crate) async fn each<T>(
    session: &Session,
    items: &[T],
    named: impl Fn(&T) -> String,
    act: impl AsyncFn(&T) -> Result<String>,
) -> Result<Exit> {
    let mut tally = Tally::default();
    for item in items {
        let ended = act(item).await;
        tally.count(&ended);
        match ended {
            Ok(line) => session.out.line(&line)?,
            Err(error) if items.len() == 1 => return Err(error),
            Err(error) => session.out.error(&error.context(named(item))),
        }
    }
    Ok(tally.exit(session))
}

/// How many of several have failed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    all: usize,
    failed: usize,
    first: Option<Exit>,
}

impl Tally {
    /// Counts one.
    pub(crate) fn count<T>(&mut self, ended: &Result<T>) {
        self.all += 1;
        if let Err(error) = ended {
            self.failed += 1;
            self.first.get_or_insert(exit_of(error));
        }
    }

    /// Partly done is a code of its own; where all failed, it is the first one's.
    pub(crate) fn exit(&self, session: &Session) -> Exit {
        match self.first {
            None => Exit::Ok,
            Some(exit) if self.failed == self.all => exit,
            Some(_) => {
                session.out.hint(&format!("{} of {} failed; the others are done", self.failed, self.all));
                Exit::Partly
            }
        }
    }
}
