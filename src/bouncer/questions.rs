//! Questions that the binding asks before it reads a stanza. Addresses alone answer them, so a stanza that
//! does not concern the module costs next to nothing.

use std::collections::BTreeSet;

use super::Bouncer;
use crate::event::{SessionId, ShownFor};
use crate::occupancy::Occupancy;
use crate::profile::Profile;
use crate::xmpp::jid::{BareJid, bare_part};
use crate::xmpp::muc::MucUser;
use crate::xmpp::stanza::{Kind, MessageType, PresenceType, Stanza};

impl Bouncer {
    /// Whether the account has to do with that room: a stanza between them has to be handed to
    /// [`Bouncer::handle`].
    pub fn concerns(&self, account: &str, room: &str) -> bool {
        self.occupancy(account, room).is_some()
    }

    /// Who is shown a live groupchat message that could not be handed to [`Bouncer::handle`], or made it panic.
    pub fn fallback_receivers(&self, account: &str, from: &str) -> Vec<SessionId> {
        self.occupancy(account, from).into_iter().flat_map(Occupancy::fallback_receivers).collect()
    }

    /// Whether the account is in that room, or about to be.
    pub fn occupies(&self, account: &str, room: &str) -> bool {
        self.occupancy(account, room).is_some_and(Occupancy::is_occupied)
    }

    /// Whether that occupant is the account itself: what it says to itself the room brings back.
    pub fn is_ourselves(&self, account: &str, occupant: &str) -> bool {
        self.occupancy(account, occupant).is_some_and(|occupancy| occupancy.is_ourselves(occupant))
    }

    /// Every account that blocks anybody, as far as it has been told.
    pub fn blocking_accounts(&self) -> Vec<String> {
        let accounts = self.state().accounts.iter();
        let blocking = accounts.filter(|(_, known)| !known.profile.blocked.is_empty());
        blocking.map(|(account, _)| account.to_string()).collect()
    }

    /// Every room that some account is in or about to be.
    pub fn occupied_rooms(&self) -> Vec<String> {
        let places = self.state().accounts.values().flat_map(|known| &known.rooms);
        let occupied: BTreeSet<&BareJid> =
            places.filter(|(_, place)| place.occupancy.is_occupied()).map(|(room, _)| room).collect();
        occupied.into_iter().map(ToString::to_string).collect()
    }

    /// In whose name other modules are shown a stanza of a room; nothing if the account has nothing to do with that
    /// room. Only few are read for that.
    pub fn shown_for(
        &self,
        [account, from]: [&str; 2],
        kind: Kind,
        read: impl FnOnce() -> Option<Stanza>,
    ) -> Option<ShownFor> {
        if let Kind::Presence(PresenceType::Probe | PresenceType::Other) = kind {
            return None; // Prosody's, whoever sends it
        }
        Some(self.occupancy(account, from)?.shown_for(from, kind, read))
    }

    /// Whether the account blocks that address of a room.
    pub fn blocks(&self, account: &str, from: &str) -> bool {
        self.occupancy(account, from).is_some_and(|occupancy| occupancy.blocks(from))
    }

    /// The session that was the last to stand for the account in that room.
    pub fn last_stand_in(&self, account: &str, from: &str) -> Option<String> {
        self.occupancy(account, from)?.last_stand_in().map(ToString::to_string)
    }

    pub(super) fn occupancy(&self, account: &str, room: &str) -> Option<&Occupancy> {
        let known = self.state().accounts.get(account)?;
        known.rooms.get(bare_part(room)).map(|place| &place.occupancy)
    }
}

/// Whether a message is an invitation by somebody whom the account blocks. Nobody answers one in groupchat.
pub(super) fn invites_for_blocked(profile: &Profile, message: &Stanza) -> bool {
    if profile.blocked.is_empty() || message.kind == Kind::Message(MessageType::Groupchat) {
        return false;
    }
    let inviter = MucUser::inviter(message);
    inviter.is_some_and(|inviter| profile.blocked.covers(&inviter))
}
