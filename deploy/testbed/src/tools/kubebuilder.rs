//! An API server and etcd that people have already, as controller tests of this field leave them: then nothing is built.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Found;
use super::go::KUBERNETES_MINOR;
use crate::environment;

/// What `KUBEBUILDER_ASSETS` names; else what `setup-envtest use` has left, if it is of our minor version.
pub(super) fn control_plane() -> Result<Option<Found>> {
    if let Some(folder) = environment::kubebuilder_assets() {
        ensure!(
            is_complete(&folder),
            "KUBEBUILDER_ASSETS is {}, where kube-apiserver or etcd is missing: run `setup-envtest use` or unset it",
            folder.display()
        );
        let how = format!("KUBEBUILDER_ASSETS, {}", folder.display());
        return Ok(Some(Found { folder, how }));
    }
    let Ok(versions) = environment::setup_envtest_folder().and_then(|folder| Ok(std::fs::read_dir(folder)?))
    else {
        return Ok(None);
    };
    let of_our_minor = format!("{KUBERNETES_MINOR}.");
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&of_our_minor))
        })
        .filter(|folder| is_complete(folder))
        .max();
    Ok(newest.map(|folder| Found { how: format!("left by setup-envtest, {}", folder.display()), folder }))
}

fn is_complete(folder: &Path) -> bool {
    ["kube-apiserver", "etcd"].iter().all(|program| folder.join(program).is_file())
}
