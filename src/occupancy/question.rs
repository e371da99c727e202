//! What occupants ask the account: Prosody answers, or one session (I5).
//!
//! A stock room asks the session whose presence it shows. So the same session answers here as the room has
//! been shown, whatever has changed since, and also while its stream is broken. What belongs to a file, a call
//! or a command in several steps goes to the session that began it.

use super::base::Base;
use super::check::NS_PING;
use super::iq::asks_in;
use crate::config::limit;
use crate::event::{Action, Id, SessionId, Verdict};
use crate::pending::exchanges;
use crate::pending::peer::Peer;
use crate::pending::queries::Question;
use crate::sessions::Attachment;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{IqType, Kept, Kind, Stanza};

/// Questions that Prosody answers for the account. It is asked to change nothing: an occupant could subscribe to what
/// the account publishes, where a stock room only lets it read.
const PROSODY_NAMESPACES: [&str; 5] = [
    "vcard-temp",
    "urn:ietf:params:xml:ns:vcard-4.0",
    "http://jabber.org/protocol/pubsub",
    NS_PING,
    "urn:xmpp:time",
];

fn is_for_prosody(question: &Stanza) -> bool {
    question.kind == Kind::Iq(IqType::Get) && asks_in(question, &PROSODY_NAMESPACES)
}

impl Base {
    /// An occupant, or the room itself, asks the account something. The room is shown the presence of that session.
    pub(super) fn question_came(
        &mut self,
        turn: &mut Turn<'_>,
        question: &Stanza,
        shown: Option<SessionId>,
    ) -> Verdict {
        if is_for_prosody(question) {
            return Verdict::Pass("Prosody answers for the account");
        }
        let exchanges = exchanges::ids(question);
        let Some(session) = self.answerer(question, &exchanges, shown) else {
            if asks_in(question, &PROSODY_NAMESPACES) {
                if let (Some(from), Some(id)) = (&question.from, &question.id) {
                    self.say_nobody_can_answer(turn, from.clone(), id);
                }
                return Verdict::Handled; // Prosody would do what it asks
            }
            return Verdict::Pass("no session is there to answer");
        };
        let Some(id) = question.id.clone().filter(|id| id.len() <= limit::ID_BYTES) else {
            return Verdict::Pass("a query without an id, or with one that is too long");
        };
        if !turn.has_space() {
            return Verdict::Pass("no space for another query");
        }
        let waits = self.sessions.get(session).is_some_and(|attachment| attachment.ask().is_some());
        if waits && !self.queries.may_wait(question) {
            return Verdict::Pass("too many queries for a session that waits");
        }
        let mapped = turn.fresh_id();
        let unasked = waits.then(|| Kept::without_to(Id::Set(mapped.clone()).put_on(question.clone())));
        let peer = Peer::new(question.sender_nick());
        self.put_question(turn, &mapped, &exchanges, Question { session, id, peer, unasked });
        if !waits {
            self.hand_to(turn, session, Id::Set(mapped), question);
        }
        Verdict::Handled
    }

    /// The session that is asked; none, if Prosody answers.
    pub(super) fn asked(&self, question: &Stanza, shown: Option<SessionId>) -> Option<SessionId> {
        self.answerer(question, &exchanges::ids(question), shown).filter(|_| !is_for_prosody(question))
    }

    /// The session to which an exchange belongs. Else the one that the room is shown, unless the query is about
    /// what another says of itself: the room may have shown that a moment ago (XEP-0115 §5.4).
    fn answerer(
        &self,
        question: &Stanza,
        exchanges: &[Box<str>],
        shown: Option<SessionId>,
    ) -> Option<SessionId> {
        let other = question.sender_nick().filter(|nick| *nick != self.me.nick); // it may be either end itself
        let of_exchange = other.and_then(|nick| self.queries.exchanges_with(&nick, exchanges));
        if of_exchange.is_some() {
            return of_exchange;
        }
        let shown = shown.filter(|session| self.sessions.has(*session)).or_else(|| self.sessions.best())?;
        let Some(node) = capabilities_asked(question) else { return Some(shown) };
        let claims = |session: &SessionId| self.sessions.get(*session).is_some_and(|a| claims(a, node));
        let other = || self.sessions.iter().map(|(session, _)| session).find(claims);
        Some(shown).filter(claims).or_else(other).or(Some(shown))
    }

    /// Notes that a session is asked. If too many questions are open, the oldest is answered in its place.
    fn put_question(
        &mut self,
        turn: &mut Turn<'_>,
        mapped: &str,
        exchanges: &[Box<str>],
        question: Question,
    ) {
        if let Some(nick) = question.peer.nick() {
            self.queries.propose(nick, exchanges, question.session, mapped);
        }
        let before = self.queries.cost();
        if let Some(oldest) = self.queries.ask_session(mapped.into(), question) {
            self.answer_for_session(turn, oldest);
        }
        turn.note_growth(before, self.queries.cost());
    }

    /// A session answers what an occupant asked the account. The occupant may have another nick by now, under
    /// which alone the room still knows it.
    pub(super) fn answer_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        answer: &Stanza,
    ) -> Verdict {
        let Some(question) = self.queries.answered_by_session(answer, session) else {
            log::debug!("a session answers what {} did not ask", self.me.room);
            return Verdict::Handled;
        };
        let addressed = answer.target_nick();
        match question.peer.current() {
            Some(nick) if addressed.as_ref() != Some(nick) => {
                let answer = answer.clone().from(self.me.account.to_jid()).to(self.me.room.occupant(nick));
                turn.send(answer.id(Some(&question.id)));
            }
            _ => turn.act(Action::Forward { id: Id::Set(question.id) }),
        }
        Verdict::Handled
    }

    /// An occupant asked a session something that nobody will answer.
    pub(super) fn answer_for_session(&self, turn: &mut Turn<'_>, question: Question) {
        let Question { id, peer, .. } = question;
        let room = &self.me.room;
        let to = peer.current().map_or_else(|| room.to_jid(), |nick| room.occupant(nick));
        self.say_nobody_can_answer(turn, to, &id);
    }

    fn say_nobody_can_answer(&self, turn: &mut Turn<'_>, to: Jid, id: &str) {
        let answer = Stanza::new(Kind::Iq(IqType::Error)).from(self.me.account.to_jid()).to(to).id(Some(id));
        turn.send(answer.child(StanzaError::NO_ANSWER.element(self.me.account.as_str())));
    }
}

/// The capabilities that a query is about, as a presence names them.
fn capabilities_asked(question: &Stanza) -> Option<&str> {
    question.find("query", "http://jabber.org/protocol/disco#info")?.attribute("node")
}

/// Whether the presence of a session names those capabilities (XEP-0115, XEP-0390).
fn claims(attachment: &Attachment, node: &str) -> bool {
    let presence = &attachment.presence;
    let is_old = presence.find("c", "http://jabber.org/protocol/caps").is_some_and(|caps| {
        let (name, version) = (caps.attribute("node"), caps.attribute("ver"));
        name.is_some() && name.zip(version) == node.rsplit_once('#')
    });
    let Some((algorithm, hash)) = node.strip_prefix("urn:xmpp:caps#").and_then(|hash| hash.split_once('.'))
    else {
        return is_old;
    };
    presence.find("c", "urn:xmpp:caps").is_some_and(|caps| {
        caps.elements().any(|child| child.attribute("algo") == Some(algorithm) && child.text() == hash)
    })
}
