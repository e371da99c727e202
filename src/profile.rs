//! What holds for an account in every room.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::bookmark::Bookmarks;
use crate::config::limit;
use crate::event::SessionId;
use crate::push::Rules;
use crate::xmpp::jid::{BareJid, Jid};

/// What holds for an account in every room.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Whom it blocks (XEP-0191): occupants, rooms, services.
    pub(crate) blocked: Vec<Jid>,
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
