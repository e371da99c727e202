//! What the room says while the account's join is under way: history, the subject, and what asks for an
//! answer first (XEP-0045 §7.2.13, §7.2.15, XEP-0158).

use super::Occupancy;
use crate::delay::is_delayed;
use crate::event::{Action, Id, Verdict};
use crate::kinds::{is_for_the_account, is_worth_storing, may_answer_captcha};
use crate::muc::{MucUser, sets_subject};
use crate::room::Room;
use crate::sessions::Stage;
use crate::stanza::{Kept, Kind, MessageType, Stanza};
use crate::turn::Turn;

impl Occupancy {
    pub(super) fn message_while_joining(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        if stanza.sender_nick().is_none() {
            self.fold_flags(&MucUser::read(stanza));
        }
        let now_ms = turn.now.monotonic_ms;
        let Some(joining) = self.joining_mut() else { return Verdict::Handled };
        joining.touch(now_ms);
        let before_self = joining.is_unseen();
        match stanza.kind {
            Kind::Message(MessageType::Error) => {}
            Kind::Message(MessageType::Groupchat) if before_self && sets_subject(stanza) => {} // of an earlier stay
            Kind::Message(MessageType::Groupchat) if before_self => joining.keep_early(stanza),
            Kind::Message(MessageType::Groupchat) => self.history_came(turn, stanza),
            Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => {
                return self.other_message_while_joining(turn, stanza, before_self);
            }
        }
        Verdict::Handled
    }

    /// Between our 110 and the subject all is history, whoever its delay is from (H10).
    fn history_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        self.note_late_reflection(stanza);
        let stamp_ms = Room::stamp(stanza, &self.me.room, turn.now);
        if sets_subject(stanza) {
            self.room.fold_subject(stanza, None);
            if self.joining_mut().is_some_and(|joining| joining.is_let_in()) {
                self.complete(turn);
            }
        } else if !self.room.history.knows(stanza, stamp_ms, &self.me.room) {
            self.room.history.keep(stanza, stamp_ms, &self.me.room, turn.config);
        }
    }

    /// What was said before a leave and comes back after it is answered: no error will come (M5).
    pub(super) fn note_late_reflection(&mut self, stanza: &Stanza) {
        let is_live = stanza.kind == Kind::Message(MessageType::Groupchat) && !is_delayed(stanza);
        if is_live && stanza.sender_nick().as_ref() == Some(&self.me.nick) {
            self.senders.reflected(stanza.id.as_deref());
        }
    }

    /// A private message waits for the subject (P3), a CAPTCHA does not (J27), an invitation is Prosody's.
    fn other_message_while_joining(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        before_self: bool,
    ) -> Verdict {
        let is_from_room = stanza.sender_nick().is_none();
        if is_from_room && is_for_the_account(stanza) {
            return Verdict::Pass("an invitation or a notice");
        }
        let asked_by = self.joining_mut().map(|joining| joining.asked_by());
        if is_from_room && before_self && may_answer_captcha(stanza) {
            self.ask_for_answer(turn);
        } else if let (Some(session), true) = (asked_by, is_from_room && before_self) {
            self.keep_versions_for(session, stanza); // J23
        } else {
            self.keep_for_waiting(turn, stanza);
        }
        Verdict::Handled
    }

    fn ask_for_answer(&mut self, turn: &mut Turn<'_>) {
        if let Some(joining) = self.joining_mut() {
            joining.await_human(turn);
        }
        turn.relay(self.sessions.waiting().into_iter().map(|session| (session, Id::Keep)).collect());
    }

    fn keep_for_waiting(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        if self.sessions.is_empty() && is_worth_storing(stanza) {
            turn.act(Action::StoreOffline { stanza: None }); // P4
            return;
        }
        for (_, attachment) in self.sessions.iter_mut() {
            if let Stage::Waiting(ask) = &mut attachment.stage {
                ask.keep_for_later(stanza);
            }
        }
    }
}
