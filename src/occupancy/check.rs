//! Whether the account is still in: signs of life, trust, and the self-ping (XEP-0410).

use serde::{Deserialize, Serialize};

use super::{Occupancy, Phase};
use crate::config::limit;
use crate::error::StanzaError;
use crate::event::SessionId;
use crate::identity::Identity;
use crate::jid::{Jid, Nick};
use crate::muc::Departure;
use crate::stanza::{Element, IqType, Kind, MessageType, PresenceType, Stanza};
use crate::turn::Turn;

/// The namespace of pings (XEP-0199).
pub(super) const NS_PING: &str = "urn:xmpp:ping";
const NS_DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";

/// For how long an answer may be given without asking the room (design decision 7).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trust {
    /// The last sign of life; nothing once the trust has ended.
    sign_ms: Option<u64>,
    /// When a check was last begun because of an error (K9).
    suspected_ms: Option<u64>,
}

/// A self-ping of the account, and who waits for its outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Check {
    id: Box<str>,
    pub(super) deadline_ms: u64,
    asks: Asks,
    pingers: Vec<Pinger>,
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

impl Trust {
    pub(super) fn renew(&mut self, turn: &Turn<'_>) {
        self.sign_ms = Some(turn.now.monotonic_ms);
    }

    pub(super) fn holds(&self, turn: &Turn<'_>) -> bool {
        self.sign_ms.is_some_and(|sign_ms| turn.since(sign_ms) < turn.config.trust_ms)
    }

    fn end(&mut self) {
        self.sign_ms = None;
    }
}

/// A ping of the account to an occupant JID.
pub(super) fn self_ping(me: &Identity, nick: &Nick, id: &str) -> Stanza {
    Stanza::new(Kind::Iq(IqType::Get))
        .from(me.account.to_jid())
        .to(me.room.occupant(nick))
        .id(Some(id))
        .child(Element::build("ping", NS_PING).done())
}

impl Occupancy {
    /// Everything but an error shows that the room knows the account.
    pub(super) fn note_sign_of_life(&mut self, turn: &Turn<'_>, stanza: &Stanza) {
        let is_error = matches!(
            stanza.kind,
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) | Kind::Iq(IqType::Error)
        );
        if let (false, Some(stay)) = (is_error, self.stay_mut()) {
            stay.trust.renew(turn);
        }
    }

    /// An error says that the account may be out: the trust ends and one self-ping decides (K9).
    pub(super) fn suspect(&mut self, turn: &mut Turn<'_>) {
        let Some(stay) = self.stay_mut() else { return };
        stay.trust.end();
        if stay.trust.suspected_ms.is_some_and(|since_ms| turn.since(since_ms) < limit::CHECK_PAUSE_MS) {
            return;
        }
        stay.trust.suspected_ms = Some(turn.now.monotonic_ms);
        self.check(turn);
    }

    /// What the room said before no longer shows that the account is in: who asks next waits for a check (K9).
    pub(crate) fn end_trust(&mut self) {
        if let Some(stay) = self.stay_mut() {
            stay.trust.end();
        }
    }

    /// Asks the room whether the account is in, unless that is being asked.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>) {
        let Phase::In(stay) = &mut self.phase else { return };
        if stay.check.is_some() {
            return;
        }
        let id = turn.fresh_id();
        turn.send(self_ping(&self.me, &self.me.nick, &id));
        let deadline_ms = turn.after(limit::SELF_PING_MS);
        stay.check = Some(Check { id, deadline_ms, asks: Asks::Occupant, pingers: Vec::new() });
    }

    /// A session pings the account's occupant JID: answered from trust, else by the room (I2).
    pub(super) fn pinged(&mut self, turn: &mut Turn<'_>, session: SessionId, ping: &Stanza) {
        let Some(stay) = self.stay() else { return };
        let pinger = Pinger { session, id: ping.id.clone(), to: ping.to.clone() };
        if stay.trust.holds(turn) {
            pinger.answer(turn, None, &self.me);
            return;
        }
        self.check(turn);
        let waits = self.stay_mut().and_then(|stay| stay.check.as_mut());
        match waits.filter(|check| check.pingers.len() < limit::PINGERS) {
            Some(check) => check.pingers.push(pinger),
            None => pinger.answer(turn, Some(StanzaError::TIMEOUT), &self.me),
        }
    }

    /// Takes the answer to a check; false if it is none.
    pub(super) fn check_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let Some(check) = self.stay().and_then(|stay| stay.check.as_ref()) else { return false };
        if answer.id.as_deref() != Some(&check.id) {
            return false;
        }
        match finding(check.asks, answer) {
            Finding::In => self.found_in(turn, check.asks == Asks::Room),
            Finding::Out => self.lose(turn, Departure::Technical, None),
            Finding::WrongNickOrRoom => self.ask_for_room(turn),
            Finding::Unknown => self.found_nothing(turn),
        }
        true
    }

    fn found_in(&mut self, turn: &mut Turn<'_>, nick_is_wrong: bool) {
        self.answer_pingers(turn, None);
        let Some(stay) = self.stay_mut() else { return };
        stay.check = None;
        stay.trust.renew(turn);
        if nick_is_wrong {
            stay.outdated = true;
            stay.upstream.wish_resync();
        }
    }

    fn ask_for_room(&mut self, turn: &mut Turn<'_>) {
        let id = turn.fresh_id();
        let deadline_ms = turn.after(limit::SELF_PING_MS);
        if let Some(check) = self.stay_mut().and_then(|stay| stay.check.as_mut()) {
            check.id.clone_from(&id);
            check.asks = Asks::Room;
            check.deadline_ms = deadline_ms;
        }
        let query = Stanza::new(Kind::Iq(IqType::Get))
            .from(self.me.account.to_jid())
            .to(self.me.room.to_jid())
            .id(Some(&id))
            .child(Element::build("query", NS_DISCO_INFO).done());
        turn.send(query);
    }

    /// Nobody knows: an outage is not a removal (K5). Whoever waits is told; the account stays. A sign of life
    /// that came meanwhile is as good as an answer.
    fn found_nothing(&mut self, turn: &mut Turn<'_>) {
        if self.stay().is_some_and(|stay| stay.trust.holds(turn)) {
            return self.found_in(turn, false);
        }
        self.answer_pingers(turn, Some(StanzaError::TIMEOUT));
        if let Some(stay) = self.stay_mut() {
            stay.check = None;
        }
        self.time_out_waiting(turn);
    }

    pub(super) fn expire_check(&mut self, turn: &mut Turn<'_>) {
        let due = self
            .stay()
            .and_then(|stay| stay.check.as_ref())
            .is_some_and(|check| turn.is_due(check.deadline_ms));
        if due {
            self.found_nothing(turn);
        }
    }

    /// Answers all who wait for a check: with a result, or with that error.
    pub(super) fn answer_pingers(&mut self, turn: &mut Turn<'_>, error: Option<StanzaError>) {
        let Some(check) = self.stay_mut().and_then(|stay| stay.check.as_mut()) else { return };
        for pinger in std::mem::take(&mut check.pingers) {
            pinger.answer(turn, error, &self.me);
        }
    }

    /// Answers one session that waits for a check and is no longer in.
    pub(super) fn answer_pingers_of(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        for pinger in self.take_pingers_of(session) {
            pinger.answer(turn, Some(StanzaError::NOT_JOINED), &self.me);
        }
    }

    pub(super) fn take_pingers_of(&mut self, session: SessionId) -> Vec<Pinger> {
        let Some(check) = self.stay_mut().and_then(|stay| stay.check.as_mut()) else { return Vec::new() };
        let (taken, rest) =
            std::mem::take(&mut check.pingers).into_iter().partition(|pinger| pinger.session == session);
        check.pingers = rest;
        taken
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
