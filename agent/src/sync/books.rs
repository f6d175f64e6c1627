//! The inventory's keeping: on disk and in the target, the higher number wins, and what is lost is said.

use std::sync::Arc;

use cdn::document::HoldReason;

use crate::held::Held;
use crate::inventory::Inventory;
use crate::state::State;
use crate::target::{Claim, Target};

/// The inventory in memory, and what is known of its copies.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of a start")]
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
    loaded: bool,
    /// What the copies hold; none where a copy may hold something else.
    on_disk: Option<Inventory>,
    in_target: Option<Inventory>,
    /// Until one clean full pass nothing is deleted.
    pub(super) lost: bool,
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
            loaded: false,
            on_disk: None,
            in_target: None,
            lost: false,
        }
    }

    /// Makes sure that this is the right target, that no other agent works on it, and that the inventory is known. What
    /// is not known of other agents stops nothing (law L1): it is the answer.
    pub(super) async fn open(&mut self, target: &Target) -> Result<Option<Held>, Held> {
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
        let doubt = self.claim(target).await?;
        if !self.loaded {
            self.load(target).await?;
            self.loaded = true;
        }
        Ok(doubt)
    }

    /// Claims the target. What another agent writes to the inventory meanwhile is read anew once it is gone (law L7).
    async fn claim(&mut self, target: &Target) -> Result<Option<Held>, Held> {
        match target.claim(&self.claim).await {
            Ok(None) => Ok(None),
            Ok(Some(other)) => {
                self.loaded = false;
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

    async fn load(&mut self, target: &Target) -> Result<(), Held> {
        let here = self.state.with(State::inventory).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the copy of the inventory on disk is not used");
            None
        });
        let there = match target.load_inventory().await {
            Ok(Some(kept)) => Inventory::from_shards(&kept).map(Some).map_err(|error| error.to_string()),
            Ok(None) => Ok(None),
            // What is there and not whole is no inventory; to ask again would make it no better.
            Err(refusal) if refusal.reason == HoldReason::TrustLost => Err(refusal.message),
            Err(refusal) if !refusal.retry || here.is_some() => {
                tracing::warn!(error = %refusal, "the inventory in the target is not used");
                Ok(None)
            }
            Err(refusal) => {
                let message = format!("the inventory cannot be read: {refusal}");
                return Err(Held::cluster(refusal.reason, message));
            }
        };
        let damaged = there.is_err();
        let there = there.unwrap_or_else(|error| {
            tracing::warn!(error, "the inventory in the target is damaged and not used");
            None
        });
        let found = here.is_some() || there.is_some();
        let newest = [&here, &there].into_iter().flatten().max_by_key(|inventory| inventory.number);
        self.inventory = newest.cloned().unwrap_or_default();
        // An inventory without trusted state, or trusted state without an inventory: one of the two was lost.
        self.lost = if self.trusted { !found } else { damaged || !self.inventory.is_empty() };
        if self.lost {
            tracing::warn!("state was lost: nothing is deleted before one clean full pass");
        }
        (self.on_disk, self.in_target) = (here, there);
        Ok(())
    }

    /// Writes the inventory to disk and to the target where they hold another one. One copy is enough to go on; the
    /// hold says which one could not be written.
    pub(super) async fn save(&mut self, target: &Target) -> Saved {
        let same = |copy: &Option<Inventory>, now: &Inventory| {
            copy.as_ref().is_some_and(|copy| copy.services == now.services)
        };
        let (disk, cluster) = (same(&self.on_disk, &self.inventory), same(&self.in_target, &self.inventory));
        if disk && cluster {
            return Saved { copies: 2, held: Vec::new() };
        }
        let copies = [&self.on_disk, &self.in_target];
        let last = copies.into_iter().flatten().map(|copy| copy.number).max().unwrap_or(0);
        self.inventory.number = self.inventory.number.max(last) + 1;
        let mut saved = Saved { copies: 0, held: Vec::new() };
        if self.save_on_disk(&mut saved).await {
            saved.copies += 1;
        }
        if cluster || self.save_in_target(target, &mut saved).await {
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

/// What came of saving.
pub(super) struct Saved {
    /// How many copies hold the inventory now.
    pub(super) copies: usize,
    /// What could not be written.
    pub(super) held: Vec<Held>,
}
