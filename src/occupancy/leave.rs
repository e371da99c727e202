//! A session leaves; the last one out decides whether the account goes (XEP-0045 §7.14).

use super::Occupancy;
use super::base::Base;
use super::membership::{Attendance, WaitingLeave};
use super::past::Past;
use super::phase::{Entering, In, Phase, Stay};
use crate::config::limit;
use crate::event::{SessionId, Verdict};
use crate::room::own::left_unseen;
use crate::room::self_presence::client_payload;
use crate::room::shown::least;
use crate::sessions::Attachment;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::muc::Departure;
use crate::xmpp::stanza::{Kept, PresenceType, Stanza};

impl Occupancy {
    /// Whether the leave of the last session waits (design decision 3).
    pub(crate) fn leave_waits(&self) -> bool {
        self.stay().is_some_and(|stay| stay.attendance.leave_waits())
    }

    /// A session sent `unavailable` to the room or to any occupant: a stock room asks for no more (L1).
    pub(super) fn leave_asked(&mut self, turn: &mut Turn<'_>, session: SessionId, leave: &Stanza) -> Verdict {
        let Some(attachment) = self.base.sessions.get(session) else {
            return Verdict::Handled; // not joined, nothing to say (L6)
        };
        log::debug!("{} leaves {}", attachment.jid, self.base.me.room);
        let answer = self.leave_answer(attachment, leave);
        if let Some(mut inside) = self.inside() {
            inside.refuse_unsent(turn, Some(session));
        }
        turn.deliver(session, answer);
        let (base, stay) = self.parts();
        if let Some(attachment) = base.detach(turn, session, stay) {
            self.base.withdraw(turn, session);
            self.release_held(turn, session, attachment);
        }
        if !self.base.sessions.is_empty() {
            return Verdict::Handled;
        }
        match &mut self.phase {
            // From a client that does not wait, a slow room hears join, words and leave in this order (L7, M3).
            Phase::Joining(joining) => {
                Entering { joining, base: &mut self.base }.release_orphans(turn);
                self.leave(turn, Some(leave));
            }
            Phase::In(_) if self.base.room.roster.is_empty() => self.leave(turn, Some(leave)),
            Phase::In(stay) => {
                stay.attendance = Attendance::LeaveWaits(Box::new(WaitingLeave::new(turn, session, leave)));
            }
            Phase::Out(_) => {}
        }
        Verdict::Handled
    }

    /// A session that watches the service for activity only hides the room: it is answered as for a leave, and
    /// the account stays (L9).
    pub(crate) fn room_hidden(&mut self, turn: &mut Turn<'_>, session: SessionId, leave: &Stanza) -> Verdict {
        if let Some(verdict) = self.base.sent_directly(session, leave) {
            return verdict;
        }
        if let Some(attachment) = self.base.sessions.get(session) {
            let answer = self.leave_answer(attachment, leave);
            turn.deliver(session, answer);
            self.base.withdraw(turn, session);
            self.session_hides(turn, session);
        }
        Verdict::Handled
    }

    /// What a stock room answers to the leave of that session, from the nick that the session knows.
    fn leave_answer(&self, attachment: &Attachment, leave: &Stanza) -> Stanza {
        let addressed = leave.to.as_ref().and_then(Jid::nick);
        let by_alias = attachment
            .alias
            .as_ref()
            .map(|alias| &alias.nick)
            .filter(|alias| addressed.as_ref() == Some(alias));
        let waiting = attachment.ask().map(|ask| &ask.nick);
        let nick = by_alias.or(waiting).unwrap_or(&self.base.me.nick);
        let answer = match &self.phase {
            Phase::In(stay) => stay.own.left(&self.base.me.account, leave),
            Phase::Joining(joining) => match joining.own() {
                Some(own) => own.left(&self.base.me.account, leave),
                None => left_unseen(leave),
            },
            Phase::Out(_) => left_unseen(leave),
        };
        answer.from(self.base.me.room.occupant(nick))
    }

    /// The leave of the last session goes up, if it waits: nobody came back, or a stanza of the account follows it (L3).
    pub(crate) fn send_waiting_leave(&mut self, turn: &mut Turn<'_>) {
        let waiting = match &mut self.phase {
            Phase::In(stay) => stay.attendance.take_waiting_leave(|_| true),
            Phase::Out(_) | Phase::Joining(_) => None,
        };
        if let Some(waiting) = waiting {
            self.leave(turn, Some(&waiting.leave));
        }
    }

    /// The account leaves for good, with what a session said at its own leave.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, said: Option<&Stanza>) {
        self.depart(turn, Departure::Left, said);
        if let Phase::Out(past) = &mut self.phase {
            past.note_departed(turn, Departure::Left);
        }
    }

    /// The account leaves, with what a session said at its own leave.
    pub(super) fn depart(&mut self, turn: &mut Turn<'_>, departure: Departure, said: Option<&Stanza>) {
        log::debug!("{} leaves {}: {departure:?}", self.base.me.account, self.base.me.room);
        let leave = self.base.leave_stanza(turn, said);
        let mut past = self.become_past(turn);
        past.await_answer(turn);
        self.base.queries.hurry(turn.after(limit::QUERY_MS));
        self.enter(Phase::Out(Box::new(past)));
        turn.send(leave);
    }

    /// Ends a phase: refuses what has not gone up, answers the self-pings of its sessions, and gives what stays
    /// remembered.
    pub(super) fn become_past(&mut self, turn: &mut Turn<'_>) -> Past {
        match &mut self.phase {
            Phase::Out(past) => std::mem::take(&mut **past),
            Phase::Joining(joining) => {
                Entering { joining, base: &mut self.base }.refuse_orphans(turn);
                let past = std::mem::take(&mut joining.past);
                Past { own: joining.entry.own().map(least).or(past.own), ..past }
            }
            Phase::In(stay) => {
                In { stay, base: &mut self.base }.refuse_unsent(turn, None);
                stay.answer_pingers(turn, Some(StanzaError::NOT_JOINED), &self.base.me);
                Past {
                    left_ms: Some(turn.now.monotonic_ms),
                    unanswered: None,
                    crossed: stay.upstream.awaits_join().then(|| stay.own.sent.clone()),
                    own: Some(least(stay.own.shown())),
                    departed: None,
                    inquiry: None,
                }
            }
        }
    }
}

impl Stay {
    /// Keeps a private message that comes while a leave waits. It counts as sent after the leave, unless that
    /// was a quit (L3). False if no leave waits, or too much waits with it.
    pub(super) fn keep_with_waiting_leave(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        let waiting = self.attendance.waiting_leave();
        waiting.is_some_and(|waiting| turn.keep(&mut waiting.private, limit::LATER_COST, stanza.share()))
    }
}

impl Base {
    /// A leave of the account, with what a session said at its own.
    pub(super) fn leave_stanza(&self, turn: &mut Turn<'_>, said: Option<&Stanza>) -> Stanza {
        let id = turn.fresh_id();
        let mut leave = self.me.presence(PresenceType::Unavailable, &id);
        if let Some(said) = said {
            leave.attributes.clone_from(&said.attributes);
            leave.children = client_payload(said);
        }
        leave
    }
}
