//! What sessions say to everybody is kept until the room has shown it (M13, design decision 20). What may have met a room
//! that the account was out of is stuck, and all that is said later with it. It goes up again only if it is certain
//! that the room has not taken it; else its sender is told.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::phase::{In, Stay};
use crate::config::limit;
use crate::event::SessionId;
use crate::lazy::can_be_empty;
use crate::room::history::is_historic;
use crate::turn::Turn;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::cost::Cost;
use crate::xmpp::delay::is_delayed;
use crate::xmpp::error::StanzaError;
use crate::xmpp::stanza::{Kept, Stanza};

/// What has been said and not been shown by the room, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outbox {
    said: VecDeque<Said>,
    cost: usize,
    /// Since when the first of those waits that went up.
    up_ms: Option<u64>,
    /// The same of those that are stuck.
    stuck_ms: Option<u64>,
    /// When it is asked again whether what is stuck can go up.
    ask_ms: u64,
}

/// A groupchat message of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    /// The id under which it went up.
    id: Box<str>,
    /// Nobody, once the session has ended.
    session: Option<SessionId>,
    stanza: Kept,
    since_ms: u64,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fate {
    /// It went up.
    Up,
    /// It went up, and has not come back for so long that a check was begun.
    Missed,
    /// Nobody can tell whether the room has taken it.
    Doubted { error: Option<Kept> },
    /// The room has not taken it.
    Untaken { error: Option<Kept> },
}

impl Fate {
    fn is_stuck(&self) -> bool {
        matches!(self, Self::Doubted { .. } | Self::Untaken { .. })
    }
}

impl Cost for Said {
    fn outside(&self) -> usize {
        let error = match &self.fate {
            Fate::Doubted { error } | Fate::Untaken { error } => error.as_ref().map_or(0, Cost::cost),
            Fate::Up | Fate::Missed => 0,
        };
        self.id.outside() + self.stanza.cost() + error
    }
}

impl Said {
    /// Whether a message from the account's own nick, with that origin-id, is this one by its id.
    fn is_named_by(&self, message: &Stanza, origin: Option<&str>) -> bool {
        message.id.as_deref() == Some(&self.id) || (origin.is_some() && origin_id(&self.stanza) == origin)
    }

    fn has_text_of(&self, message: &Stanza) -> bool {
        message.text_of("body") == self.stanza.text_of("body")
    }
}

can_be_empty!(Outbox);

impl Outbox {
    /// About how many bytes it costs.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Whether what is said has to wait.
    pub(super) fn has_stuck(&self) -> bool {
        self.stuck_ms.is_some()
    }

    /// Since when the first message has not come back.
    pub(super) fn missed_ms(&self) -> Option<u64> {
        Some(self.up_ms? + limit::REFLECTION_MS)
    }

    /// When those who wait are told.
    pub(super) fn over_ms(&self) -> Option<u64> {
        Some(self.stuck_ms? + limit::STUCK_MS)
    }

    /// When it is asked again whether what is stuck can go up.
    fn ask_ms(&self) -> Option<u64> {
        self.has_stuck().then_some(self.ask_ms)
    }

    /// What is stuck can't go up yet: the room is asked a little later.
    pub(super) fn ask_later(&mut self, turn: &Turn<'_>) {
        self.ask_ms = turn.after(limit::STUCK_ASK_MS);
    }

    /// A stream has ended. Of what is under way nobody can tell whether the room has taken it. True if something is.
    pub(super) fn doubt_under_way(&mut self, turn: &Turn<'_>) -> bool {
        let is_under_way = self.up_ms.is_some();
        if is_under_way {
            self.doubt(turn);
            self.ask_later(turn);
        }
        is_under_way
    }

    /// Nobody can tell any more what the room has taken. What it has not shown for long pends.
    pub(super) fn doubt(&mut self, turn: &Turn<'_>) {
        self.take(|said| said.fate == Fate::Missed && turn.since(said.since_ms) >= limit::STUCK_MS);
        for said in self.said.iter_mut().filter(|said| !said.fate.is_stuck()) {
            said.fate = Fate::Doubted { error: None };
        }
        self.note_firsts();
    }

    /// The room has not shown for long what went up.
    fn miss(&mut self) {
        for said in self.said.iter_mut().filter(|said| said.fate == Fate::Up) {
            said.fate = Fate::Missed;
        }
        self.up_ms = None;
    }

    /// The session has ended: nobody is told what becomes of its messages.
    pub(super) fn disown(&mut self, session: SessionId) {
        for said in self.said.iter_mut().filter(|said| said.session == Some(session)) {
            said.session = None;
        }
    }

    /// Adds a message; false if there is no space. For one that goes up, the oldest that went up make some. What is stuck
    /// waits to hear of those.
    fn add(&mut self, turn: &mut Turn<'_>, said: Said) -> bool {
        let cost = said.cost();
        let most = turn.most(self.cost, limit::OUTBOX_COST);
        while self.cost + cost > most {
            let oldest = self.said.iter().position(|said| !said.fate.is_stuck());
            let Some(oldest) = oldest.filter(|_| !said.fate.is_stuck()) else { return false };
            self.remove(oldest);
        }
        turn.note_waiting(cost);
        self.cost += cost;
        let first = if said.fate.is_stuck() { &mut self.stuck_ms } else { &mut self.up_ms };
        first.get_or_insert(said.since_ms);
        self.said.push_back(said);
        true
    }

    fn remove(&mut self, position: usize) -> Option<Said> {
        let said = self.said.remove(position)?;
        self.cost = self.cost.saturating_sub(said.cost());
        self.note_firsts();
        Some(said)
    }

    /// Remembers since when the first ones wait: it is asked for after each event.
    fn note_firsts(&mut self) {
        let since_ms = |is_wanted: fn(&Fate) -> bool| {
            self.said.iter().find(|said| is_wanted(&said.fate)).map(|said| said.since_ms)
        };
        (self.up_ms, self.stuck_ms) = (since_ms(|fate| *fate == Fate::Up), since_ms(Fate::is_stuck));
    }

    fn take(&mut self, wanted: impl Fn(&Said) -> bool) -> Vec<Said> {
        if self.said.is_empty() {
            return Vec::new();
        }
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.said).into_iter().partition(|said| wanted(said));
        self.cost = left.iter().map(Cost::cost).sum();
        self.said = left;
        self.note_firsts();
        taken.into()
    }

    /// The room has shown a message of the account: it has taken it.
    pub(super) fn note_shown(&mut self, message: &Stanza, keeps_ids: bool) {
        let by_text = || self.said.iter().position(|said| !keeps_ids && said.has_text_of(message));
        let origin = origin_id(message);
        let position = self.said.iter().position(|said| said.is_named_by(message, origin)).or_else(by_text);
        position.and_then(|position| self.remove(position));
    }

    /// A message came back with an error. It is stuck if the room itself says that the account is out, or if it did not
    /// get so far; else it is done with, as it is with an error that is too large to be kept.
    fn note_refused(&mut self, error: &Stanza) -> bool {
        let went_up = |said: &Said| said.fate != Fate::Untaken { error: None };
        let is_refused = |said: &Said| went_up(said) && error.id.as_deref() == Some(&said.id);
        let Some(position) = self.said.iter().position(is_refused) else { return false };
        let has_space = self.cost + Kept::own(error.clone()).cost() <= limit::OUTBOX_COST;
        let fate = match error.error_condition().filter(|_| has_space) {
            Some("not-acceptable") => Fate::Untaken { error: Some(Kept::own(error.clone())) },
            Some("remote-server-not-found" | "remote-server-timeout") => {
                Fate::Doubted { error: Some(Kept::own(error.clone())) }
            }
            _ => {
                self.remove(position);
                return false;
            }
        };
        if let Some(said) = self.said.get_mut(position) {
            said.fate = fate;
        }
        self.cost = self.said.iter().map(Cost::cost).sum();
        self.note_firsts();
        true
    }
}

impl Stay {
    /// When the room is asked again whether the account is in, so that what is stuck can go up.
    pub(super) fn stuck_ask_ms(&self) -> Option<u64> {
        let is_asked = self.loss.is_some() || self.check.is_some() || self.gap.is_filling();
        self.outbox.ask_ms().filter(|_| !is_asked)
    }
}

impl In<'_> {
    /// The room is asked again, unless its service is known to be out of reach.
    pub(super) fn ask_for_stuck(&mut self, turn: &mut Turn<'_>) {
        self.stay.outbox.ask_later(turn);
        if !turn.services.troubles.is_out(self.base.me.room.domain()) {
            self.stay.check(turn, &self.base.me);
        }
    }

    /// The room has shown a message of the account, live or from its past. One of the past may be much older than all
    /// that is awaited; what comes live under an id of the room's own is what was said first with that text.
    pub(super) fn note_said(&mut self, message: &Stanza) {
        self.stay.outbox.note_shown(message, self.stay.own.reflects_ids && is_delayed(message));
    }

    /// Keeps what a session says to everybody. True if it is stuck and must not go up.
    pub(super) fn keep_said(
        &mut self,
        turn: &mut Turn<'_>,
        session: Option<SessionId>,
        id: &str,
        stanza: &Stanza,
    ) -> bool {
        let is_down = turn.services.troubles.is_down(self.base.me.room.domain());
        let is_in_vain = is_down && !self.stay.outbox.said.is_empty(); // one tries the way for all
        let is_stuck = is_in_vain || self.stay.loss.is_some() || self.stay.outbox.has_stuck();
        let fate = if is_stuck { Fate::Untaken { error: None } } else { Fate::Up };
        let (id, stanza, since_ms) = (id.into(), Kept::own(stanza.clone()), turn.now.monotonic_ms);
        let is_kept =
            self.stay.outbox.add(turn, Said { id, session, stanza: stanza.clone(), since_ms, fate });
        if let (true, false, Some(session)) = (is_stuck, is_kept, session) {
            turn.refuse(&self.base.me.room, session, &stanza, StanzaError::OVER_LIMIT);
        }
        is_stuck
    }

    /// Takes an error for a message that may have met a room that the account is out of; false if it is for its sender.
    pub(super) fn is_stuck_by(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let before = self.stay.outbox.cost();
        if !self.stay.outbox.note_refused(error) {
            return false;
        }
        turn.note_growth(before, self.stay.outbox.cost());
        self.stay.outbox.ask_later(turn);
        self.stay.suspect(turn, &self.base.me);
        let is_meant = error.error_condition() == Some("not-acceptable");
        if is_meant && self.stay.check.is_none() && self.stay.loss.is_none() {
            self.found_still_in(turn); // it has just been asked
        }
        true
    }

    /// The room has not shown a message for long: is the account in?
    pub(super) fn miss_reflection(&mut self, turn: &mut Turn<'_>) {
        self.stay.outbox.miss();
        self.stay.suspect(turn, &self.base.me);
    }

    /// The account is in, and has been all the time. What the room does not show pends; what it refused it meant so; of
    /// what may have been lost on its way the room's archive knows more.
    pub(super) fn found_still_in(&mut self, turn: &mut Turn<'_>) {
        self.stay.outbox.take(|said| said.fate == Fate::Missed);
        let refused = self.stay.outbox.take(|said| matches!(said.fate, Fate::Untaken { error: Some(_) }));
        let is_doubted = self.stay.outbox.has_stuck();
        for said in refused {
            self.tell_unsent(turn, said);
        }
        if is_doubted {
            self.open_gap(turn);
            self.fill_gap(turn);
        }
    }

    /// The account is in, and all that the room has taken has been shown if it `is_certain`: what is stuck goes up, or its
    /// sender is told.
    pub(super) fn send_again(&mut self, turn: &mut Turn<'_>, is_certain: bool) {
        if self.stay.loss.is_some() {
            return;
        }
        for said in self.stay.outbox.take(|said| said.fate.is_stuck()) {
            let is_certain = is_certain && is_historic(&said.stanza); // an archive shows nothing else
            if is_certain || matches!(said.fate, Fate::Untaken { .. }) {
                self.base.senders.forget(&said.id);
                self.release(turn, said.session, &said.stanza);
            } else {
                self.tell_unsent(turn, said);
            }
        }
    }

    /// What is stuck is not sent any more: of one session, or of all.
    pub(super) fn refuse_unsent(&mut self, turn: &mut Turn<'_>, of: Option<SessionId>) {
        let is_meant = |said: &Said| said.fate.is_stuck() && (of.is_none() || said.session == of);
        for said in self.stay.outbox.take(is_meant) {
            self.tell_unsent(turn, said);
        }
    }

    fn tell_unsent(&mut self, turn: &mut Turn<'_>, said: Said) {
        self.base.senders.forget(&said.id);
        let Some(session) = said.session else { return };
        match said.fate {
            Fate::Doubted { error: Some(error) } | Fate::Untaken { error: Some(error) } => {
                turn.deliver(session, Stanza::clone(&error).id(said.stanza.id.as_deref()));
            }
            Fate::Up | Fate::Missed | Fate::Doubted { .. } | Fate::Untaken { .. } => {
                turn.about_earlier(|turn| {
                    turn.refuse(&self.base.me.room, session, &said.stanza, StanzaError::TIMEOUT);
                });
            }
        }
    }
}

/// The id that its author gave a message (XEP-0359).
fn origin_id(stanza: &Stanza) -> Option<&str> {
    stanza.find("origin-id", NS_STANZA_ID)?.attribute("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r7_an_error_that_is_too_large_is_not_kept() {
        let refused = |text: &str| {
            let said = Said {
                id: "m1".into(),
                session: None,
                stanza: Kept::own(Stanza::from_xml("<message type='groupchat' id='m1'/>").unwrap()),
                since_ms: 0,
                fate: Fate::Up,
            };
            let mut outbox = Outbox { cost: said.cost(), said: [said].into(), ..Outbox::default() };
            let xml = format!(
                "<message type='error' id='m1'><body>{text}</body><error type='cancel'>\
                 <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
            );
            let is_stuck = outbox.note_refused(&Stanza::from_xml(&xml).unwrap());
            (is_stuck, outbox.has_stuck(), outbox.said.len())
        };
        assert_eq!(refused("hello"), (true, true, 1));
        assert_eq!(refused(&"x".repeat(limit::OUTBOX_COST)), (false, false, 0));
    }
}
