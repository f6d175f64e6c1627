//! What a process and its children have used, as the kernel counts it.

use std::fs;

use anyhow::{Context, Result};

/// Ticks of the kernel's accounting per second; fixed on every Linux that Rust's std supports.
const TICKS: f64 = 100.0;

/// CPU seconds of a process and of all that descend from it and still run.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    family(pid)?.into_iter().map(own_cpu_seconds).sum()
}

/// Resident memory of one process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read the process's status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS is a number")?;
    Ok(kib * 1024.0)
}

fn family(pid: u32) -> Result<Vec<u32>> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let path = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        for child in children.split_whitespace() {
            found.push(child.parse().context("a child's process id")?);
        }
        next += 1;
    }
    Ok(found)
}

fn own_cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read the process's accounting")?;
    let after_name = stat.rsplit_once(')').context("the accounting has a name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short accounting line")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
