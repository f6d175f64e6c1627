//! Waiting for what a fleet is to come to, in the operator's words; and what to show when it does not.

use std::fs;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use program::http::{Bounds, Client, Request, Settings};
use serde_json::Value;

use super::{PATIENCE, Rig};
use crate::fleet::Service;
use crate::target::Target;
use crate::until::until;

/// How much of a log an error shows.
const TAIL_BYTES: usize = 3_000;

impl Rig {
    /// `windlass apply -f` of a service.
    pub async fn assign(&self, service: &Service) -> Result<String> {
        self.operator.applies(&service.documents()).await
    }

    /// Waits until the publisher has looked at this commit; returns the service.
    pub async fn looked_at(&self, service: &Service, commit: &str) -> Result<Value> {
        let name = service.full_name();
        self.until(&format!("{name} at {commit} is looked at"), async || {
            let service = self.service(service).await?;
            let seen = service.pointer("/publish/commit").and_then(Value::as_str);
            ensure!(seen == Some(commit), "{service:#}");
            Ok(service)
        })
        .await
    }

    /// Waits until this commit is published, or found to change nothing; returns the release's digest.
    pub async fn published(&self, service: &Service, commit: &str) -> Result<String> {
        let seen = self.looked_at(service, commit).await?;
        let outcome = seen.pointer("/publish/outcome").and_then(Value::as_str).unwrap_or_default();
        if !matches!(outcome, "published" | "unchanged") {
            bail!("{} at {commit}: {seen:#}\n{}", service.full_name(), self.logs());
        }
        let latest = seen.get("latest").and_then(Value::as_str);
        latest.map(str::to_owned).with_context(|| format!("no release: {seen:#}"))
    }

    /// The service, as the api tells people.
    pub async fn service(&self, service: &Service) -> Result<Value> {
        self.operator.reads(&["get", "services", &service.full_name()]).await
    }

    /// Waits until every site that should run the service's current release says that it does.
    pub async fn rolled_out(&self, service: &Service) -> Result<()> {
        let name = service.full_name();
        let rolled_out = self
            .until(&format!("{name} is rolled out"), async || {
                let said = self.operator.tries(&["rollout", "status", &name, "-o", "json"]).await?;
                let holds = self.operator.tries(&["get", "holds"]).await?;
                ensure!(said.code == 0, "{}{}{}", said.stdout, said.stderr, holds.stdout);
                Ok(())
            })
            .await;
        match (rolled_out, &self.cluster) {
            (Err(why), Some(cluster)) => {
                let pods = Target::Kubernetes(cluster.clone()).trouble(service.namespace()).await;
                Err(anyhow!("{why:#}\n{pods}"))
            }
            (rolled_out, _) => rolled_out,
        }
    }

    /// Waits until a cluster reports a hold with this reason; returns it.
    pub async fn hold(&self, cluster: &str, reason: &str) -> Result<Value> {
        self.until(&format!("{cluster} reports {reason}"), async || {
            let holds = self.operator.lists(&["get", "holds", "--cluster", cluster]).await?;
            let with = |hold: &&Value| hold.pointer("/hold/reason").and_then(Value::as_str) == Some(reason);
            holds.iter().find(with).cloned().with_context(|| format!("its holds: {holds:#?}"))
        })
        .await
    }

    /// A cluster with its report, as the api tells people.
    pub async fn cluster(&self, name: &str) -> Result<Value> {
        self.operator.reads(&["describe", "cluster", name]).await
    }

    /// Waits for anything; an error has the end of each program's log.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        self.until_within(PATIENCE, what, look).await
    }

    /// The same with a deadline of the caller's.
    pub async fn until_within<T>(
        &self,
        within: Duration,
        what: &str,
        look: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        // The cause first: the logs are long.
        until(what, within, look).await.map_err(|why| anyhow!("{why:#}\n{}", self.logs()))
    }

    /// The end of each program's log.
    pub fn logs(&self) -> String {
        let mut logs = tail("windlass-api", &self.api.log());
        logs += &tail("windlass-publisher", &self.publisher.log());
        logs += &tail("what serves the content", &self.content.log());
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, log) in agents.iter() {
            logs += &tail(name, &fs::read_to_string(log).unwrap_or_default());
        }
        logs
    }
}

/// The end of a log, under a heading.
pub(crate) fn tail(name: &str, log: &str) -> String {
    let start = log.ceil_char_boundary(log.len().saturating_sub(TAIL_BYTES));
    format!("\n--- the end of {name}'s log ---\n{}\n", log.get(start..).unwrap_or_default().trim_end())
}

/// A program's metric, summed over its labels.
pub(crate) async fn metric(observe: &str, name: &str) -> Result<f64> {
    let (_, body) = get(observe, "/metrics").await?;
    let of_it = |line: &&str| line.split(['{', ' ']).next() == Some(name);
    let values = body.lines().filter(of_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let values: Vec<f64> = values.collect();
    ensure!(!values.is_empty(), "no metric {name} among:\n{body}");
    Ok(values.iter().sum())
}

pub(super) async fn status(observe: &str, path: &str) -> Result<u16> {
    Ok(get(observe, path).await?.0)
}

async fn get(observe: &str, path: &str) -> Result<(u16, String)> {
    let client = Client::new(&Settings::new("e2e")).context("a client")?;
    let request = Request::get(format!("http://{observe}{path}"));
    let answer = client.fetch(request, Bounds::new(4 << 20, Duration::from_secs(10))).await?;
    Ok((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()))
}
