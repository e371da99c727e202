//! Messages of the room while the account's join is under way: history, the subject, and a CAPTCHA (XEP-0045
//! §7.2.13, §7.2.15, XEP-0158).

use std::ops::ControlFlow;

use super::base::Base;
use super::phase::{Entering, StillJoining};
use crate::event::{Action, Id, Verdict};
use crate::sessions::Stage;
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::kinds::{is_for_the_account, is_worth_storing, may_answer_captcha};
use crate::xmpp::muc::{MucUser, sets_subject};
use crate::xmpp::stanza::{Kept, Kind, MessageType, Stanza};

impl Entering<'_> {
    pub(super) fn message_came<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
    ) -> StillJoining<'a, Verdict> {
        if stanza.sender_nick().is_none() {
            self.base.fold_flags(&MucUser::read(stanza));
        }
        let before_self = self.joining.entry.is_asked();
        match stanza.kind {
            Kind::Message(MessageType::Error) => {}
            Kind::Message(MessageType::Groupchat) if before_self && sets_subject(stanza) => {} // of an earlier stay
            Kind::Message(MessageType::Groupchat) if before_self => self.joining.keep_early(turn, stanza),
            Kind::Message(MessageType::Groupchat) => self.history_came(turn, stanza)?,
            Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => {
                return ControlFlow::Continue(self.other_message_came(turn, stanza));
            }
        }
        ControlFlow::Continue(Verdict::Handled)
    }

    /// Between our 110 and the subject every message is history, whoever its delay is from (H10).
    fn history_came<'a>(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> StillJoining<'a> {
        self.base.note_late_reflection(stanza);
        if delay::is_delayed(stanza) {
            self.joining.entry.answer_came(turn);
        }
        if !sets_subject(stanza) {
            self.base.take_in_history(turn, stanza);
            return ControlFlow::Continue(());
        }
        self.base.room.fold_subject(stanza, delay::stamp(stanza, &self.base.me.room));
        if self.joining.entry.is_let_in() { self.complete(turn, None) } else { ControlFlow::Continue(()) }
    }

    /// A private message waits for the subject (P3), a CAPTCHA does not (J27), an invitation is Prosody's, and what
    /// the room itself says before its occupants is for the session whose join went up (J23).
    fn other_message_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        let is_from_room = stanza.sender_nick().is_none();
        let comes_first = is_from_room && self.joining.entry.is_asked();
        if is_from_room && is_for_the_account(stanza) {
            return Verdict::Pass("an invitation or a notice");
        }
        if comes_first && may_answer_captcha(stanza) {
            self.joining.await_human(turn);
            let waiting = self.base.sessions.waiting();
            turn.relay(waiting.into_iter().map(|session| (session, Id::Keep)).collect());
        } else if comes_first {
            match self.joining.request.asked_by {
                Some(session) => self.base.keep_versions_for(turn, session, stanza),
                None => self.joining.keep_early(turn, stanza),
            }
        } else {
            self.base.keep_for_waiting(turn, stanza);
        }
        Verdict::Handled
    }
}

impl Base {
    /// A message that went up before a leave has come back: no error for it will follow (M5).
    pub(super) fn note_late_reflection(&mut self, stanza: &Stanza) {
        let is_live = stanza.kind == Kind::Message(MessageType::Groupchat) && !delay::is_delayed(stanza);
        if is_live && stanza.sender_nick().as_ref() == Some(&self.me.nick) {
            self.senders.reflected(stanza.id.as_deref());
        }
    }

    fn keep_for_waiting(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        let mut is_kept = false;
        for (_, attachment) in self.sessions.iter_mut() {
            if let Stage::Waiting(ask) = &mut attachment.stage {
                is_kept |= ask.keep_for_later(turn, stanza);
            }
        }
        if !is_kept && is_worth_storing(stanza) {
            turn.act(Action::StoreOffline { stanza: None }); // nobody is left to be shown it (P4)
        }
    }
}
