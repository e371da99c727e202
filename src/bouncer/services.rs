//! What is known of each room service: whether it takes accounts, and which of our rooms are there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::Now;
use crate::xmpp::jid::BareJid;

/// All services, by their domains.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Services {
    /// The direct services, and until when each counts as direct (design decision 1).
    direct: BTreeMap<String, u64>,
    /// Which account knows which room there.
    #[serde(skip)]
    rooms: BTreeMap<String, BTreeSet<(BareJid, BareJid)>>,
}

impl Services {
    /// Whether the sessions join the rooms of that room's service by themselves.
    pub(crate) fn is_direct(&self, now: Now, room: &BareJid) -> bool {
        self.direct.get(room.domain()).is_some_and(|until_ms| now.monotonic_ms < *until_ms)
    }

    /// The service of that room has turned out not to take accounts.
    pub(crate) fn note_direct(&mut self, now: Now, room: &BareJid) {
        self.direct.retain(|_, until_ms| now.monotonic_ms < *until_ms);
        if self.direct.len() < limit::DIRECT_SERVICES {
            self.direct.insert(room.domain().to_owned(), now.monotonic_ms + limit::DIRECT_MS);
        }
    }

    /// An account has to do with a room.
    pub(crate) fn add(&mut self, account: &BareJid, room: &BareJid) {
        self.rooms.entry(room.domain().to_owned()).or_default().insert((account.clone(), room.clone()));
    }

    /// An account has nothing to do with a room any more.
    pub(crate) fn remove(&mut self, account: &BareJid, room: &BareJid) {
        let Some(rooms) = self.rooms.get_mut(room.domain()) else { return };
        rooms.remove(&(account.clone(), room.clone()));
        if rooms.is_empty() {
            self.rooms.remove(room.domain());
        }
    }

    /// The rooms at a service, with the accounts that have to do with them.
    pub(crate) fn rooms_at(&self, domain: &str) -> Vec<(BareJid, BareJid)> {
        self.rooms.get(domain).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k9_a_service_knows_its_own_rooms_and_no_others() {
        let [alice, lounge, den, far] =
            ["alice@example.org", "lounge@rooms.example", "den@rooms.example", "lounge@far.example"]
                .map(BareJid::new);
        let mut services = Services::default();
        for room in [&lounge, &den, &far] {
            services.add(&alice, room);
        }
        services.remove(&alice, &den);
        assert_eq!(services.rooms_at("rooms.example"), [(alice.clone(), lounge.clone())]);
        services.remove(&alice, &lounge);
        services.remove(&alice, &lounge);
        assert!(services.rooms_at("rooms.example").is_empty());
        assert_eq!(services.rooms.len(), 1);
    }
}
