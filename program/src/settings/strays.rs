//! Variables that look like settings of ours and are none of this program's. An environment is shared - with our other
//! programs, and with Kubernetes, which puts the address of every Service into it - so none is refused; but a name that
//! is almost one of ours is a slip of the pen, and is told with what it was meant to be.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use super::with_own_flags;

const OURS: &str = "WINDLASS_";
/// What Kubernetes puts first for a Service: `WINDLASS_API_SERVICE_HOST`, and others that begin in the same way.
const SERVICE: &str = "_SERVICE_HOST";
/// As many letters may be wrong, missing, too many or in the wrong order.
const SLIPS: usize = 2;

/// Says which `WINDLASS_*` variables this program does not read. To be called once, when logs have started.
pub fn tell_strays<A: CommandFactory>() {
    let mut known = BTreeSet::new();
    collect(&with_own_flags(A::command()), &mut known);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let strays = strays(&known, &names.collect());
    for (name, meant) in &strays.slips {
        tracing::warn!("{name} is no setting of this program, and is not read; did you mean {meant}?");
    }
    if !strays.others.is_empty() {
        let variables = strays.others.join(", ");
        tracing::info!(variables, "these are no settings of this program, and are not read");
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Strays {
    /// What is there, and what it was most likely meant to be.
    slips: Vec<(String, String)>,
    others: Vec<String>,
}

fn strays(known: &BTreeSet<String>, names: &BTreeSet<String>) -> Strays {
    let services: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(SERVICE)).collect();
    let mut strays = Strays::default();
    for name in names.difference(known).filter(|name| name.starts_with(OURS)) {
        if services.iter().any(|service| is_link(name, service)) {
            continue;
        }
        match nearest(name, known) {
            Some(meant) => strays.slips.push((name.clone(), meant.clone())),
            None => strays.others.push(name.clone()),
        }
    }
    strays
}

/// Whether Kubernetes made this variable for a Service.
fn is_link(name: &str, service: &str) -> bool {
    let rest = name.strip_prefix(service);
    rest.is_some_and(|rest| rest == "_PORT" || rest.starts_with("_PORT_") || rest.starts_with("_SERVICE_"))
}

/// The known name that this one almost is.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let apart = |one: &&String| strsim::osa_distance(name, one);
    known.iter().min_by_key(apart).filter(|one| apart(one) <= SLIPS)
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    known.extend(names.map(str::to_owned));
    for sub in command.get_subcommands() {
        collect(sub, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k2_a_slip_of_the_pen_is_told_and_what_others_put_there_is_not() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let known = set(&["WINDLASS_API", "WINDLASS_POLL_INTERVAL", "WINDLASS_SYNC_INTERVAL"]);
        let there = set(&[
            "PATH",
            "WINDLASS_API",
            "WINDLASS_API_PORT",
            "WINDLASS_API_PORT_8080_TCP_ADDR",
            "WINDLASS_API_SERVICE_HOST",
            "WINDLASS_API_SERVICE_PORT_HTTPS",
            "WINDLASS_GITHUB_SECRET_FILE",
            "WINDLASS_POLLINTERVAL",
            "WINDLASS_SNYC_INTERVAL",
        ]);
        let strays = strays(&known, &there);
        let slips = [
            ("WINDLASS_POLLINTERVAL", "WINDLASS_POLL_INTERVAL"),
            ("WINDLASS_SNYC_INTERVAL", "WINDLASS_SYNC_INTERVAL"),
        ];
        assert_eq!(strays.slips, slips.map(|(name, meant)| (name.to_owned(), meant.to_owned())));
        assert_eq!(strays.others, ["WINDLASS_GITHUB_SECRET_FILE"]);
    }
}
