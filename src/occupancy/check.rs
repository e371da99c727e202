//! Whether the account is still in: signs of life, trust, and the self-ping (XEP-0410).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::phase::{Ending, In, Phase, Stay, StillIn};
use crate::config::{Config, limit};
use crate::event::{Now, SessionId};
use crate::moment::Moment;
use crate::room::kinds::NS_DISCO_INFO;
use crate::sessions::identity::Identity;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::{Jid, Nick};
use crate::xmpp::muc::Departure;
use crate::xmpp::stanza::{Element, IqType, Kind, MessageType, PresenceType, Stanza};

/// The namespace of pings (XEP-0199).
pub(super) const NS_PING: &str = "urn:xmpp:ping";

/// For how long an answer may be given without asking the room (design decision 7).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trust {
    /// The last sign of life; nothing once the trust has ended.
    sign: Option<Moment>,
    /// When a check was last begun because of an error (K9).
    suspected: Option<Moment>,
    /// When the room was last heard of; nothing since a start.
    heard: Option<Moment>,
    /// When it was last asked in its turn among the rooms of its service (K10).
    pub(super) asked_ms: u64,
    /// Since when it waits for its turn to be asked.
    pub(super) awaits_turn: Option<Moment>,
}

/// A self-ping of the account, and who waits for its outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Check {
    id: Box<str>,
    pub(super) deadline_ms: u64,
    asks: Asks,
    pingers: Vec<Pinger>,
    /// Whether the room was asked in its turn, so that its answer tells how fast its service can be asked.
    pub(super) is_paced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asks {
    /// Whether our occupant JID is ours.
    Occupant,
    /// Whether the room exists (I4).
    Room,
}

/// A session that pings itself (I2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pinger {
    session: SessionId,
    id: Option<Box<str>>,
    to: Option<Jid>,
}

/// What an answer to a check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    In,
    Out,
    /// In under another nick, or there is no such room.
    WrongNickOrRoom,
    Unknown,
}

impl Check {
    /// About how many bytes those cost that wait for it.
    pub(super) fn cost(&self) -> usize {
        self.pingers.iter().map(Cost::cost).sum()
    }

    /// Asks once more, under the same id: whichever answer comes first counts.
    pub(super) fn repeat(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        self.asks = Asks::Occupant;
        self.deadline_ms = turn.after(limit::SELF_PING_MS);
        turn.send(self_ping(me, &me.nick, &self.id));
    }
}

impl Cost for Pinger {
    fn outside(&self) -> usize {
        self.id.outside() + self.to.outside()
    }
}

impl Trust {
    /// The room has just shown that it knows the account.
    pub(super) fn renewed(turn: &Turn<'_>) -> Self {
        let heard = Some(Moment::at(turn.now.monotonic_ms));
        Self { sign: heard, heard, ..Self::default() }
    }

    /// The account was in before a start. Unless the room shows that it still is, it is asked in its turn.
    pub(super) fn unheard(now: Now) -> Self {
        Self { awaits_turn: Some(Moment::at(now.monotonic_ms)), ..Self::default() }
    }

    fn renew(&mut self, turn: &Turn<'_>) {
        self.sign = Some(Moment::at(turn.now.monotonic_ms));
        self.heard = self.sign;
        self.awaits_turn = None;
    }

    /// When the room was last heard of; nothing since a start.
    pub(super) fn heard_ms(&self) -> Option<u64> {
        self.heard.map(Moment::ms)
    }

    /// Whether the room has not been heard of since then. What it said in that very millisecond may have been before.
    pub(super) fn is_unheard_since(&self, past_ms: u64) -> bool {
        self.heard_ms().is_none_or(|heard_ms| heard_ms <= past_ms)
    }

    /// When a silent room begins to wait for its turn to be asked (K10).
    pub(super) fn silent_ms(&self, config: &Config) -> Option<u64> {
        let last_ms = self.heard_ms().unwrap_or_default().max(self.asked_ms);
        Some(last_ms.saturating_add(config.check_ms?)).filter(|_| self.awaits_turn.is_none())
    }

    /// Any stanza but an error shows that the room knows the account.
    pub(super) fn note_sign_of_life(&mut self, turn: &Turn<'_>, stanza: &Stanza) {
        let is_error = matches!(
            stanza.kind,
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) | Kind::Iq(IqType::Error)
        );
        if !is_error {
            self.renew(turn);
        }
    }

    /// The last sign of life, if it can be trusted.
    pub(super) fn sign_ms(&self) -> Option<u64> {
        self.sign.map(Moment::ms)
    }

    pub(super) fn is_fresh(&self, turn: &Turn<'_>) -> bool {
        self.sign_ms().is_some_and(|sign_ms| turn.since(sign_ms) < turn.config.trust_ms)
    }

    pub(super) fn end(&mut self) {
        self.sign = None;
    }
}

/// A ping of the account to an occupant JID.
pub(super) fn self_ping(me: &Identity, nick: &Nick, id: &str) -> Stanza {
    let ping = Element::build("ping", NS_PING).done();
    me.question(IqType::Get, id, ping).to(me.room.occupant(nick))
}

impl Stay {
    /// An error says that the account may be out: the trust ends and one self-ping decides (K9).
    pub(super) fn suspect(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        if self.loss.is_some() {
            return;
        }
        self.trust.end();
        let is_recent = |since: Moment| turn.since(since.ms()) < limit::CHECK_PAUSE_MS;
        if !self.trust.suspected.is_some_and(is_recent) {
            self.trust.suspected = Some(Moment::at(turn.now.monotonic_ms));
            self.check(turn, me);
        }
    }

    /// Asks the room whether the account is in, unless that is being asked.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        if self.check.is_some() {
            return;
        }
        let id = turn.fresh_id();
        turn.send(self_ping(me, &me.nick, &id));
        let deadline_ms = turn.after(limit::SELF_PING_MS);
        let asks = Asks::Occupant;
        self.check = Some(Box::new(Check { id, deadline_ms, asks, pingers: Vec::new(), is_paced: false }));
    }

    /// A session pings the account's occupant JID: answered from trust, else by the room (I2).
    pub(super) fn pinged(&mut self, turn: &mut Turn<'_>, session: SessionId, ping: &Stanza, me: &Identity) {
        let pinger = Pinger { session, id: ping.id.clone(), to: ping.to.clone() };
        if self.trust.is_fresh(turn) || self.loss.is_some() {
            return pinger.answer(turn, None, me);
        }
        self.check(turn, me);
        let has_space = |check: &&mut Box<Check>| {
            check.cost() + pinger.cost() <= turn.most(check.cost(), limit::WISHES_COST)
        };
        match self.check.as_mut().filter(has_space) {
            Some(check) => {
                turn.note_waiting(pinger.cost());
                check.pingers.push(pinger);
            }
            None => pinger.answer(turn, Some(StanzaError::TIMEOUT), me),
        }
    }

    /// Answers all pings that wait for a check: with a result, or with that error.
    pub(super) fn answer_pingers(&mut self, turn: &mut Turn<'_>, error: Option<StanzaError>, me: &Identity) {
        for pinger in self.take_pingers(|_| true) {
            pinger.answer(turn, error, me);
        }
    }

    /// Answers the pings of a session that is no longer in.
    pub(super) fn refuse_pingers_of(&mut self, turn: &mut Turn<'_>, session: SessionId, me: &Identity) {
        for pinger in self.take_pingers(|pinger| pinger.session == session) {
            pinger.answer(turn, Some(StanzaError::NOT_JOINED), me);
        }
    }

    /// Forgets a session that waits for a check.
    pub(super) fn forget_pingers_of(&mut self, session: SessionId) {
        self.take_pingers(|pinger| pinger.session == session);
    }

    fn take_pingers(&mut self, wanted: impl Fn(&Pinger) -> bool) -> Vec<Pinger> {
        let pingers = self.check.as_mut().map(|check| &mut check.pingers);
        pingers.map(|pingers| pingers.extract_if(.., |pinger| wanted(pinger)).collect()).unwrap_or_default()
    }

    /// The finding of an answer, if it answers the check.
    fn finding(&self, answer: &Stanza) -> Option<(Asks, Finding)> {
        let check = self.check.as_ref().filter(|check| answer.id.as_deref() == Some(&check.id))?;
        Some((check.asks, finding(check.asks, answer)))
    }

    fn found_in(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        self.answer_pingers(turn, None, me);
        self.check = None;
        self.trust.renew(turn);
    }

    /// The nick may be wrong: does the room exist?
    fn ask_for_room(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        let Some(check) = &mut self.check else { return };
        check.id = turn.fresh_id();
        check.asks = Asks::Room;
        check.deadline_ms = turn.after(limit::SELF_PING_MS);
        let query = Element::build("query", NS_DISCO_INFO).done();
        turn.send(me.question(IqType::Get, &check.id, query));
    }
}

impl Occupancy {
    /// The stream to the room's service is being set up, or has been. Meanwhile its silence says nothing.
    pub(crate) fn note_reach(&mut self, turn: &Turn<'_>, is_reached: bool) {
        match &mut self.phase {
            Phase::Joining(joining) => joining.entry.note_reach(turn, is_reached),
            Phase::In(stay) => {
                stay.upstream.note_reach(turn, is_reached);
                if let Some(check) = &mut stay.check {
                    let patience_ms = if is_reached { limit::SELF_PING_MS } else { limit::JOIN_MOST_MS };
                    check.deadline_ms = turn.after(patience_ms);
                }
            }
            Phase::Out(_) => {}
        }
    }

    /// A stream with the room's service has ended: the next session that asks waits for a check (K9). Messages may be
    /// missing if it was the one by which the room speaks, and some were on their way.
    pub(crate) fn stream_lost(&mut self, turn: &mut Turn<'_>, in_peace: bool, is_incoming: bool) {
        if let Some(mut inside) = self.inside() {
            inside.stay.trust.end();
            let outbox = inside.stay.outbox.made_mut();
            let is_doubted = outbox.is_some_and(|outbox| outbox.doubt_under_way(turn));
            if is_incoming && (is_doubted || !in_peace) {
                inside.open_gap(turn);
            }
        }
    }
}

impl In<'_> {
    /// An error says that the account may be out (K9).
    pub(super) fn suspect(&mut self, turn: &mut Turn<'_>) {
        self.stay.suspect(turn, &self.base.me);
    }

    /// A sign of life that comes while a check is under way answers the sessions that wait for it. What the check
    /// finds is still awaited.
    pub(super) fn answer_from_trust(&mut self, turn: &mut Turn<'_>) {
        if self.stay.check.as_ref().is_some_and(|check| !check.pingers.is_empty())
            && self.stay.trust.is_fresh(turn)
        {
            self.stay.answer_pingers(turn, None, &self.base.me);
        }
    }

    /// Takes the answer to a check; false if it is none.
    pub(super) fn check_answered<'a>(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> StillIn<'a, bool> {
        let Some((asks, finding)) = self.stay.finding(answer) else { return ControlFlow::Continue(false) };
        self.stay.note_pace(turn, &self.base.me);
        match finding {
            Finding::In => {
                self.stay.found_in(turn, &self.base.me);
                let is_back = self.stay.loss.is_some();
                if asks == Asks::Room || self.stay.loss.is_some() {
                    self.base.forget_current(); // the account has another nick there, or has been out
                    self.stay.upstream.wish_resync();
                }
                if !is_back {
                    self.found_still_in(turn);
                }
            }
            Finding::Out if asks == Asks::Room => {
                return ControlFlow::Break(Ending::Lost(Departure::Technical, None)); // it is gone
            }
            Finding::Out => self.lost(turn, Departure::Technical)?,
            Finding::WrongNickOrRoom => self.stay.ask_for_room(turn, &self.base.me),
            Finding::Unknown => self.found_nothing(turn),
        }
        ControlFlow::Continue(true)
    }

    /// The check has found nothing. An outage is no removal (K5): waiting sessions get an error, and the
    /// account stays. A sign of life that came meanwhile counts as an answer.
    pub(super) fn found_nothing(&mut self, turn: &mut Turn<'_>) {
        self.stay.outbox.ask_later(turn);
        self.stay.note_pace(turn, &self.base.me);
        self.stay.outbox.doubt(turn); // also if the room is heard: it may not hear us
        if self.stay.trust.is_fresh(turn) {
            return self.stay.found_in(turn, &self.base.me);
        }
        self.stay.answer_pingers(turn, Some(StanzaError::TIMEOUT), &self.base.me);
        self.stay.check = None;
        self.base.time_out_waiting(turn, Some(&mut *self.stay));
    }
}

impl Pinger {
    fn answer(self, turn: &mut Turn<'_>, error: Option<StanzaError>, me: &Identity) {
        let kind = if error.is_some() { IqType::Error } else { IqType::Result };
        let mut answer = Stanza::new(Kind::Iq(kind)).id(self.id.as_deref());
        answer.from = self.to;
        answer.children.extend(error.map(|error| error.element(me.room.as_str())));
        turn.deliver(self.session, answer);
    }
}

/// Whether the answer to a ping of an occupant JID says that it is the account's.
pub(super) fn says_in(answer: &Stanza) -> bool {
    finding(Asks::Occupant, answer) == Finding::In
}

/// XEP-0410 §3.2.
fn finding(asks: Asks, answer: &Stanza) -> Finding {
    if answer.kind == Kind::Iq(IqType::Result) {
        return Finding::In;
    }
    match (answer.error_condition(), asks) {
        (Some("service-unavailable" | "feature-not-implemented"), Asks::Occupant) => Finding::In,
        (Some("not-acceptable" | "not-allowed" | "bad-request"), Asks::Occupant)
        | (Some("item-not-found" | "gone"), Asks::Room) => Finding::Out,
        (Some("item-not-found"), Asks::Occupant) => Finding::WrongNickOrRoom,
        (Some(_) | None, Asks::Occupant | Asks::Room) => Finding::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn finds(asks: Asks, condition: &str, expected: Finding) {
        let xml = format!(
            "<iq type='error'><error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
        assert_eq!(finding(asks, &Stanza::from_xml(&xml).unwrap()), expected, "{condition}");
    }

    #[test]
    fn i4_k5_an_error_says_in_out_or_nothing() {
        finds(Asks::Occupant, "service-unavailable", Finding::In);
        finds(Asks::Occupant, "feature-not-implemented", Finding::In);
        finds(Asks::Occupant, "not-acceptable", Finding::Out);
        finds(Asks::Occupant, "bad-request", Finding::Out);
        finds(Asks::Occupant, "item-not-found", Finding::WrongNickOrRoom);
        finds(Asks::Occupant, "remote-server-not-found", Finding::Unknown);
        finds(Asks::Room, "item-not-found", Finding::Out);
        finds(Asks::Room, "remote-server-timeout", Finding::Unknown);
    }
}
