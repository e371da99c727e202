//! Queries, in both directions: self-pings, what sessions ask the room and occupants, what those ask the
//! account (XEP-0045 §17.4).

use super::check::NS_PING;
use super::room_archive::NS_ARCHIVE;
use super::{Occupancy, Phase};
use crate::config::limit;
use crate::event::{Action, Id, SessionId, Verdict};
use crate::pending::queries::Query;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::kinds::may_answer_captcha;
use crate::xmpp::stanza::{IqType, Kept, Kind, Stanza};

/// Queries to the room itself that go out unchanged from the session that asks (I9).
const SESSION_NAMESPACES: [&str; 2] =
    ["http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"];

/// Queries to the account that Prosody answers (I5).
const PROSODY_NAMESPACES: [&str; 5] = [
    "vcard-temp",
    "urn:ietf:params:xml:ns:vcard-4.0",
    "http://jabber.org/protocol/pubsub",
    NS_PING,
    "urn:xmpp:time",
];

impl Occupancy {
    /// A session asks the room or an occupant something.
    pub(super) fn query_sent(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) -> Verdict {
        let Some(attachment) = self.sessions.get(session) else {
            return self.query_from_outside(turn, session, stanza);
        };
        let is_live = attachment.is_live();
        if stanza.target_nick().is_none() && asks_in(stanza, &NS_ARCHIVE) {
            self.note_archive_asked(turn, session, stanza);
            return Verdict::Pass("the room's archive answers the session itself");
        }
        if stanza.target_nick().is_none() && asks_in(stanza, &SESSION_NAMESPACES) {
            return Verdict::Pass("the room answers the session itself");
        }
        if is_live {
            self.query_up(turn, session, stanza);
        } else if self.answers_captcha(stanza) {
            self.map_up(turn, Some(session), stanza);
        } else {
            self.hold(turn, session, stanza);
        }
        Verdict::Handled
    }

    /// A session that is not in pings the account's occupant JID: it is told so, as the room would (I2).
    fn query_from_outside(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) -> Verdict {
        if matches!(self.phase, Phase::In(_)) && self.is_self_ping(turn, session, stanza) {
            turn.refuse(&self.me.room, session, stanza, StanzaError::NOT_JOINED);
            return Verdict::Handled;
        }
        Verdict::Pass("the session is not in the room")
    }

    /// Answers a self-ping, and sends other queries up. Before the account is in, a self-ping goes up too
    /// (L7).
    pub(super) fn query_up(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        let is_self_ping = self.is_self_ping(turn, session, stanza);
        match &mut self.phase {
            Phase::In(stay) if is_self_ping => stay.pinged(turn, session, stanza, &self.me),
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => self.map_up(turn, Some(session), stanza),
        }
    }

    /// Whether a stanza of a joining session may be the answer for which the room waits (J27).
    pub(super) fn answers_captcha(&self, stanza: &Stanza) -> bool {
        matches!(&self.phase, Phase::Joining(joining) if joining.awaits_human()) && may_answer_captcha(stanza)
    }

    /// A query goes up as the account, under an id of ours (I1, I6); if too much is open it waits (I12).
    pub(super) fn map_up(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, stanza: &Stanza) {
        let (Some(id), Some(peer)) = (stanza.id.clone(), stanza.to.clone()) else { return };
        if !self.queries.has_room() {
            return self.wait_with_query(turn, session, stanza);
        }
        let mapped = turn.fresh_id();
        let deadline_ms = turn.after(limit::QUERY_MS);
        self.queries.ask(mapped.clone(), deadline_ms, Query { session, id, peer });
        turn.go_up(&self.me.account, stanza, Id::Set(mapped));
    }

    fn wait_with_query(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, query: &Stanza) {
        let waits = self.queries.wait(session, Kept::own(query.clone()));
        if let (false, Some(session)) = (waits, session) {
            turn.refuse(&self.me.room, session, query, StanzaError::OVER_LIMIT);
        }
    }

    /// Sends up the queries whose turn has come.
    fn send_waiting_queries(&mut self, turn: &mut Turn<'_>) {
        while let Some((session, query)) = self.queries.next_waiting() {
            turn.about_held(|turn| self.map_up(turn, session, &query));
        }
    }

    /// Whether the session pings what it takes for its own occupant JID (XEP-0410 §3.1).
    fn is_self_ping(&self, turn: &Turn<'_>, session: SessionId, stanza: &Stanza) -> bool {
        stanza.kind == Kind::Iq(IqType::Get)
            && stanza.has("ping", NS_PING)
            && stanza.target_nick().is_some_and(|nick| {
                self.is_own_nick(turn, session, &nick)
                    || (self.me.had(&nick, turn) && !self.room.roster.has(&nick))
            })
    }

    /// An answer from the room or an occupant.
    pub(super) fn answer_came(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> Verdict {
        if self.check_answered(turn, answer)
            || self.nick_asked_answered(turn, answer)
            || self.unseen_answered(turn, answer)
        {
            return Verdict::Handled;
        }
        let Some(query) = answer.id.as_deref().and_then(|id| self.queries.answered(id, answer.from.as_ref()))
        else {
            log::debug!("an answer from {} to nothing that was asked", self.me.room);
            return Verdict::Handled;
        };
        if let Some(session) = query.session {
            turn.relay(vec![(session, Id::Set(query.id))]);
        }
        self.send_waiting_queries(turn);
        if answer.error_condition() == Some("not-acceptable") {
            self.suspect(turn); // only an occupant is answered: one self-ping decides (K9)
        }
        Verdict::Handled
    }

    /// The room asks the account something on behalf of an occupant (I5): Prosody answers, or one session.
    pub(super) fn question_came(&mut self, turn: &mut Turn<'_>, question: &Stanza) -> Verdict {
        if asks_in(question, &PROSODY_NAMESPACES) {
            return Verdict::Pass("Prosody answers for the account");
        }
        let asker = question.sender_nick().and_then(|nick| self.queries.asker_of(&nick));
        let awake =
            |session: &SessionId| self.sessions.get(*session).is_some_and(|a| a.is_live() && a.is_awake());
        let Some(session) = asker.filter(awake).or_else(|| self.sessions.spokesman()) else {
            return Verdict::Pass("no session is there to answer");
        };
        let (Some(id), Some(peer)) = (question.id.clone(), question.from.clone()) else {
            return Verdict::Pass("a query without id or sender");
        };
        let mapped = turn.fresh_id();
        let deadline_ms = turn.after(limit::ANSWER_MS);
        let query = Query { session: Some(session), id, peer };
        if !self.queries.ask_session(mapped.clone(), deadline_ms, query) {
            return Verdict::Pass("too many open queries");
        }
        turn.relay(vec![(session, Id::Set(mapped))]);
        Verdict::Handled
    }

    /// Whether Prosody answers a question, and no session.
    pub(super) fn is_for_prosody(&self, question: &Stanza) -> bool {
        asks_in(question, &PROSODY_NAMESPACES) || self.sessions.spokesman().is_none()
    }

    /// A session answers what an occupant asked the account.
    pub(super) fn answer_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        answer: &Stanza,
    ) -> Verdict {
        let id = answer.id.as_deref();
        match id.and_then(|id| self.queries.answered_by_session(id, answer.to.as_ref(), session)) {
            Some(query) => turn.act(Action::Forward { id: Id::Set(query.id) }),
            None => log::debug!("a session answers what {} did not ask", self.me.room),
        }
        Verdict::Handled
    }

    /// The room or an occupant has not answered in time.
    pub(super) fn expire_queries(&mut self, turn: &mut Turn<'_>) {
        for query in self.queries.take_unanswered(turn.now.monotonic_ms) {
            if let Some(session) = query.session {
                let error = self.unanswered(&query.id, query.peer, StanzaError::TIMEOUT);
                turn.deliver(session, error);
            }
        }
        self.send_waiting_queries(turn);
    }

    /// A session has not answered in time.
    pub(super) fn expire_questions(&mut self, turn: &mut Turn<'_>) {
        for question in self.queries.take_unanswered_by_sessions(turn.now.monotonic_ms) {
            self.answer_for_session(turn, question);
        }
    }

    /// An occupant asked a session something that nobody will answer.
    pub(super) fn answer_for_session(&self, turn: &mut Turn<'_>, question: Query) {
        let mut error = Stanza::new(Kind::Iq(IqType::Error)).from(self.me.account.to_jid()).to(question.peer);
        error.id = Some(question.id);
        turn.send(error.child(StanzaError::NO_ANSWER.element(self.me.account.as_str())));
    }

    fn unanswered(&self, id: &str, peer: Jid, error: StanzaError) -> Stanza {
        Stanza::new(Kind::Iq(IqType::Error))
            .from(peer)
            .id(Some(id))
            .child(error.element(self.me.room.as_str()))
    }
}

fn asks_in(query: &Stanza, namespaces: &[&str]) -> bool {
    query.children.iter().any(|child| namespaces.contains(&&*child.namespace))
}
