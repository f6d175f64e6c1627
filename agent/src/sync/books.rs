//! The inventory's keeping: on disk and in the target, the higher number wins, what only the other copy knows is added, and
//! what is lost is said.

use std::collections::BTreeSet;
use std::sync::Arc;

use cdn::document::HoldReason;
use cdn::{ObjectId, ServiceName};

use crate::held::Held;
use crate::inventory::Inventory;
use crate::state::State;
use crate::target::{Claim, KindRef, NotLoaded, Refusal, Sharded, Target};

/// The inventory in memory, and what is known of its copies.
#[derive(Debug)]
pub(super) struct Books {
    state: Arc<State>,
    /// The target that the state on disk belongs to.
    home: String,
    /// What this agent claims the target with.
    claim: Claim,
    /// Whether there was an assignment on disk when the program started.
    trusted: bool,
    at_home: bool,
    pub(super) inventory: Inventory,
    /// Which copies have been read since the claim: what has not is not written over.
    read: Read,
    /// What the copies hold; none where a copy may hold something else.
    on_disk: Option<Inventory>,
    in_target: Option<Inventory>,
    /// With no inventory anywhere, the kinds that were looked through for our marks; none once all are, or where there
    /// is nothing to look for.
    pub(super) search: Option<BTreeSet<KindRef>>,
}

/// Which copies were read, or proved not to be there.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    disk: bool,
    target: bool,
}

impl Read {
    fn both(self) -> bool {
        self.disk && self.target
    }
}

impl Books {
    pub(super) fn new(state: Arc<State>, home: String, claim: Claim, trusted: bool) -> Self {
        Self {
            state,
            home,
            claim,
            trusted,
            at_home: false,
            inventory: Inventory::default(),
            read: Read::default(),
            on_disk: None,
            in_target: None,
            search: None,
        }
    }

    /// Makes sure that this is the right target, that no other agent works on it, and that the inventory is known. What
    /// is not known of other agents, or of the copy in the target, stops no repair (law L1): it is the answer.
    pub(super) async fn open(&mut self, target: &Target) -> Result<Vec<Held>, Held> {
        if !self.at_home {
            let found = target.home().await.map_err(|refusal| {
                Held::cluster(refusal.reason, format!("the target does not say which one it is: {refusal}"))
            })?;
            if found != self.home {
                let message = "the state folder belongs to another cluster; nothing is applied here";
                return Err(Held::cluster(HoldReason::WrongHome, message));
            }
            self.at_home = true;
        }
        let mut doubts = Vec::from_iter(self.claim(target).await?);
        if !self.read.both() {
            doubts.extend(self.load(target).await?);
        }
        Ok(doubts)
    }

    /// Whether anything may go: with one copy unread, or after a loss, nobody knows all that is ours.
    pub(super) fn may_delete(&self) -> bool {
        self.read.both() && !self.inventory.lost
    }

    /// Whether a copy of the inventory has noted an object.
    pub(super) fn is_noted(&self, service: &ServiceName, id: &ObjectId) -> bool {
        let copies = [&self.on_disk, &self.in_target];
        copies.into_iter().flatten().any(|copy| copy.entry(service, id).is_some())
    }

    /// Claims the target. What another agent writes to the inventory meanwhile is read anew once it is gone (law L7).
    async fn claim(&mut self, target: &Target) -> Result<Option<Held>, Held> {
        match target.claim(&self.claim).await {
            Ok(None) => Ok(None),
            Ok(Some(other)) => {
                self.read = Read::default();
                let message =
                    format!("{other} works on this cluster, and this agent is {}", self.claim.holder);
                Err(Held::cluster(HoldReason::AnotherAgent, message))
            }
            Err(refusal) => {
                let message = format!("whether another agent works on this cluster is not known: {refusal}");
                Ok(Some(Held::cluster(refusal.reason, message)))
            }
        }
    }

    /// Reads both copies. Where one cannot be read just now, the other does for repair; the answer is why, and it is asked
    /// again before anything goes, or is written over it.
    async fn load(&mut self, target: &Target) -> Result<Vec<Held>, Held> {
        let mut unread = Vec::new();
        let here = match self.state.with(State::inventory).await {
            Ok(here) => here,
            Err(error) if error.is_damaged() => {
                tracing::warn!(%error, "the copy of the inventory on disk is not used");
                None
            }
            Err(error) => {
                unread.push(Held::cluster(HoldReason::StateUnwritable, error.to_string()));
                None
            }
        };
        self.read.disk = unread.is_empty();
        // What only says that state was lost is no inventory to go on with: Jobs that have run would run again.
        let is_whole = here.as_ref().is_some_and(|here| here.number > 0);
        let (mut damaged, mut is_read) = (false, true);
        let there = match target.load_inventory().await.and_then(|kept| whole(kept.as_ref())) {
            Ok(there) => there,
            Err(NotLoaded::Damaged(why)) => {
                tracing::warn!(why, "the inventory in the target is damaged and not used");
                damaged = true;
                None
            }
            Err(NotLoaded::Refused(refusal)) if is_whole => {
                unread.push(cannot_be_read(&refusal));
                is_read = false;
                None
            }
            Err(NotLoaded::Refused(refusal)) if refusal.retry || !self.read.disk => {
                return Err(cannot_be_read(&refusal));
            }
            Err(NotLoaded::Refused(refusal)) => {
                tracing::warn!(error = %refusal, "the inventory in the target is not used");
                None
            }
        };
        self.read.target = is_read;
        let found = here.is_some() || there.is_some();
        let mut copies = [&here, &there].map(Option::as_ref);
        copies.sort_by_key(|copy| copy.map(|inventory| inventory.number));
        let [older, newer] = copies;
        self.inventory = newer.cloned().unwrap_or_default();
        if let Some(older) = older {
            self.inventory.widen(older);
        }
        let (is_new, is_empty) = (self.inventory.number == 0, self.inventory.is_empty());
        self.search = (is_new && is_empty).then(BTreeSet::new);
        let noted = copies.into_iter().flatten().any(|copy| copy.lost);
        // An inventory without trusted state, or trusted state without an inventory: one of the two was lost.
        let lost_now = if self.trusted { !found } else { damaged || !is_empty };
        self.inventory.lost = lost_now || (noted && !is_empty);
        if self.inventory.lost {
            tracing::warn!("state was lost: nothing is deleted before one clean full pass");
        }
        (self.on_disk, self.in_target) = (here, there);
        Ok(unread)
    }

    /// Writes the inventory to disk and to the target where they hold another one. One copy is enough to go on; the
    /// hold says which one could not be written.
    pub(super) async fn save(&mut self, target: &Target) -> Saved {
        let same = |copy: &Option<Inventory>, now: &Inventory| {
            copy.as_ref().is_some_and(|copy| (&copy.services, copy.lost) == (&now.services, now.lost))
        };
        let (disk, cluster) = (same(&self.on_disk, &self.inventory), same(&self.in_target, &self.inventory));
        let may_write = Read { disk: self.read.disk && !disk, target: self.read.target && !cluster };
        let mut saved = Saved { copies: usize::from(disk) + usize::from(cluster), held: Vec::new() };
        if !may_write.disk && !may_write.target {
            return saved;
        }
        let copies = [&self.on_disk, &self.in_target];
        let last = copies.into_iter().flatten().map(|copy| copy.number).max().unwrap_or(0);
        self.inventory.number = self.inventory.number.max(last).saturating_add(1);
        if may_write.disk && self.save_on_disk(&mut saved).await {
            saved.copies += 1;
        }
        if may_write.target && self.save_in_target(target, &mut saved).await {
            saved.copies += 1;
        }
        saved
    }

    async fn save_on_disk(&mut self, saved: &mut Saved) -> bool {
        let inventory = self.inventory.clone();
        match self.state.with(move |state| state.keep_inventory(&inventory)).await {
            Ok(()) => {
                self.on_disk = Some(self.inventory.clone());
                true
            }
            Err(error) => {
                let message = format!("the inventory cannot be written to the state folder: {error}");
                saved.held.push(Held::cluster(HoldReason::StateUnwritable, message));
                self.on_disk = None;
                false
            }
        }
    }

    async fn save_in_target(&mut self, target: &Target, saved: &mut Saved) -> bool {
        match target.save_inventory(&self.inventory.to_shards()).await {
            Ok(()) => {
                self.in_target = Some(self.inventory.clone());
                true
            }
            Err(refusal) => {
                let message = format!("the inventory cannot be kept in the target: {refusal}");
                saved.held.push(Held::cluster(HoldReason::StateUnwritable, message));
                self.in_target = None;
                false
            }
        }
    }
}

/// The inventory of a target's copy, if that is whole.
fn whole(kept: Option<&Sharded>) -> Result<Option<Inventory>, NotLoaded> {
    let read = kept.map(Inventory::from_shards).transpose();
    read.map_err(|error| NotLoaded::Damaged(error.to_string()))
}

fn cannot_be_read(refusal: &Refusal) -> Held {
    Held::cluster(refusal.reason, format!("the inventory cannot be read: {refusal}"))
}

/// What came of saving.
pub(super) struct Saved {
    /// How many copies hold the inventory now.
    pub(super) copies: usize,
    /// What could not be written.
    pub(super) held: Vec<Held>,
}
