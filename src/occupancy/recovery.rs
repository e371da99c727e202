//! The account is out of a room though nobody has decided so, and comes back behind the backs of its sessions
//! (K3, K8, design decisions 9, 19). Meanwhile it stays in [`super::Phase::In`], and the sessions are told nothing.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::phase::{Ending, In, Stay, StillIn};
use super::stored::utc_of;
use crate::config::{MINUTE_MS, limit};
use crate::event::Action;
use crate::moment::Moment;
use crate::pace::spread;
use crate::trouble::Contact;
use crate::turn::Turn;
use crate::xmpp::error::may_pass;
use crate::xmpp::kinds::is_reply;
use crate::xmpp::muc::Departure;
use crate::xmpp::stanza::Stanza;

/// The account is out, and wants to be in again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Loss {
    since_ms: u64,
    /// When the room had last shown that it knew the account; nothing since a start.
    heard_ms: Option<u64>,
    /// How often it has been tried to come back.
    tries: u32,
    /// When it is tried next, if nothing says before that the room is there.
    next_ms: u64,
    /// Whether the sessions have been told.
    is_told: bool,
    /// Whether the account joins again when the room's turn has come.
    #[serde(default)]
    awaits_turn: bool,
}

impl Loss {
    /// A loss that has just been found.
    fn found(turn: &Turn<'_>, heard_ms: Option<u64>, next_ms: u64) -> Self {
        Self {
            since_ms: turn.now.monotonic_ms,
            heard_ms,
            tries: 0,
            next_ms,
            is_told: false,
            awaits_turn: false,
        }
    }

    /// A try begins; if it leads to nothing, the next one is later.
    fn note_try(&mut self, turn: &Turn<'_>, jitter: u64) {
        let pause_ms = (MINUTE_MS << self.tries.min(8)).min(limit::REJOIN_PAUSE_MOST_MS);
        self.tries += 1;
        self.next_ms = turn.after(with_jitter(pause_ms, jitter));
    }
}

impl Stay {
    /// When it is tried next to come back.
    pub(super) fn rejoin_ms(&self) -> Option<u64> {
        self.loss
            .as_ref()
            .filter(|_| self.check.is_none() && !self.upstream.is_resyncing())
            .map(|loss| loss.next_ms)
    }

    /// The room, or somebody in it, has sent something: if the account is out of it, it need not wait for long. An answer
    /// says only what the last try has come to.
    pub(super) fn note_room_is_there(&mut self, turn: &Turn<'_>, stanza: &Stanza) {
        if let Some(loss) = &mut self.loss
            && !is_reply(stanza.kind)
        {
            loss.next_ms = loss.next_ms.min(turn.after(limit::REJOIN_CALM_MS));
        }
    }

    /// The time of day since when messages may be missing, if the account is out or has just come back.
    pub(super) fn missing_since_ms(&self, turn: &Turn<'_>) -> Option<i64> {
        Some(utc_of(turn.now, self.loss.as_ref()?.heard_ms?))
    }

    /// When the sessions are told that the account is out (K3).
    pub(super) fn loss_told_ms(&self) -> Option<u64> {
        self.loss.as_ref().filter(|loss| !loss.is_told).map(|loss| loss.since_ms + limit::RECOVERY_MS)
    }

    /// Whether the account has been out of the room within the last hour.
    pub(super) fn was_lost_lately(&self, turn: &Turn<'_>) -> bool {
        self.lost.is_some_and(|lost| turn.since(lost.ms()) < limit::UNEXPLAINED_MS)
    }

    /// The turn of a room has come that has waited to be joined again; false if it has not.
    pub(super) fn joins_in_turn(&mut self) -> bool {
        let awaits_turn = self.loss.as_mut().is_some_and(|loss| std::mem::take(&mut loss.awaits_turn));
        if awaits_turn {
            self.upstream.wish_resync();
        }
        awaits_turn
    }

    /// Notes that the account is out. True if it may join again at once: a service that goes down is given time, and so
    /// is a room that throws the account out again and again. A room that was asked only answers.
    fn note_loss(&mut self, turn: &Turn<'_>, departure: Departure, jitter: u64) -> bool {
        let is_again = self.lost.replace(Moment::at(turn.now.monotonic_ms));
        let is_again = is_again.is_some_and(|lost| turn.since(lost.ms()) < limit::REJOIN_CALM_MS);
        let only_answers = self.loss.is_some() && self.check.is_some();
        let is_down = departure == Departure::Shutdown;
        let pause_ms = if is_down { limit::REJOIN_AFTER_SHUTDOWN_MS } else { MINUTE_MS };
        let next_ms = turn.after(with_jitter(pause_ms, jitter));
        let heard_ms = self.trust.heard_ms();
        self.loss.get_or_insert_with(|| Box::new(Loss::found(turn, heard_ms, next_ms)));
        !is_down && (only_answers || !is_again)
    }
}

/// A pause that is not the same for all rooms.
fn with_jitter(pause_ms: u64, jitter: u64) -> u64 {
    pause_ms + jitter % (pause_ms / 4)
}

impl In<'_> {
    /// The account is out. The room that has just said so is there: the account joins again. A service that goes down
    /// is given time, and then asked first. The leave of the last session needs no way back.
    pub(super) fn lost<'a>(&mut self, turn: &mut Turn<'_>, departure: Departure) -> StillIn<'a> {
        let jitter = self.base.jitter();
        if self.stay.attendance.leave_waits() {
            return ControlFlow::Break(Ending::Lost(departure, None));
        }
        log::debug!("{} is out of {} and comes back: {departure:?}", self.base.me.account, self.base.me.room);
        self.open_gap(turn);
        if !self.stay.upstream.awaits_join() {
            turn.act(Action::Drop { account: self.base.me.account.clone(), room: self.base.me.room.clone() });
        }
        if departure == Departure::Shutdown {
            turn.note_contact(Contact::Unreachable);
        }
        self.stay.trust.end();
        self.stay.answer_pingers(turn, None, &self.base.me);
        self.stay.outbox.doubt(turn);
        self.base.forget_current();
        let joins_at_once = self.stay.note_loss(turn, departure, jitter);
        self.stay.check = None;
        if !self.stay.upstream.awaits_join() {
            if joins_at_once {
                self.join_again(turn);
            }
            self.end_unanswered(turn);
        } // else it has crossed with what threw us out
        self.base.end_queries(turn);
        ControlFlow::Continue(())
    }

    /// The account joins again: at once if somebody is attached or waits, else when the room's turn has come.
    fn join_again(&mut self, turn: &mut Turn<'_>) {
        let me = &self.base.me;
        let waits = self.base.sessions.is_empty() && !turn.may_join(&me.account, &me.room);
        match &mut self.stay.loss {
            Some(loss) if waits => loss.awaits_turn = true,
            Some(_) | None => self.stay.upstream.wish_resync(),
        }
    }

    /// It is time to try again: a self-ping asks whether there is a room, and whether the account is out. A room that is
    /// gone is not made anew.
    pub(super) fn try_again(&mut self, turn: &mut Turn<'_>) {
        let jitter = self.base.jitter();
        if let Some(loss) = &mut self.stay.loss {
            loss.note_try(turn, jitter);
            if turn.services.troubles.is_out(self.base.me.room.domain()) {
                // the service is asked, and the room when its turn has come
                return self.base.time_out_waiting(turn, Some(&mut *self.stay));
            }
            self.stay.check(turn, &self.base.me);
        }
    }

    /// The room refuses to take the account back. It is asked again if that may pass; else the account is out, and its
    /// sessions are told at once (K3). A session that has asked to join is told why.
    pub(super) fn rejoin_refused<'a>(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> StillIn<'a> {
        let waiting = self.base.sessions.waiting();
        self.base.tell_refused(turn, error, waiting, Some(&mut *self.stay));
        if may_pass(error) {
            return ControlFlow::Continue(());
        }
        let departure = match error.error_condition() {
            Some("forbidden") => Departure::Banned,
            Some("registration-required") => Departure::MembersOnly,
            Some("gone" | "not-allowed") => Departure::Destroyed,
            _ => Departure::Unexplained,
        };
        ControlFlow::Break(Ending::Lost(departure, None))
    }

    /// The join that was to bring the account back has made the room anew. Unless a session wants it, nobody does
    /// (design decision 11), and the account leaves it.
    pub(super) fn note_made_anew<'a>(&mut self) -> StillIn<'a> {
        if self.stay.loss.is_none() {
            return ControlFlow::Continue(());
        }
        match self.base.sessions.asks_mut().next() {
            Some(ask) => ask.created = true,
            None => return ControlFlow::Break(Ending::Abandoned(Departure::Destroyed)),
        }
        ControlFlow::Continue(())
    }

    /// The sessions are told that the account is out. It goes on trying while something holds it in the room.
    pub(super) fn tell_loss(&mut self, turn: &mut Turn<'_>) {
        let own = self.stay.own.shown().clone();
        if let Some(loss) = &mut self.stay.loss {
            loss.is_told = true;
        }
        for session in self.base.shown_sessions() {
            let Some(attachment) = self.base.detach(turn, session, Some(&mut *self.stay)) else { continue };
            self.base.tell_removed(turn, session, &attachment, Some(&own), None);
            self.base.refuse_held(turn, session, attachment);
        }
    }

    /// The account is in, as everybody was told all the time.
    pub(super) fn recovered(&mut self) {
        if self.stay.loss.take().is_some() {
            log::debug!("{} is in {} again", self.base.me.account, self.base.me.room);
        }
    }
}

impl Base {
    fn jitter(&self) -> u64 {
        spread(&self.me.account, &self.me.room)
    }
}
