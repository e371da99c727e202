//! A session asks after an occupant, and only that session is answered (XEP-0045 §17.3, RFC 6121 §4.3).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::phase::{In, Phase};
use crate::config::limit;
use crate::event::{Id, SessionId, Verdict};
use crate::pending::expiring::{Expiring, OfSession, Value};
use crate::room::self_presence::name_session;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::{Kind, PresenceType, Stanza};

/// The probes of sessions that are not answered yet, by the nicks that they ask after (J11).
pub(super) type Probes = Expiring<Option<Nick>, Probe>;

/// A session's probe of an occupant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    session: SessionId,
    id: Option<Box<str>>,
    /// The nick that it addressed, if it means the account by another than the real one.
    alias: Option<Nick>,
}

impl Value for Probe {}

impl Cost for Probe {
    fn outside(&self) -> usize {
        self.id.outside() + self.alias.outside()
    }
}

impl OfSession for Probe {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
}

impl Occupancy {
    /// A probe goes up as the account; its answer is for that session only (J11).
    pub(super) fn probe_sent(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: Stanza) -> Verdict {
        if self.base.is_early(session) {
            self.base.hold(turn, session, &stanza);
            return Verdict::Handled;
        }
        let is_attached = self.base.sessions.has(session);
        let addressed = stanza.target_nick();
        let is_own = addressed.as_ref().is_some_and(|nick| self.base.is_own_nick(turn, session, nick));
        let nick = if is_own { Some(self.base.me.nick.clone()) } else { addressed.clone() };
        match &mut self.phase {
            Phase::In(stay) if is_attached => {
                let alias = addressed.filter(|_| is_own).filter(|alias| *alias != self.base.me.nick);
                let probe = Probe { session, id: stanza.id.clone(), alias };
                let deadline_ms = turn.after(limit::QUERY_MS);
                let before = stay.probes.cost();
                let most = turn.most(before, limit::WISHES_COST);
                stay.probes.insert_within(most, nick.clone(), deadline_ms, probe);
                turn.note_growth(before, stay.probes.cost());
                let probed =
                    nick.map_or_else(|| self.base.me.room.to_jid(), |nick| self.base.me.room.occupant(&nick));
                turn.send(stanza.from(self.base.me.account.to_jid()).to(probed));
                Verdict::Handled
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => Verdict::Pass("a probe from outside"),
        }
    }
}

impl In<'_> {
    pub(super) fn expire_probes(&mut self, turn: &Turn<'_>) {
        self.stay.probes.take_due(turn.now.monotonic_ms);
    }

    /// Whether a presence only answers a probe, and so is for one session alone. A presence that says
    /// something new is for all: it may be no answer.
    pub(super) fn answers_probe(&mut self, turn: &mut Turn<'_>, presence: &Stanza) -> bool {
        let nick = presence.sender_nick();
        let is_probed = self.stay.probes.get(&nick).is_some();
        if !is_probed || self.is_news(presence) {
            return false;
        }
        let Some(probe) = self.take_probe(nick.as_ref(), |_| true) else { return false };
        if nick.as_ref() == Some(&self.base.me.nick) {
            self.show_probed(turn, &probe, presence.clone());
        } else {
            self.relay_to(turn, probe.session, Id::Keep, presence);
        }
        true
    }

    /// Shows a session the account as the room showed it, under the name that the session knows. An id of ours
    /// means nothing to it.
    fn show_probed(&mut self, turn: &mut Turn<'_>, probe: &Probe, presence: Stanza) {
        let Some(attachment) = self.base.sessions.get(probe.session) else { return };
        let mut shown = presence;
        name_session(&mut shown, &self.base.me.account, &attachment.jid);
        shown.id = shown.id.filter(|id| Some(id) == probe.id.as_ref());
        if let Some(alias) = &probe.alias {
            shown.from = Some(self.base.me.room.occupant(alias));
            self.base.use_alias(probe.session);
        }
        self.show(turn, probe.session, shown);
    }

    /// The room refuses a probe; false if the error answers none.
    pub(super) fn refuse_probe(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let refused = self.take_probe(error.sender_nick().as_ref(), |probe| probe.id == error.id);
        match &refused {
            Some(Probe { session, alias: Some(alias), .. }) => {
                let refusal = error.clone().from(self.base.me.room.occupant(alias));
                self.show(turn, *session, refusal);
            }
            Some(probe) => self.relay_to(turn, probe.session, Id::Keep, error),
            None => {}
        }
        refused.is_some()
    }

    fn take_probe(&mut self, nick: Option<&Nick>, wanted: impl Fn(&Probe) -> bool) -> Option<Probe> {
        self.stay.probes.take(&nick.cloned(), wanted)
    }

    /// Whether a presence says what was not known.
    fn is_news(&self, presence: &Stanza) -> bool {
        let is_gone = presence.kind == Kind::Presence(PresenceType::Unavailable);
        match presence.sender_nick() {
            Some(nick) if nick == self.base.me.nick => {
                let id = presence.id.as_deref();
                let is_awaited = self.stay.upstream.may_answer(id, self.stay.own.reflects_ids);
                is_gone || is_awaited || self.room_says_otherwise(presence)
            }
            Some(nick) if is_gone => self.base.room.roster.has(&nick),
            Some(_) => !self.base.room.roster.shows(presence),
            None => true,
        }
    }
}
