//! A history of commits to publish: a real one where it lies beside the checkout, or one made from the example.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::programs::top;
use crate::repository::{Repository, example};

/// A repository whose commits are to be published in order.
#[derive(Debug)]
pub struct History {
    /// The repository, at its last commit.
    pub repository: Repository,
    /// The folder with the manifests.
    pub path: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// The Secrets that the tree holds in plain, `namespace/name`.
    pub secrets: Vec<String>,
    /// All commits, oldest first.
    pub commits: Vec<String>,
}

/// So many are in the bundle.
const COMMITS: usize = 41;

impl History {
    /// The 41 commits of kube-prometheus, if they lie beside the checkout; else [`Self::of_the_example`].
    pub async fn found() -> Result<Self> {
        match bundle() {
            Some(bundle) => Self::of_kube_prometheus(&bundle).await,
            None => Self::of_the_example().await,
        }
    }

    async fn of_kube_prometheus(bundle: &Path) -> Result<Self> {
        let repository = Repository::of_bundle(bundle).await?;
        let commits = repository.commits().await?;
        ensure!(
            commits.len() == COMMITS,
            "{} has {} commits, not {COMMITS}",
            bundle.display(),
            commits.len()
        );
        let secrets = ["alertmanager-main", "grafana-config", "grafana-datasources"];
        let secrets = secrets.map(|name| format!("monitoring/{name}")).to_vec();
        let namespace = "monitoring".to_owned();
        Ok(Self { repository, path: "manifests".to_owned(), namespace, secrets, commits })
    }

    /// What a few people might do to parts of the example in a week.
    pub async fn of_the_example() -> Result<Self> {
        let repository = Repository::new().await?;
        for service in ["platform", "web", "berths"] {
            repository.copy(&example(&format!("plain/{service}")), &format!("manifests/{service}"))?;
        }
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: {name: web-board}\nstringData: {board: tidal}\n";
        repository.write("manifests/web/secret.yaml", secret)?;
        repository.commit("All services").await?;
        let web = "manifests/web/deployment.yaml";
        for (before, tag) in [("1.4.2", "1.4.3"), ("1.4.3", "1.4.4"), ("1.4.4", "1.5.0")] {
            repository.replace(web, &format!("harbour/web:{before}"), &format!("harbour/web:{tag}"))?;
            repository.commit(&format!("web {tag}")).await?;
        }
        repository.replace(web, "# The quay board:", "# Quay board:")?;
        repository.commit("Say it in fewer words").await?;
        repository.replace(
            "manifests/web/config.yaml",
            "BOARD_REFRESH_SECONDS: \"15\"",
            "BOARD_REFRESH_SECONDS: \"20\"",
        )?;
        repository.commit("Refresh the board less often").await?;
        repository.remove("manifests/web/availability.yaml")?;
        repository.commit("One replica will do").await?;
        let commits = repository.commits().await?;
        let secrets = vec!["harbour-web/web-board".to_owned()];
        Ok(Self {
            repository,
            path: "manifests".to_owned(),
            namespace: "harbour-web".to_owned(),
            secrets,
            commits,
        })
    }
}

/// `shared/corpora` beside the checkout, or beside one of the folders that it lies in.
fn bundle() -> Option<PathBuf> {
    let places = top().ancestors().skip(1).map(|folder| folder.join("shared/corpora/kube-prometheus.bundle"));
    places.into_iter().find(|file| file.is_file())
}
