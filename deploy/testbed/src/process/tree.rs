//! Which processes descend from one, as `/proc` tells.

use std::fs;

use rustix::process::Pid;

/// Children, their children, and so on, parents first.
pub(super) fn descendants(root: Pid) -> Vec<Pid> {
    let all: Vec<(Pid, Pid)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            child_and_parent(&stat)
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Whether it has not ended yet. One that has, and whose parent has not looked, holds nothing any more.
pub(super) fn is_alive(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    fields(&stat).is_some_and(|(_, state, _)| state != "Z" && state != "X")
}

/// Whether none of its threads runs any more: each takes the signal only when its turn comes.
pub(super) fn is_stopped(process: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads.into_iter().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        fields(&stat).is_none_or(|(_, state, _)| matches!(state, "T" | "t" | "Z" | "X"))
    })
}

fn child_and_parent(stat: &str) -> Option<(Pid, Pid)> {
    let (id, _, parent) = fields(stat)?;
    Some((id, parent))
}

/// `PID (NAME) STATE PARENT ...`, where the name may hold blanks and parentheses: id, state, parent.
fn fields(stat: &str) -> Option<(Pid, &str, Pid)> {
    let (id, rest) = stat.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut rest = rest.split(' ');
    let state = rest.next()?;
    Some((Pid::from_raw(id.parse().ok()?)?, state, Pid::from_raw(rest.next()?.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_hides_no_parent() {
        let found = child_and_parent("42 (a) b (c) S 7 42 42 0").expect("it is a line of /proc");
        assert_eq!(found, (Pid::from_raw(42).expect("not 0"), Pid::from_raw(7).expect("not 0")));
    }
}
