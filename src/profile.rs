//! What holds for an account in every room.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use serde::{Deserialize, Serialize};

use crate::bookmark::Bookmarks;
use crate::config::limit;
use crate::event::SessionId;
use crate::push::Rules;
use crate::xmpp::jid::{BareJid, Jid, bare_part};

/// What holds for an account in every room.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Whom it blocks (XEP-0191): occupants, rooms, services.
    pub(crate) blocked: BlockList,
    /// The hash of the avatar that it has published (XEP-0084): empty if that was taken away, nothing if there
    /// was none since the module was loaded.
    pub(crate) avatar: Option<String>,
    /// The bookmarks that have it join rooms (XEP-0402).
    pub(crate) bookmarks: Bookmarks,
    /// What they say of notifications (XEP-0492).
    pub(crate) rules: Rules,
    /// Whether it has a push service (XEP-0357).
    pub(crate) is_pushed: bool,
    /// The services that its sessions watch for activity (XEP-0437).
    watched: BTreeMap<SessionId, BTreeSet<BareJid>>,
}

impl Profile {
    /// Whether it says nothing that would be lost with it.
    pub(crate) fn is_blank(&self) -> bool {
        *self == Self { is_pushed: self.is_pushed, ..Self::default() }
    }

    /// Whether a session watches the service of a room, so that its leave only hides the room (L9).
    pub(crate) fn watches(&self, session: SessionId, room: &BareJid) -> bool {
        self.watched.get(&session).is_some_and(|services| services.contains(room.domain()))
    }

    /// Takes in whether a session watches a service.
    pub(crate) fn note_watches(&mut self, session: SessionId, service: BareJid, watches: bool) {
        let services = self.watched.entry(session).or_default();
        if !watches {
            services.remove(&service);
        } else if services.len() < limit::WATCHED_SERVICES {
            services.insert(service);
        }
        if services.is_empty() {
            self.watched.remove(&session);
        }
    }

    /// The session has ended.
    pub(crate) fn forget_session(&mut self, session: SessionId) {
        self.watched.remove(&session);
    }
}

/// Whom an account blocks, in the order of the addresses: who looks for some need not look at all.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlockList(BTreeSet<Jid>);

impl From<Vec<Jid>> for BlockList {
    fn from(blocked: Vec<Jid>) -> Self {
        Self(blocked.into_iter().collect())
    }
}

impl BlockList {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are the room, its service, or one of its occupants.
    pub(crate) fn about(&self, room: &BareJid) -> Vec<Jid> {
        let whole = [room.as_str(), room.domain()].into_iter().filter_map(|address| self.0.get(address));
        let (first, beyond) = (format!("{room}/"), format!("{room}0")); // what comes after a slash
        let occupants = self.0.range::<str, _>((Included(first.as_str()), Excluded(beyond.as_str())));
        whole.chain(occupants).cloned().collect()
    }

    /// Whether one of them is that address, its bare JID or its domain.
    pub(crate) fn covers(&self, address: &Jid) -> bool {
        let bare = bare_part(address.as_str());
        let domain = bare.split_once('@').map_or(bare, |(_, domain)| domain);
        [address.as_str(), bare, domain].iter().any(|address| self.0.contains(*address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_a_room_is_told_of_itself_its_service_and_its_occupants() {
        let about =
            ["lounge@rooms.example", "lounge@rooms.example/bob", "lounge@rooms.example/eve", "rooms.example"];
        let others =
            ["lounge@rooms.example-/bob", "lounge@rooms.example.org", "lounge@rooms.exampl/e", "example"];
        let list = BlockList::from(about.into_iter().chain(others).map(Jid::new).collect::<Vec<_>>());
        let mut told = list.about(&BareJid::new(about[0]));
        told.sort();
        assert_eq!(told, about.map(Jid::new));
    }

    #[test]
    fn r2_whoever_is_at_a_blocked_address_is_covered() {
        let list = BlockList::from(["bob@example.net", "evil.example"].map(Jid::new).to_vec());
        for (address, is_covered) in [
            ("bob@example.net", true),
            ("bob@example.net/desk", true),
            ("eve@evil.example/x", true),
            ("eve@example.net", false),
            ("example.net", false),
        ] {
            assert_eq!(list.covers(&Jid::new(address)), is_covered, "{address}");
        }
    }
}
