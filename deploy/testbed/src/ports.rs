//! TCP ports of 127.0.0.1 that nobody else takes between being chosen and being listened on.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::workplace;

/// Below what the kernel gives to outgoing connections (32768 and up, unless somebody has changed that), above what
/// well-known servers use.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// A port and the lock that keeps it ours until this process ends.
static OURS: Mutex<Vec<(u16, File)>> = Mutex::new(Vec::new());

/// A TCP port of 127.0.0.1 that stays this process's own until it ends: no other test process gets it, and the kernel
/// gives it to no outgoing connection. So a part can be stopped and started again on its port.
pub fn free_port() -> Result<u16> {
    let locks = workplace::of_this_user()?.join("ports");
    fs::create_dir_all(&locks).with_context(|| format!("create {}", locks.display()))?;
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    let width = RANGE.end - RANGE.start;
    let first = somewhere(width);
    for step in 0..width {
        let port = RANGE.start + (first + step) % width;
        if ours.iter().any(|(taken, _)| *taken == port) {
            continue;
        }
        let path = locks.join(port.to_string());
        let lock = File::create(&path).with_context(|| format!("open {}", path.display()))?;
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ours.push((port, lock));
            return Ok(port);
        }
    }
    bail!("all ports of 127.0.0.1 from {} to {} are taken: end what holds them", RANGE.start, RANGE.end - 1)
}

/// A start that differs between processes, so that two rarely try the same port.
fn somewhere(width: u16) -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let mixed = (now / 1_000).wrapping_mul(31).wrapping_add(std::process::id().wrapping_mul(7_919));
    u16::try_from(mixed % u32::from(width)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_listened_on() {
        let mut ports: Vec<u16> = (0..50).map(|_| free_port().expect("there are enough")).collect();
        let listeners: Vec<_> =
            ports.iter().map(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))).collect();
        assert!(listeners.iter().all(Result::is_ok), "{listeners:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
