//! What comes from the room, by the phase in which it comes, and by its kind.

use std::ops::ControlFlow;

use super::base::Base;
use super::past::Past;
use super::phase::{Entering, In, StillIn, StillJoining};
use crate::event::Verdict;
use crate::turn::Turn;
use crate::xmpp::stanza::{IqType, Kept, Kind, MessageType, PresenceType};

impl Past {
    /// A stanza of the room comes while the account is out.
    pub(super) fn take_in(&mut self, turn: &mut Turn<'_>, stanza: &Kept, base: &mut Base) -> Verdict {
        if base.subscription_refused(turn, stanza) {
            return Verdict::Handled;
        }
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => base.question_came(turn, stanza, None),
            Kind::Iq(IqType::Result | IqType::Error) => {
                base.query_answered(turn, stanza);
                Verdict::Handled
            }
            Kind::Message(MessageType::Error) => {
                base.message_refused(turn, stanza);
                Verdict::Handled
            }
            Kind::Presence(PresenceType::Other) => Verdict::Pass("a subscription"),
            Kind::Presence(PresenceType::Probe) => Verdict::Handled,
            Kind::Presence(_) | Kind::Message(_) => self.stray_came(turn, stanza, base),
        }
    }
}

impl Entering<'_> {
    /// A stanza of the room comes while the account joins.
    pub(super) fn take_in<'a>(&mut self, turn: &mut Turn<'_>, stanza: &'a Kept) -> StillJoining<'a, Verdict> {
        self.begin_copy();
        self.joining.note_sign_of_life(turn, stanza);
        if let Some(verdict) = self.base.refuse_blocked(stanza, false) {
            return ControlFlow::Continue(verdict);
        }
        if self.base.subscription_refused(turn, stanza) {
            return ControlFlow::Continue(Verdict::Handled);
        }
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => {
                let shown = self.joining.request.asked_by;
                return ControlFlow::Continue(self.base.question_came(turn, stanza, shown));
            }
            Kind::Iq(IqType::Result | IqType::Error) => {
                if !self.unseen_answered(turn, stanza) {
                    self.base.query_answered(turn, stanza);
                }
            }
            Kind::Message(MessageType::Error) => {
                self.base.message_refused(turn, stanza);
            }
            Kind::Message(_) => return self.message_came(turn, stanza),
            Kind::Presence(PresenceType::Other) => {
                return ControlFlow::Continue(Verdict::Pass("a subscription"));
            }
            Kind::Presence(PresenceType::Probe) => {}
            Kind::Presence(presence_type) => self.presence_came(turn, stanza, presence_type)?,
        }
        ControlFlow::Continue(Verdict::Handled)
    }
}

impl In<'_> {
    /// A stanza of the room comes while the account is in.
    pub(super) fn take_in<'a>(&mut self, turn: &mut Turn<'_>, stanza: &'a Kept) -> StillIn<'a, Verdict> {
        self.stay.trust.note_sign_of_life(turn, stanza);
        self.stay.note_room_is_there(turn, stanza);
        if let Some(verdict) = self.base.refuse_blocked(stanza, true) {
            return ControlFlow::Continue(verdict);
        }
        if self.base.subscription_refused(turn, stanza) {
            return ControlFlow::Continue(Verdict::Handled);
        }
        ControlFlow::Continue(match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) => {
                self.base.question_came(turn, stanza, self.stay.upstream.sent_by)
            }
            Kind::Iq(IqType::Result | IqType::Error) => {
                self.answer_came(turn, stanza)?;
                Verdict::Handled
            }
            Kind::Message(message_type) => self.message_came(turn, stanza, message_type),
            Kind::Presence(PresenceType::Other) => Verdict::Pass("a subscription"),
            Kind::Presence(PresenceType::Probe) => Verdict::Handled,
            Kind::Presence(presence_type) => {
                self.presence_came(turn, stanza, presence_type)?;
                Verdict::Handled
            }
        })
    }

    /// Ends every event while the account is in.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) {
        self.note_attendance(turn);
        self.answer_from_trust(turn);
        if self.base.trim_for_waiting(turn) {
            self.serve(turn);
        }
        self.release_older(turn);
        self.advance(turn);
    }
}
