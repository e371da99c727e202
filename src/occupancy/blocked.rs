//! Blocked occupants (XEP-0191): the copy follows them, sessions see nothing of them, and nothing bounces.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use crate::event::Verdict;
use crate::turn::Turn;
use crate::xmpp::jid::{Jid, Nick};
use crate::xmpp::muc::{MucUser, sets_subject, status};
use crate::xmpp::stanza::{Kept, Kind, PresenceType, Stanza};

/// Whom in this room the account blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blocked {
    /// The room, or its service.
    room: bool,
    nicks: BTreeSet<Nick>,
}

impl Blocked {
    /// Whether nobody in the room is blocked.
    pub(super) fn is_empty(&self) -> bool {
        !self.room && self.nicks.is_empty()
    }

    /// Whether the sender of a stanza of the room is not to be seen.
    pub(super) fn hides(&self, stanza: &Stanza) -> bool {
        self.room
            || (!self.nicks.is_empty() && stanza.sender_nick().is_some_and(|nick| self.nicks.contains(&nick)))
    }

    /// Whether whoever has that nick is not to be seen.
    pub(super) fn hides_nick(&self, nick: &str) -> bool {
        self.room || self.nicks.iter().any(|blocked| blocked.as_str() == nick)
    }
}

impl Occupancy {
    /// Takes in the block list. A blocked room is left. Occupants that are blocked no longer are shown again
    /// (R2).
    pub(crate) fn note_blocked(&mut self, turn: &mut Turn<'_>, blocked: &[Jid]) {
        let room = &self.me.room;
        let is_room = |jid: &Jid| jid.as_str() == room.as_str() || jid.as_str() == room.domain();
        let nicks = blocked.iter().filter(|jid| jid.bare() == room.as_str()).filter_map(Jid::nick).collect();
        let now = Blocked { room: blocked.iter().any(is_room), nicks };
        let before = std::mem::replace(&mut self.blocked, now);
        if self.blocked.room {
            self.abandon(turn);
            return;
        }
        for nick in before.nicks.difference(&self.blocked.nicks.clone()) {
            self.show_again(turn, nick);
        }
    }

    fn show_again(&mut self, turn: &mut Turn<'_>, nick: &Nick) {
        let known = self.room.roster.iter().find(|presence| presence.sender_nick().as_ref() == Some(nick));
        let presence = match known {
            Some(presence) => Stanza::clone(presence),
            None => crate::room::roster::gone(&self.me.room, nick),
        };
        for session in self.shown_sessions() {
            self.show(turn, session, presence.clone());
        }
    }

    /// Whether a stanza of the room is from somebody blocked. The account itself is not, whatever nick it takes.
    pub(super) fn is_of_blocked(&self, stanza: &Stanza) -> bool {
        let is_own = || {
            let is_presence = matches!(stanza.kind, Kind::Presence(_));
            let has_own_nick = self.stay().is_some() && stanza.sender_nick().as_ref() == Some(&self.me.nick);
            has_own_nick || (is_presence && MucUser::read(stanza).has(status::SELF))
        };
        self.is_occupied() && self.blocked.hides(stanza) && !is_own()
    }

    /// A stanza of somebody blocked: only what changes the room itself counts.
    pub(super) fn blocked_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        match stanza.kind {
            Kind::Iq(_) => return Verdict::Pass("the block list answers"),
            Kind::Presence(PresenceType::Available) => {
                self.room.fold_presence(stanza);
                if let Some(nick) = stanza.sender_nick() {
                    self.end_aliases(&nick);
                }
            }
            Kind::Presence(PresenceType::Unavailable) => {
                let occupant = MucUser::read(stanza);
                self.occupant_went(stanza, &occupant);
                self.note_gone(turn, stanza, &occupant);
            }
            Kind::Message(_) if sets_subject(stanza) => self.room.fold_subject(stanza, None),
            Kind::Presence(_) | Kind::Message(_) => {}
        }
        Verdict::Handled
    }
}
