//! Programs built from their Go modules: the whole recipe is a go.mod, so that Go's own checksums vouch for the source.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Found;
use crate::{cache, environment, run};

/// The minor version of Kubernetes in `kubernetes/go.mod` (a test holds that).
pub(super) const KUBERNETES_MINOR: &str = "1.37";
/// The folder beside kwok with the stages that it is to play.
pub(super) const STAGES: &str = "stages";

const NO_GO: &str = "Go 1.26 is not in PATH: install it (https://go.dev/dl), or let `setup-envtest use` fetch \
     kube-apiserver and etcd and set KUBEBUILDER_ASSETS";

const KUBERNETES: Module = Module {
    go_mod: include_str!("../../kubernetes/go.mod"),
    go_sum: include_str!("../../kubernetes/go.sum"),
    version_of: "k8s.io/kubernetes",
    version_in: "k8s.io/component-base/version",
};
const HELM: Module = Module {
    go_mod: include_str!("../../helm/go.mod"),
    go_sum: include_str!("../../helm/go.sum"),
    version_of: "helm.sh/helm/v4",
    version_in: "helm.sh/helm/v4/internal/version",
};

/// A go.mod whose `tool` lines can be built.
struct Module {
    go_mod: &'static str,
    go_sum: &'static str,
    version_of: &'static str,
    /// The package that carries the version: without it kwok and kubectl cannot parse what the API server says of itself.
    version_in: &'static str,
}

pub(super) fn control_plane() -> Result<Found> {
    let packages = ["go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kube-apiserver"];
    KUBERNETES.built("control-plane", "about 7 minutes", &packages, |_, programs| {
        fs::rename(programs.join("server"), programs.join("etcd")).context("call etcd's `server` by its name")
    })
}

pub(super) fn controllers() -> Result<Found> {
    let packages = [
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "sigs.k8s.io/kwok/cmd/kwok",
    ];
    KUBERNETES.built("controllers", "about 4 minutes", &packages, copy_stages)
}

/// For machines that no wheel is made for.
pub(super) fn clients() -> Result<Found> {
    KUBERNETES.built("clients", "about 5 minutes", &["k8s.io/kubernetes/cmd/kubectl"], |_, programs| {
        let helm = HELM.built("helm", "about 2 minutes", &["helm.sh/helm/v4/cmd/helm"], |_, _| Ok(()))?;
        fs::copy(helm.folder.join("helm"), programs.join("helm")).context("put helm beside kubectl")?;
        Ok(())
    })
}

impl Module {
    /// The packages' programs, from the cache or built now; `then` finishes the folder (source, programs).
    fn built(
        &self,
        name: &str,
        time: &str,
        packages: &[&str],
        then: impl FnOnce(&Path, &Path) -> Result<()>,
    ) -> Result<Found> {
        let flags = self.linker_flags()?;
        let key = cache::fingerprint(&[self.go_mod, &flags, &packages.join(" ")]);
        let entry = cache::entry(&format!("{name}-{key}"), |draft| {
            let go = environment::in_path("go").context(NO_GO)?;
            cache::tell(&format!("building {name} from {} ({time}, once)", self.version_of));
            let source = tempfile::tempdir().context("make a folder for the go.mod")?;
            fs::write(source.path().join("go.mod"), self.go_mod).context("write go.mod")?;
            fs::write(source.path().join("go.sum"), self.go_sum).context("write go.sum")?;
            let mut build = in_module(&go, source.path());
            build.args(["build", "-trimpath", "-ldflags", &flags, "-o"]).arg(draft).args(packages);
            run::output(&mut build)?;
            then(source.path(), draft)
        })?;
        let how =
            if entry.made { format!("built from {}", self.version_of) } else { "in the cache".to_owned() };
        Ok(Found { folder: entry.folder, how })
    }

    fn linker_flags(&self) -> Result<String> {
        let version = self.version()?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        ensure!(!minor.is_empty(), "{version} of {} is no version", self.version_of);
        let set = [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitCommit", version),
            ("gitTreeState", "clean"),
            ("version", version),
        ];
        let set: Vec<String> =
            set.iter().map(|(name, value)| format!("-X {}.{name}={value}", self.version_in)).collect();
        Ok(format!("-s -w {}", set.join(" ")))
    }

    fn version(&self) -> Result<&'static str> {
        let required = self.go_mod.lines().find_map(|line| {
            let mut words = line.trim_start_matches("require ").split_whitespace();
            words.next().filter(|module| *module == self.version_of)?;
            words.next().filter(|version| version.starts_with('v'))
        });
        required.with_context(|| format!("the go.mod requires no {}", self.version_of))
    }
}

fn in_module(go: &Path, source: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=readonly");
    command.env("GOWORK", "off");
    command
}

fn copy_stages(source: &Path, programs: &Path) -> Result<()> {
    let go = environment::in_path("go").context("Go is gone from PATH")?;
    let listed =
        run::output(in_module(&go, source).args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]))?;
    let module = Path::new(listed.trim()).join("kustomize/stage");
    let stages = programs.join(STAGES);
    fs::create_dir(&stages).context("create the folder for kwok's stages")?;
    for kind in ["node/fast", "node/heartbeat-with-lease", "pod/fast"] {
        let folder = module.join(kind);
        for file in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let file = file?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != "kustomization.yaml" && file.extension().is_some_and(|extension| extension == "yaml") {
                let copy = stages.join(format!("{}-{name}", kind.replace('/', "-")));
                fs::copy(&file, &copy).with_context(|| format!("copy {}", file.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_that_of_the_go_mod() {
        let version = KUBERNETES.version().expect("go.mod requires Kubernetes");
        assert!(version.starts_with(&format!("v{KUBERNETES_MINOR}.")), "{version}");
    }
}
