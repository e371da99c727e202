//! Blocked occupants (XEP-0191): the copy follows them, sessions see nothing of them, and nothing bounces.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::phase::In;
use crate::event::Verdict;
use crate::sessions::{Sessions, Stage};
use crate::turn::Turn;
use crate::xmpp::jid::{Jid, Nick};
use crate::xmpp::muc::{MucUser, status};
use crate::xmpp::stanza::{Kept, Kind, MessageType, PresenceType, Stanza};

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
        self.room || self.nicks.contains(nick)
    }
}

impl Occupancy {
    /// Takes in the block list. A blocked room is left. Occupants that are blocked no longer are shown again
    /// (R2).
    pub(crate) fn note_blocked(&mut self, turn: &mut Turn<'_>, blocked: &[Jid]) {
        let room = &self.base.me.room;
        let is_room = |jid: &Jid| jid.as_str() == room.as_str() || jid.as_str() == room.domain();
        let nicks = blocked.iter().filter(|jid| jid.bare() == room.as_str()).filter_map(Jid::nick).collect();
        let now = Blocked { room: blocked.iter().any(is_room), nicks };
        let before = std::mem::replace(&mut self.base.blocked, now);
        if self.base.blocked.room {
            self.abandon(turn);
        } else if let Some(mut inside) = self.inside() {
            inside.hide_from_replays();
            for nick in before.nicks.difference(&inside.base.blocked.nicks.clone()) {
                inside.show_again(turn, nick);
            }
        }
    }
}

impl In<'_> {
    /// Takes out of all replays what is of somebody blocked.
    fn hide_from_replays(&mut self) {
        let mut sessions = std::mem::take(&mut self.base.sessions);
        for (_, attachment) in sessions.made_mut().into_iter().flat_map(Sessions::iter_mut) {
            if let Stage::Replaying(replay) = &mut attachment.stage {
                replay.retain(|stanza| !self.hides(stanza));
            }
        }
        self.base.sessions = sessions;
    }

    /// Shows how things stand with somebody who is blocked no longer, and what they have made the subject.
    fn show_again(&mut self, turn: &mut Turn<'_>, nick: &Nick) {
        let is_theirs = |stanza: &&Kept| stanza.sender_nick().as_ref() == Some(nick);
        let presence = match self.base.room.roster.get(nick) {
            Some(presence) => Stanza::clone(presence),
            None => crate::room::roster::gone(&self.base.me.room, nick),
        };
        let subject = self.base.room.subject_message(&self.base.me.room, |_| false);
        let subject =
            Some(subject).filter(|subject| is_theirs(&subject)).map(|subject| Stanza::clone(&subject));
        for session in self.base.shown_sessions() {
            for stanza in std::iter::once(&presence).chain(&subject) {
                self.show(turn, session, stanza.clone());
            }
        }
    }

    /// Whether a stanza of the room is of somebody blocked, and so shown to nobody.
    pub(super) fn hides(&self, stanza: &Stanza) -> bool {
        self.base.hides(stanza, true)
    }
}

impl Base {
    /// Whether a stanza of the room is of somebody blocked, and so shown to nobody. The account itself is not,
    /// whatever nick it takes, and an error is an answer.
    pub(super) fn hides(&self, stanza: &Stanza, is_in: bool) -> bool {
        let is_answer = matches!(
            stanza.kind,
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) | Kind::Iq(_)
        );
        self.blocked.hides(stanza) && !is_answer && !self.is_by_account(stanza, is_in)
    }

    fn is_by_account(&self, stanza: &Stanza, is_in: bool) -> bool {
        let is_presence = matches!(stanza.kind, Kind::Presence(_));
        let has_own_nick = is_in && stanza.sender_nick().as_ref() == Some(&self.me.nick);
        has_own_nick || (is_presence && MucUser::read(stanza).has(status::SELF))
    }

    /// What somebody blocked says to the account alone goes no further. All else is taken in, and then hidden.
    pub(super) fn refuse_blocked(&self, stanza: &Stanza, is_in: bool) -> Option<Verdict> {
        if !self.blocked.hides(stanza) || self.is_by_account(stanza, is_in) {
            return None;
        }
        match stanza.kind {
            Kind::Iq(_) => Some(Verdict::Pass("the block list answers")),
            Kind::Message(MessageType::Chat | MessageType::Normal) => Some(Verdict::Handled),
            Kind::Message(MessageType::Groupchat | MessageType::Error) | Kind::Presence(_) => None,
        }
    }
}
