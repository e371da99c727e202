//! The account joins while it is in, to see the room again (J8, H10).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Occupancy, Phase};
use crate::config::limit;
use crate::event::SessionId;
use crate::room::Room;
use crate::room::history;
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::muc::{MucUser, NS_MUC, sets_subject};
use crate::xmpp::stanza::{Element, Kept, Stanza};

/// A join while the account is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Resync {
    /// The occupants that have been shown again.
    seen: BTreeSet<Nick>,
    pub(super) entry: Entry,
    /// The session for which it asks for affiliation versions (J22).
    versions_for: Option<SessionId>,
}

impl Resync {
    pub(super) fn asked(turn: &Turn<'_>, room: &BareJid, versions_for: Option<SessionId>) -> Self {
        Self { seen: BTreeSet::new(), entry: Entry::asked(turn, room), versions_for }
    }
}

impl Occupancy {
    /// The payload of a resync. It asks for the messages since the newest one that is kept.
    pub(super) fn join_again(&self, turn: &Turn<'_>) -> Element {
        let history = Element::build("history", NS_MUC);
        let history = match self.room.history.newest_ms() {
            Some(newest_ms) => {
                history.attribute("since", &delay::format(newest_ms.saturating_sub(history::STAMP_SLACK_MS)))
            }
            None => history.attribute("maxstanzas", &turn.config.history.to_string()),
        };
        let x = Element::build("x", NS_MUC).child(history.done());
        match self.asks_versions().and_then(|session| self.version_asked(session)) {
            Some(version) => x.child(version).done(),
            None => x.done(),
        }
    }

    /// The resync that is under way.
    fn resync_mut(&mut self) -> Option<&mut Resync> {
        match &mut self.phase {
            Phase::In(stay) => stay.upstream.resync_mut(),
            Phase::Out(_) | Phase::Joining(_) => None,
        }
    }

    /// Keeps what the room says of versions to the session that the resync asks for; false if it says none.
    pub(super) fn versions_resynced(&mut self, turn: &mut Turn<'_>, stanza: &Stanza) -> bool {
        let Some(resync) = self.resync_mut().filter(|resync| resync.entry.is_asked()) else { return false };
        let Some(session) = resync.versions_for else { return false };
        let is_told = super::versions::tells_versions(stanza);
        if is_told {
            self.keep_versions_for(turn, session, stanza);
        }
        is_told
    }

    /// Notes that the room has shown an occupant again; true while it shows only those.
    pub(super) fn note_seen(&mut self, turn: &Turn<'_>, nick: Option<&Nick>) -> bool {
        let Some(resync) = self.resync_mut().filter(|resync| resync.entry.is_asked()) else { return false };
        resync.entry.touch(turn);
        if resync.seen.len() < limit::OCCUPANTS {
            resync.seen.extend(nick.cloned());
        }
        true
    }

    /// The room has shown its occupants again, and the account as the last. Occupants that it has not shown
    /// are gone (H10).
    pub(super) fn note_all_seen(&mut self, turn: &mut Turn<'_>, own: &Kept) {
        let Some(resync) = self.resync_mut().filter(|resync| resync.entry.is_asked()) else { return };
        resync.entry.own_came(turn, own, true);
        let seen = std::mem::take(&mut resync.seen);
        let nicks = self.room.roster.iter().filter_map(|presence| presence.sender_nick());
        let gone: Vec<Nick> = nicks.filter(|nick| !seen.contains(nick)).collect();
        for nick in gone {
            let presence = crate::room::roster::gone(&self.me.room, &nick);
            self.room.fold_unavailable(&Kept::own(presence.clone()), &MucUser::default());
            for session in self.shown_sessions() {
                self.show(turn, session, presence.clone());
            }
            self.note_gone(turn, &presence, &MucUser::default());
        }
    }

    /// The copy of the room is right again: waiting sessions are shown the room.
    pub(super) fn resynced(&mut self, turn: &mut Turn<'_>) {
        if let Phase::In(stay) = &mut self.phase {
            stay.upstream.end_resync();
        }
        self.room.outdated = false;
        self.serve(turn);
        self.forget_versions();
    }

    /// Takes in history and subject of a resync (H10). False if the message belongs to none.
    pub(super) fn groupchat_resynced(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        let Some(resync) = self.resync_mut() else { return false };
        if resync.entry.is_asked() && !delay::is_delayed(stanza) {
            return false;
        }
        if delay::is_delayed(stanza) {
            resync.entry.answer_came(turn);
        } else {
            resync.entry.touch(turn);
        }
        if sets_subject(stanza) {
            if !self.knows_subject(stanza) {
                self.room.fold_subject(stanza, None);
                self.relay(turn, stanza);
            }
            self.resynced(turn);
        } else if self.take_in_history(turn, stanza) {
            self.relay(turn, stanza);
        }
        true
    }

    /// Before the subject, a delayed message is history, however late it comes (H10). After the subject, a
    /// message that the room repeats answers a resync that was given up.
    pub(super) fn late_history_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        if !delay::is_delayed(stanza) {
            return false;
        }
        if self.room.subject.is_some() {
            return delay::is_by_room(stanza, &self.me.room) && self.is_told_again(turn, stanza);
        }
        if !sets_subject(stanza) && self.take_in_history(turn, stanza) {
            self.relay(turn, stanza);
        }
        !sets_subject(stanza)
    }

    fn is_told_again(&self, turn: &Turn<'_>, stanza: &Stanza) -> bool {
        if sets_subject(stanza) {
            return self.knows_subject(stanza);
        }
        let stamp_ms = Room::stamp(stanza, &self.me.room, turn.now);
        self.room.history.knows(stanza, stamp_ms, &self.me.room)
    }

    fn knows_subject(&self, stanza: &Stanza) -> bool {
        let text = |message: &Stanza| message.text_of("subject");
        self.room.subject.as_ref().is_some_and(|known| text(&known.message) == text(stanza))
    }
}
