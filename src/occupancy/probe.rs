//! A session asks after an occupant, and only that session is answered (XEP-0045 §17.3, RFC 6121 §4.3).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use crate::config::limit;
use crate::event::{Id, SessionId, Verdict};
use crate::jid::Nick;
use crate::sessions::Attachment;
use crate::stanza::{Kind, PresenceType, Stanza};
use crate::turn::Turn;

/// A session's probe of an occupant (J11).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Probe {
    session: SessionId,
    nick: Option<Nick>,
    id: Option<Box<str>>,
    pub(super) deadline_ms: u64,
}

impl Probe {
    pub(super) fn is_of(&self, session: SessionId) -> bool {
        self.session == session
    }
}

impl Occupancy {
    /// A probe goes up as the account; its answer is for that session only (J11).
    pub(super) fn probe_sent(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: Stanza) -> Verdict {
        let deadline_ms = turn.after(limit::PRESENCE_MS);
        let nick = stanza.target_nick();
        let attached = self.sessions.get(session).is_some_and(Attachment::is_live);
        let Some(stay) = self.stay_mut().filter(|_| attached) else {
            return Verdict::Pass("a probe from outside");
        };
        if stay.probes.len() < limit::PINGERS {
            stay.probes.push(Probe { session, nick, id: stanza.id.clone(), deadline_ms });
        }
        turn.send(stanza.from(self.me.account.to_jid()));
        Verdict::Handled
    }

    pub(super) fn expire_probes(&mut self, turn: &Turn<'_>) {
        if let Some(stay) = self.stay_mut() {
            stay.probes.retain(|probe| !turn.is_due(probe.deadline_ms));
        }
    }

    /// Whether a presence only answers a probe; then it is that session's alone. An answer can't be told from
    /// what happens to the occupant at that moment, so whatever says something new is for all.
    pub(super) fn answers_probe(&mut self, turn: &mut Turn<'_>, presence: &Stanza) -> bool {
        let nick = presence.sender_nick();
        let Some(stay) = self.stay() else { return false };
        let Some(position) = stay.probes.iter().position(|probe| probe.nick == nick) else { return false };
        if self.is_news(presence) {
            return false;
        }
        let Some(probe) = self.stay_mut().map(|stay| stay.probes.remove(position)) else { return false };
        if nick.as_ref() == Some(&self.me.nick) {
            self.show_own_to(turn, probe.session, false);
        } else {
            self.relay_to(turn, probe.session, Id::Keep, presence);
        }
        true
    }

    /// The room refuses a probe; false if the error answers none.
    pub(super) fn refuse_probe(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let nick = error.sender_nick();
        let Some(stay) = self.stay_mut() else { return false };
        let is_refused = |probe: &Probe| probe.nick == nick && probe.id == error.id;
        let Some(position) = stay.probes.iter().position(is_refused) else { return false };
        let probe = stay.probes.remove(position);
        self.relay_to(turn, probe.session, Id::Keep, error);
        true
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
