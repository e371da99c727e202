//! A session asks after an occupant, and only that session is answered (XEP-0045 §17.3, RFC 6121 §4.3).

use serde::{Deserialize, Serialize};

use super::{Occupancy, Phase};
use crate::config::limit;
use crate::event::{Id, SessionId, Verdict};
use crate::pending::expiring::{Expiring, OfSession};
use crate::turn::Turn;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::{Kind, PresenceType, Stanza};

/// The probes of sessions that are not answered yet, by the nicks that they ask after (J11).
pub(super) type Probes = Expiring<Option<Nick>, Probe>;

/// A session's probe of an occupant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    session: SessionId,
    id: Option<Box<str>>,
}

impl OfSession for Probe {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
}

impl Occupancy {
    /// A probe goes up as the account; its answer is for that session only (J11).
    pub(super) fn probe_sent(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: Stanza) -> Verdict {
        if self.is_early(session) {
            self.hold(turn, session, &stanza);
            return Verdict::Handled;
        }
        let is_attached = self.sessions.has(session);
        match &mut self.phase {
            Phase::In(stay) if is_attached => {
                let probe = Probe { session, id: stanza.id.clone() };
                let deadline_ms = turn.after(limit::QUERY_MS);
                stay.probes.insert_within(limit::PINGERS, stanza.target_nick(), deadline_ms, probe);
                turn.send(stanza.from(self.me.account.to_jid()));
                Verdict::Handled
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => Verdict::Pass("a probe from outside"),
        }
    }

    pub(super) fn expire_probes(&mut self, turn: &Turn<'_>) {
        if let Phase::In(stay) = &mut self.phase {
            stay.probes.take_due(turn.now.monotonic_ms);
        }
    }

    /// Whether a presence only answers a probe, and so is for one session alone. A presence that says
    /// something new is for all: it may be no answer.
    pub(super) fn answers_probe(&mut self, turn: &mut Turn<'_>, presence: &Stanza) -> bool {
        let nick = presence.sender_nick();
        let is_probed = self.stay().is_some_and(|stay| stay.probes.get(&nick).is_some());
        if !is_probed || self.is_news(presence) {
            return false;
        }
        let Some(probe) = self.take_probe(nick.as_ref(), |_| true) else { return false };
        if nick.as_ref() == Some(&self.me.nick) {
            self.show_own_to(turn, probe.session, false);
        } else {
            self.relay_to(turn, probe.session, Id::Keep, presence);
        }
        true
    }

    /// The room refuses a probe; false if the error answers none.
    pub(super) fn refuse_probe(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let refused = self.take_probe(error.sender_nick().as_ref(), |probe| probe.id == error.id);
        if let Some(probe) = &refused {
            self.relay_to(turn, probe.session, Id::Keep, error);
        }
        refused.is_some()
    }

    fn take_probe(&mut self, nick: Option<&Nick>, wanted: impl Fn(&Probe) -> bool) -> Option<Probe> {
        match &mut self.phase {
            Phase::In(stay) => stay.probes.take(&nick.cloned(), wanted),
            Phase::Out(_) | Phase::Joining(_) => None,
        }
    }

    /// Whether a presence says what was not known.
    fn is_news(&self, presence: &Stanza) -> bool {
        let is_gone = presence.kind == Kind::Presence(PresenceType::Unavailable);
        match presence.sender_nick() {
            Some(nick) if nick == self.me.nick => {
                let is_awaited = self.stay().is_some_and(|stay| stay.upstream.is_busy());
                is_gone || is_awaited || self.room_says_otherwise(presence)
            }
            Some(nick) if is_gone => self.room.roster.has(&nick),
            Some(_) => !self.room.roster.shows(presence),
            None => true,
        }
    }
}
