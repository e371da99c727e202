//! Somebody else leaves, or goes on under another nick: what is open with them ends, or goes along.
//!
//! A nick change that the room tells is no break in an occupant (N6). The room answers probes itself, in order
//! and under the nick that was asked for, so they go along with nobody.

use super::base::Base;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::{MucUser, status};
use crate::xmpp::stanza::Stanza;

impl Base {
    /// The room shows that an occupant is no longer there under that nick.
    pub(super) fn note_gone(&mut self, turn: &mut Turn<'_>, presence: &Stanza, occupant: &MucUser) {
        let Some(nick) = presence.sender_nick() else { return };
        let new = occupant.nick.as_deref().filter(|_| occupant.has(status::NICK_CHANGE));
        match (new, occupant.role.as_deref()) {
            (Some(new), _) => self.follow(&nick, &Nick::new(new)),
            (None, None | Some("none")) => self.end_with(turn, &nick),
            (None, Some(_)) => {} // the room only hides it
        }
    }

    /// An occupant goes on under another nick.
    pub(super) fn follow(&mut self, old: &Nick, new: &Nick) {
        self.queries.follow(old, new);
        self.senders.follow(old, new);
    }

    /// An occupant has left: it answers nothing any more.
    fn end_with(&mut self, turn: &mut Turn<'_>, nick: &Nick) {
        let unanswered = self.queries.end_with(nick);
        self.answer_for_peers(turn, unanswered, StanzaError::OCCUPANT_GONE);
    }
}
