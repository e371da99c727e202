//! What the binding asks before it reads a stanza: answered from addresses alone, so that what is none of our
//! business costs next to nothing.

use std::collections::BTreeSet;

use crate::bouncer::Bouncer;
use crate::event::SessionId;
use crate::occupancy::Occupancy;
use crate::xmpp::jid::{BareJid, Jid, bare_part};
use crate::xmpp::muc::MucUser;
use crate::xmpp::stanza::{Kind, MessageType, Stanza};

impl Bouncer {
    /// Whether a stanza from a session has to be handed to [`Bouncer::handle`]; `joins` says that it is a
    /// presence without `type` that carries `<x xmlns='…muc'/>`.
    pub fn concerns_client(&self, account: &str, to: &str, joins: bool) -> bool {
        joins || self.knows(account, to)
    }

    /// Whether a stanza to an account has to be handed to [`Bouncer::handle`].
    pub fn concerns_account(&self, account: &str, from: &str) -> bool {
        self.knows(account, from)
    }

    /// Who is shown a live groupchat message that could not be handed to [`Bouncer::handle`], or made it panic.
    pub fn fallback_receivers(&self, account: &str, from: &str) -> Vec<SessionId> {
        self.occupancy(account, from).into_iter().flat_map(Occupancy::fallback_receivers).collect()
    }

    /// Whether the account is in that room, or about to be.
    pub fn occupies(&self, account: &str, room: &str) -> bool {
        let rooms = self.state().accounts.get(account);
        rooms.and_then(|rooms| rooms.get(bare_part(room))).is_some_and(Occupancy::is_occupied)
    }

    /// The rooms at a service, with the accounts that have to do with them.
    pub(crate) fn rooms_at(&self, domain: &str) -> Vec<(BareJid, BareJid)> {
        let accounts = self.state().accounts.iter();
        let rooms = accounts.flat_map(|(account, rooms)| rooms.keys().map(move |room| (account, room)));
        let there = rooms.filter(|(_, room)| room.domain() == domain);
        there.map(|(account, room)| (account.clone(), room.clone())).collect()
    }

    /// Every account that blocks anybody, as far as it has been told.
    pub fn blocking_accounts(&self) -> Vec<String> {
        self.state().blocked.keys().map(ToString::to_string).collect()
    }

    /// Every room that some account is in or about to be.
    pub fn held_rooms(&self) -> Vec<String> {
        let rooms = self.state().accounts.values().flatten();
        let held: BTreeSet<&BareJid> =
            rooms.filter(|(_, occupancy)| occupancy.is_occupied()).map(|(room, _)| room).collect();
        held.into_iter().map(ToString::to_string).collect()
    }

    /// Whether a stanza to the full JID of a session has to be handed to [`Bouncer::handle`].
    pub fn concerns_session(&self, account: &str, from: &str) -> bool {
        self.occupancy(account, from).is_some_and(Occupancy::speaks_to_sessions)
    }

    /// Whether messages of that room to the account may be results of its archive, which nobody else may see.
    pub fn awaits_archive_results(&self, account: &str, from: &str) -> bool {
        self.occupancy(account, from).is_some_and(Occupancy::awaits_archive_results)
    }

    /// Whether a message is such a result.
    pub fn is_archive_result(&self, message: &Stanza) -> bool {
        let (Some(account), Some(room)) = (&message.to, &message.from) else { return false };
        let occupancy = self.occupancy(account.as_str(), room.as_str());
        occupancy.is_some_and(|occupancy| occupancy.is_archive_result(message))
    }

    /// Whether the account blocks that address of a room, so that nobody else may see what it sends.
    pub fn blocks(&self, account: &str, from: &str) -> bool {
        self.state().blocked.contains_key(account)
            && self.occupancy(account, from).is_some_and(|occupancy| occupancy.blocks(&Jid::new(from)))
    }

    /// Whether a message is an invitation into a room that the account is in, by somebody whom it blocks.
    /// Prosody may answer it with an error, for which the room would throw the account out (M7).
    pub fn is_blocked_invitation(&self, message: &Stanza) -> bool {
        let (Some(account), Some(room)) = (&message.to, &message.from) else { return false };
        let Some(blocked) = self.state().blocked.get(account.bare()) else { return false };
        if message.kind == Kind::Message(MessageType::Groupchat) {
            return false; // nobody answers it
        }
        let inviter = MucUser::inviter(message).filter(|_| self.occupies(account.bare(), room.bare()));
        inviter.is_some_and(|inviter| blocked.iter().any(|jid| jid.covers(&inviter)))
    }

    pub(crate) fn occupancy(&self, account: &str, room: &str) -> Option<&Occupancy> {
        self.state().accounts.get(account)?.get(bare_part(room))
    }

    pub(crate) fn knows(&self, account: &str, room: &str) -> bool {
        self.state().accounts.get(account).is_some_and(|rooms| rooms.contains_key(bare_part(room)))
    }
}
