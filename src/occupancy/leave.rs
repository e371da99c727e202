//! A session leaves, or ends; the last one out decides whether the account goes (XEP-0045 §7.14).

use serde::{Deserialize, Serialize};

use super::{Occupancy, Past, Phase};
use crate::config::{Config, limit};
use crate::error::StanzaError;
use crate::event::{Action, SessionId, Verdict};
use crate::jid::Jid;
use crate::muc::{Departure, MucUser};
use crate::room::Room;
use crate::self_presence::{client_payload, left};
use crate::sessions::{Attachment, is_nobody_there};
use crate::stanza::{Element, Kept, PresenceType, Stanza};
use crate::turn::Turn;

/// The leave of the last session, held back in case that session is only quitting (design decision 3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HeldLeave {
    session: SessionId,
    leave: Kept,
    pub(super) until_ms: u64,
    /// What occupants have said to the account alone since.
    private: Vec<Kept>,
}

impl Occupancy {
    /// A session sent `unavailable` to the room or to any occupant: a stock room asks for no more (L1).
    pub(super) fn leave_asked(&mut self, turn: &mut Turn<'_>, session: SessionId, leave: &Stanza) -> Verdict {
        let Some(attachment) = self.sessions.get(session) else {
            return Verdict::Handled; // L6: not joined, nothing to say
        };
        let answer = self.leave_answer(attachment, leave);
        log::debug!("{} leaves {}", attachment.jid, self.me.room);
        turn.deliver(session, answer);
        let Some(attachment) = self.sessions.detach(session) else { return Verdict::Handled };
        self.withdraw(turn, session);
        self.forget_waits(turn, session);
        self.release_held(turn, session, attachment);
        match &self.phase {
            Phase::Joining(_) if !self.sessions.is_empty() => {}
            Phase::Joining(_) => self.give_up_join(turn, leave),
            Phase::In(_) if !self.sessions.is_empty() => {}
            Phase::In(_) if self.room.roster.is_empty() => self.depart_with(turn, &client_payload(leave)),
            Phase::In(_) => self.hold_leave(turn, session, leave),
            Phase::Out(_) => {}
        }
        Verdict::Handled
    }

    /// Nobody waits for the account's join any more. What was said before goes up ahead of the leave: a room that
    /// answers late hears join, words and leave in this order from any client that does not wait (L7, M3).
    fn give_up_join(&mut self, turn: &mut Turn<'_>, leave: &Stanza) {
        let orphans = self.joining_mut().map(|joining| std::mem::take(&mut joining.orphans));
        self.release_orphans(turn, orphans.unwrap_or_default());
        self.depart_with(turn, &client_payload(leave));
    }

    /// A session that watches the service for activity only hides the room: it is answered as for a leave, and
    /// the account stays (L9).
    pub(crate) fn room_hidden(&mut self, turn: &mut Turn<'_>, session: SessionId, leave: &Stanza) -> Verdict {
        if let Some(verdict) = self.sent_directly(session, leave) {
            return verdict;
        }
        if let Some(attachment) = self.sessions.get(session) {
            let answer = self.leave_answer(attachment, leave);
            turn.deliver(session, answer);
            self.withdraw(turn, session);
            self.session_hides(turn, session);
        }
        Verdict::Handled
    }

    /// What a stock room answers to the leave of that session, from the nick that the session knows.
    fn leave_answer(&self, attachment: &Attachment, leave: &Stanza) -> Stanza {
        let addressed = leave.to.as_ref().and_then(Jid::nick);
        let by_alias = attachment.alias.as_ref().filter(|alias| addressed.as_ref() == Some(alias));
        let waiting = attachment.ask().map(|ask| &ask.nick);
        let nick = by_alias.or(waiting).unwrap_or(&self.me.nick);
        let nothing = Stanza::new(leave.kind);
        let own = self.room.own.as_deref().unwrap_or(&nothing);
        left(own, self.room.sent_payload(), &self.me.account, leave).from(self.me.room.occupant(nick))
    }

    fn hold_leave(&mut self, turn: &mut Turn<'_>, session: SessionId, leave: &Stanza) {
        let until_ms = turn.after(limit::LEAVE_HOLD_MS);
        let leave = Kept::own(leave.clone());
        if let Some(stay) = self.stay_mut() {
            stay.held_leave = Some(HeldLeave { session, leave, until_ms, private: Vec::new() });
        }
    }

    /// A private message while a leave is held counts as after it, unless the leave turns out to be none (L3);
    /// false if no leave is held.
    pub(super) fn keep_with_held_leave(&mut self, stanza: &Kept) -> bool {
        let Some(held) = self.stay_mut().and_then(|stay| stay.held_leave.as_mut()) else { return false };
        if held.private.len() < limit::LATER {
            held.private.push(stanza.share());
        }
        true
    }

    pub(super) fn holds_leave(&self) -> bool {
        self.stay().is_some_and(|stay| stay.held_leave.is_some())
    }

    /// The account stays; gives what was said to it alone meanwhile.
    pub(super) fn cancel_held_leave(&mut self) -> Vec<Kept> {
        let held = self.stay_mut().and_then(|stay| stay.held_leave.take());
        held.map(|held| held.private).unwrap_or_default()
    }

    /// A stanza of the account goes to the room while a leave is held: the leave goes first (L3).
    pub(super) fn release_held_leave(&mut self, turn: &mut Turn<'_>) {
        let Some(held) = self.stay_mut().and_then(|stay| stay.held_leave.take()) else { return };
        self.depart_with(turn, &client_payload(&held.leave));
    }

    pub(super) fn expire_held_leave(&mut self, turn: &mut Turn<'_>) {
        let due = self
            .stay()
            .and_then(|stay| stay.held_leave.as_ref())
            .is_some_and(|held| turn.is_due(held.until_ms));
        if due {
            self.release_held_leave(turn);
        }
    }

    /// The session has ended: what still comes for it reaches nobody, and misleads nobody.
    pub(crate) fn session_ended(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.take_pingers_of(session);
        self.session_hides(turn, session);
        self.senders.forget(session);
        self.queries.forget(session);
        self.archive.forget(session);
        if let Some(joining) = self.joining_mut() {
            joining.orphans.disown(session);
        }
    }

    /// The session hides from everybody: it is detached, and that is no leave (L4).
    pub(crate) fn session_hides(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.directs.note_end(turn, session);
        self.cancel_leave_of(turn, session);
        let Some(attachment) = self.sessions.detach(session) else { return };
        log::debug!("{} detaches from {}", attachment.jid, self.me.room);
        self.forget_waits(turn, session);
        self.release_held(turn, session, attachment);
    }

    /// Notes since when nobody is attached. While a leave is held that is not known yet.
    pub(super) fn note_detached(&mut self, turn: &Turn<'_>) {
        let is_empty = self.sessions.is_empty() && !self.holds_leave();
        let now_ms = turn.now.monotonic_ms;
        if let Some(stay) = self.stay_mut() {
            stay.detached_ms = is_empty.then(|| stay.detached_ms.unwrap_or(now_ms));
        }
    }

    /// The connection of a session broke; a leave that it has just sent was a quit.
    pub(crate) fn session_hibernated(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.cancel_leave_of(turn, session);
        if let Some(attachment) = self.sessions.get_mut(session) {
            attachment.hibernating = true;
        }
    }

    /// The stream of a session was resumed.
    pub(crate) fn session_resumed(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        if let Some(attachment) = self.sessions.get_mut(session) {
            attachment.hibernating = false;
            attachment.resumed_ms = Some(turn.now.monotonic_ms);
        }
    }

    /// The session was only quitting: nobody is there, and what was said to the account alone is stored (P4).
    fn cancel_leave_of(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let Some(stay) = self.stay_mut() else { return };
        let Some(held) = stay.held_leave.take_if(|held| held.session == session) else { return };
        for message in held.private {
            let message = Stanza::clone(&message).to(self.me.account.to_jid());
            turn.act(Action::StoreOffline { stanza: Some(Kept::own(message)) });
        }
    }

    /// Nothing of a session waits for the room any more.
    fn forget_waits(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.answer_pingers_of(turn, session);
        if let Some(stay) = self.stay_mut() {
            stay.upstream.forget(session);
            stay.probes.retain(|probe| !probe.is_of(session));
        }
    }

    /// The account leaves, without a word.
    pub(super) fn depart(&mut self, turn: &mut Turn<'_>, departure: Departure) {
        self.depart_as(turn, departure, &[]);
    }

    fn depart_with(&mut self, turn: &mut Turn<'_>, payload: &[Element]) {
        self.depart_as(turn, Departure::Left, payload);
    }

    fn depart_as(&mut self, turn: &mut Turn<'_>, departure: Departure, payload: &[Element]) {
        log::debug!("{} leaves {}", self.me.account, self.me.room);
        let leave = self.leave_stanza(turn, payload);
        self.answer_pingers(turn, Some(StanzaError::NOT_JOINED));
        self.refuse_orphans(turn);
        let was_in = matches!(self.phase, Phase::In(_));
        let before = match std::mem::replace(&mut self.phase, Phase::Out(Past::default())) {
            Phase::Joining(joining) => joining.past,
            Phase::Out(past) => past,
            Phase::In(_) => Past::default(),
        };
        let left = if was_in { Some((turn.now.monotonic_ms, departure)) } else { before.left };
        let own = self.room.own.take().or(before.own);
        let mut past = Past { left, unanswered: before.unanswered, crossed: None, own };
        past.await_answer(turn);
        self.phase = Phase::Out(past);
        self.room = Room::default();
        turn.send(leave);
    }

    /// A leave of the account, with what the session said at it.
    pub(super) fn leave_stanza(&self, turn: &mut Turn<'_>, payload: &[Element]) -> Stanza {
        let id = turn.fresh_id();
        self.me.presence(PresenceType::Unavailable, &id).children(payload.iter().cloned())
    }

    /// A leave is under way that the room has not answered.
    pub(super) fn await_answer(&mut self, turn: &Turn<'_>) {
        if let Phase::Out(past) = &mut self.phase {
            past.await_answer(turn);
        }
    }

    /// When the account goes because nobody came back, or is shown as away.
    pub(super) fn linger_deadline(&self, config: &Config) -> Option<u64> {
        let stay = self.stay()?;
        let detached_ms = stay.detached_ms?;
        let is_away = is_nobody_there(self.room.sent_payload());
        let away = (!is_away && !stay.upstream.is_busy() && stay.held_leave.is_none())
            .then_some(detached_ms.saturating_add(config.away_delay_ms));
        let gone = self.linger_ms(config).map(|linger_ms| detached_ms.saturating_add(linger_ms));
        away.into_iter().chain(gone).min()
    }

    /// For how long the account stays with nobody attached (design decision 2).
    fn linger_ms(&self, config: &Config) -> Option<u64> {
        let affiliation = self.room.own.as_ref().and_then(|own| MucUser::read(own).affiliation);
        match affiliation.as_deref() {
            None | Some("none") => config.linger_ms,
            Some(_) => config.linger_affiliated_ms,
        }
    }

    pub(super) fn expire_linger(&mut self, turn: &mut Turn<'_>) {
        let Some(detached_ms) = self.stay().and_then(|stay| stay.detached_ms) else { return };
        if self.linger_ms(turn.config).is_some_and(|linger_ms| turn.since(detached_ms) >= linger_ms) {
            self.depart(turn, Departure::Left);
        }
    }
}
