//! What `--check-config` looks into besides the settings themselves: everything that they name can be read, and is what it
//! should be. Nothing is made, taken or asked.

use std::io;
use std::path::Path;

use anyhow::Context;
use kube::config::Kubeconfig;

use crate::join;
use crate::outside::Outside;
use crate::settings::{Settings, TargetArg};
use crate::state;

impl Settings {
    /// Looks into what these settings name.
    pub fn inspect(&self) -> anyhow::Result<()> {
        program::install_crypto();
        Outside::whole(self)?;
        folder(&self.state).context("--state")?;
        if let Some(file) = self.join_token_file.as_ref().filter(|_| !state::has_identity(&self.state)) {
            let (_, fleet) = join::token(file)?;
            join::check_root(join::operators_root(self)?, fleet)?;
        }
        match (&self.target, &self.kubeconfig) {
            (TargetArg::Directory(target), _) => folder(target).context("--target"),
            (TargetArg::Kubernetes, Some(file)) => {
                let read = Kubeconfig::read_from(file);
                read.map(drop).with_context(|| format!("--kubeconfig {}", file.display()))
            }
            (TargetArg::Kubernetes, None) => Ok(()),
        }
    }
}

/// A folder, or nothing: a start makes it.
fn folder(path: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        Ok(_) => Ok(()),
    }
}
