//! Jobs on a real API server: each runs once (FAULTS F7). Nothing runs them there; the test writes their status.

use anyhow::Result;
use cdn::document::Health;
use serde_json::{Value, json};

use super::Bench;
use crate::fleet::service;
use crate::site::{reasons, reported};

/// Passes by agents that start anew.
const CYCLES: usize = 20;

impl Bench {
    fn job(&self, name: &str) -> Value {
        json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "main", "image": "example.com/migrate:1"}]}}}})
    }

    /// The Job ends so, an agent sees it, and somebody removes it.
    async fn ends(&self, name: &str, completed: bool) -> Result<()> {
        let at = "2026-01-01T00:00:00Z";
        let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": at, "lastProbeTime": at});
        let status = if completed {
            json!({"startTime": at, "completionTime": at, "succeeded": 1,
                "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]})
        } else {
            json!({"startTime": at, "failed": 1,
                "conditions": [condition("FailureTarget"), condition("Failed")]})
        };
        let patch = json!({"status": status}).to_string();
        self.kubectl(&["patch", "job", name, "--subresource=status", "--type=merge", "-p", &patch]).await?;
        self.once().await;
        self.kubectl(&["delete", "job", name]).await?;
        Ok(())
    }

    /// How often an agent has made it.
    async fn creations(&self, name: &str) -> Result<usize> {
        let events = self.cluster.audit_events().await?;
        let made = events.iter().filter(|event| {
            event.verb == "patch"
                && event.resource == "jobs"
                && (event.namespace.as_str(), event.name.as_str()) == (self.namespace.as_str(), name)
                && event.code == 201
        });
        Ok(made.count())
    }
}

#[tokio::test]
async fn f7_a_job_that_completed_or_failed_is_made_exactly_once() -> Result<()> {
    for (completed, health) in [(true, Health::Healthy), (false, Health::Degraded)] {
        let mut bench = Bench::new("ends").await?;
        bench.site.fleet.publish("web", &[bench.job("migrate"), bench.config("a", "1")]);
        bench.assign().await;
        assert_eq!(bench.creations("migrate").await?, 1);
        bench.ends("migrate", completed).await?;
        for _ in 0..CYCLES {
            let status = bench.once().await;
            assert!(reasons(&status).is_empty(), "{:?}", status.holds());
            assert_eq!(reported(&status, "web").health, health);
        }
        assert_eq!(bench.creations("migrate").await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn f7_a_job_that_was_adopted_is_never_made() -> Result<()> {
    let mut bench = Bench::new("adopts").await?;
    bench.create(&bench.job("migrate")).await?;
    bench.site.fleet.publish("web", &[bench.job("migrate"), bench.config("a", "1")]);
    bench.assign().await;
    bench.ends("migrate", true).await?;
    for _ in 0..3 {
        bench.once().await;
    }
    assert_eq!(bench.creations("migrate").await?, 0);
    Ok(())
}

#[tokio::test]
async fn f15_a_job_that_has_run_is_not_made_again_by_its_renamed_service() -> Result<()> {
    let mut bench = Bench::new("renames").await?;
    bench.site.fleet.publish("old", &[bench.job("migrate"), bench.config("a", "1")]);
    bench.assign().await;
    bench.ends("migrate", true).await?;
    bench.site.fleet.set.clear();
    bench.site.fleet.publish("new", &[bench.job("migrate"), bench.config("a", "1")]);
    bench.site.fleet.options("new").formerly.push(service("old"));
    bench.assign().await;
    for _ in 0..3 {
        let status = bench.once().await;
        assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    }
    assert_eq!(bench.creations("migrate").await?, 1);
    Ok(())
}
