//! Who gets an object that several services want: one, and always the same one (FAULTS F13).

use std::collections::BTreeMap;

use cdn::{ObjectId, ServiceName};

use super::Input;
use crate::target::Seen;

/// Each wanted object's one service.
pub(super) type Claims = BTreeMap<ObjectId, ServiceName>;

/// Whoever owns it now, if it still wants it; else whoever had it in the inventory; else the first by name.
pub(super) fn claims(input: &Input<'_>) -> Claims {
    let mut claims = Claims::new();
    for (service, list) in &input.wishes.services {
        for id in list.objects.keys() {
            let better = match claims.get(id) {
                None => true,
                Some(holder) => rank(input, service, id) > rank(input, holder, id),
            };
            if better {
                claims.insert(id.clone(), service.clone());
            }
        }
    }
    claims
}

fn rank(input: &Input<'_>, service: &ServiceName, id: &ObjectId) -> u8 {
    let owns = owner(input, id) == Some(service);
    let had = input.inventory.entry(service, id).is_some_and(|entry| !entry.uid.is_unconfirmed());
    2 * u8::from(owns) + u8::from(had)
}

/// The service of this fleet whose mark the object carries.
pub(super) fn owner<'a>(input: &Input<'a>, id: &ObjectId) -> Option<&'a ServiceName> {
    match input.observed.get(id)? {
        Seen::Live(live) => live.owner.as_ref()?.owner_of(id, input.wanted.fleet),
        Seen::Missing | Seen::Unknown(_) => None,
    }
}
