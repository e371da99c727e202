//! A room that the account is not in: what stays remembered of it, and how its late stanzas are treated.

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::bookmark::Inquiry;
use crate::config::limit;
use crate::event::Verdict;
use crate::record::Departed;
use crate::room::shown::least;
use crate::turn::Turn;
use crate::xmpp::kinds::is_for_the_account;
use crate::xmpp::muc::{Departure, MucUser, NS_MUC_USER, status};
use crate::xmpp::stanza::{Kept, Kind, MessageType, PresenceType, Stanza};

/// What is remembered of a room that the account is not in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Past {
    /// When the account went out, if it was in.
    pub(super) left_ms: Option<u64>,
    /// Leaves of ours that the room has not answered (design decision 13).
    pub(super) unanswered: Option<Unanswered>,
    /// The presence of a join of ours that crossed with a removal: the room may let the account in for it.
    pub(super) crossed: Option<Kept>,
    /// The last self-presence: a session that believes that it is in is told with its occupant-id (J14).
    pub(super) own: Option<Kept>,
    /// Why and when the account went out for good: it left, or somebody decided so.
    pub(super) departed: Option<Departed>,
    /// A bookmark has the account join, if there is such a room.
    pub(super) inquiry: Option<Box<Inquiry>>,
}

/// The leaves that the room may still answer, each perhaps after the join that it ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Unanswered {
    leaves: u32,
    last_ms: u64,
}

impl Past {
    /// The account leaves.
    pub(super) fn await_answer(&mut self, turn: &Turn<'_>) {
        let leaves = self.unanswered.map_or(0, |unanswered| unanswered.leaves) + 1;
        self.unanswered = Some(Unanswered { leaves, last_ms: turn.now.monotonic_ms });
        self.crossed = None; // the leave is answered after it
    }

    /// The account is out for good.
    pub(super) fn note_departed(&mut self, turn: &Turn<'_>, why: Departure) {
        self.departed = Some(Departed { why, at_ms: turn.now.utc_ms });
    }

    /// The room says that the account has left.
    pub(super) fn leave_answered(&mut self) {
        self.unanswered = self.unanswered.filter(|unanswered| unanswered.leaves > 1);
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.leaves -= 1;
        }
    }

    /// Whether the room may still answer what it was asked before.
    pub(super) fn is_stale(&self) -> bool {
        self.unanswered.is_some() || self.crossed.is_some()
    }

    /// When it may be forgotten.
    pub(super) fn over_ms(&self) -> Option<u64> {
        let remembered = self.left_ms.map(|left_ms| left_ms + limit::REMEMBER_MS);
        let swallowed = self.unanswered.map(|unanswered| unanswered.last_ms + limit::SWALLOW_MS);
        remembered.into_iter().chain(swallowed).max()
    }

    /// Whether a session may still believe that it is in (J14).
    pub(super) fn is_remembered(&self, turn: &Turn<'_>) -> bool {
        self.left_ms.is_some_and(|left_ms| turn.since(left_ms) < limit::REMEMBER_MS)
    }

    /// Whether the room's stanzas are still swallowed (M8).
    pub(super) fn swallows(&self, turn: &Turn<'_>) -> bool {
        let unanswered_ms = self.unanswered.map(|unanswered| unanswered.last_ms);
        let since_ms = self.left_ms.into_iter().chain(unanswered_ms).max();
        since_ms.is_some_and(|since_ms| turn.since(since_ms) < limit::SWALLOW_MS)
    }
}

impl Past {
    /// While the account is out, only a self-presence matters: it is answered by a leave.
    pub(super) fn stray_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, base: &mut Base) -> Verdict {
        let may_be_a_contact = self.left_ms.is_none() && !speaks_as_room(stanza);
        if is_for_the_account_itself(stanza) || may_be_a_contact || !self.swallows(turn) {
            return Verdict::Pass("the account is not in the room");
        }
        let occupant = MucUser::read(stanza);
        let is_self = occupant.has(status::SELF);
        match stanza.kind {
            Kind::Presence(PresenceType::Unavailable) if is_self && !occupant.has(status::NICK_CHANGE) => {
                self.leave_answered();
                base.end_queries(turn);
            }
            Kind::Presence(PresenceType::Available) if is_self => {
                self.own = Some(least(stanza));
                if self.unanswered.is_none() {
                    self.await_answer(turn);
                    let leave = base.leave_stanza(turn, None);
                    turn.send(leave);
                }
            }
            Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => {}
        }
        base.note_late_reflection(stanza);
        Verdict::Handled
    }
}

/// Whether a message of the room is for the account whether or not it is in.
fn is_for_the_account_itself(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Message(_)) && stanza.sender_nick().is_none() && is_for_the_account(stanza)
}

/// Whether only a room sends such a stanza. A join may have been sent to a contact by mistake.
fn speaks_as_room(stanza: &Stanza) -> bool {
    let is_contact_like = matches!(
        stanza.kind,
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable)
            | Kind::Message(MessageType::Chat | MessageType::Normal)
    );
    !is_contact_like || stanza.has("x", NS_MUC_USER)
}
