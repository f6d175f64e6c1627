//! How many clusters a change of a service's targets adds and leaves: a selector with one wrong letter takes a service off
//! the whole fleet.

use cdn::ServiceName;

use super::{Reach, ServiceSpec};
use crate::assign::{Site, Targets};
use crate::db::clusters::assignment::{self, AssignedRow};
use crate::db::{self, Conn};

/// How many of the clusters that leave are named.
const NAMED: usize = 16;

/// What a change concerns; none where the targets stay what they are.
pub(super) async fn of_change(
    conn: &mut Conn,
    name: &ServiceName,
    (before, after): (Option<&ServiceSpec>, &ServiceSpec),
) -> db::Result<Option<Reach>> {
    if before.is_some_and(|before| (&before.clusters, &before.selector) == (&after.clusters, &after.selector))
    {
        return Ok(None);
    }
    let (before, after) = (before.map(Targets::of), Targets::of(after));
    let mut reach = Reach::default();
    let mut last = String::new();
    loop {
        let page = assignment::all_active(conn, &last).await?;
        let Some(row) = page.last() else { break };
        row.id.as_str().clone_into(&mut last);
        for row in &page {
            let AssignedRow { id, name: cluster, labels, projects, .. } = row;
            let site = Site { id, name: cluster, labels, projects };
            let was = before.as_ref().is_some_and(|before| before.reach(name.project(), &site));
            reach.count(cluster, was, after.reach(name.project(), &site));
        }
    }
    reach.leaves.sort_unstable();
    Ok(Some(reach))
}

impl Reach {
    fn count(&mut self, cluster: &str, was: bool, is: bool) {
        self.before += u64::from(was);
        self.after += u64::from(is);
        self.joining += u64::from(is && !was);
        if was && !is {
            self.leaving += 1;
            if self.leaves.len() < NAMED {
                self.leaves.push(cluster.to_owned());
            }
        }
    }
}
