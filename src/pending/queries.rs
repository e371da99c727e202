//! IQs on their way, in both directions, with their ids mapped (I1, I5): two sessions may use one id.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::expiring::{Expiring, OfSession};
use crate::config::limit;
use crate::event::SessionId;
use crate::xmpp::jid::{Jid, Nick};
use crate::xmpp::stanza::Kept;

/// The open queries of one account to and from one room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queries {
    /// From our sessions, by the id under which they went up.
    up: Expiring<Box<str>, Query>,
    /// From occupants, by the id under which a session was asked.
    down: Expiring<Box<str>, Query>,
    /// Which session last asked an occupant something.
    askers: BTreeMap<Nick, SessionId>,
    /// What sessions ask while too much is open.
    waiting: VecDeque<Waiting>,
}

/// A query that has not gone up yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    session: Option<SessionId>,
    query: Kept,
}

/// An open query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Query {
    /// The session that asked or is asked; nobody, once it has ended.
    pub(crate) session: Option<SessionId>,
    /// The id that the asker gave it.
    pub(crate) id: Box<str>,
    /// The other end: whom the session asked, or who asks it.
    pub(crate) peer: Jid,
}

impl OfSession for Query {
    fn session(&self) -> Option<SessionId> {
        self.session
    }
}

impl Queries {
    /// Whether one more query may go up.
    pub(crate) fn has_room(&self) -> bool {
        self.up.len() < limit::QUERIES
    }

    /// Keeps a query until others are answered; false if too many wait already.
    pub(crate) fn wait(&mut self, session: Option<SessionId>, query: Kept) -> bool {
        let has_room = self.waiting.len() < limit::QUERIES_WAITING;
        if has_room {
            self.waiting.push_back(Waiting { session, query });
        }
        has_room
    }

    /// The next query that may go up, of those that had to wait.
    pub(crate) fn next_waiting(&mut self) -> Option<(Option<SessionId>, Kept)> {
        let waiting = if self.has_room() { self.waiting.pop_front() } else { None };
        waiting.map(|waiting| (waiting.session, waiting.query))
    }

    /// A query of a session goes up.
    pub(crate) fn ask(&mut self, mapped: Box<str>, deadline_ms: u64, query: Query) {
        if let (Some(nick), Some(session)) = (query.peer.nick(), query.session) {
            if self.askers.len() >= limit::ASKED_OCCUPANTS {
                self.askers.clear();
            }
            self.askers.insert(nick, session);
        }
        self.up.insert(mapped, deadline_ms, query);
    }

    /// The query that this answers, if it comes from whom it was sent to.
    pub(crate) fn answered(&mut self, id: &str, from: Option<&Jid>) -> Option<Query> {
        self.up.take(&id.into(), |query| Some(&query.peer) == from)
    }

    /// An occupant asks a session something; false if too much is open already.
    pub(crate) fn ask_session(&mut self, mapped: Box<str>, deadline_ms: u64, query: Query) -> bool {
        let has_room = self.down.len() < limit::QUERIES;
        if has_room {
            self.down.insert(mapped, deadline_ms, query);
        }
        has_room
    }

    /// The query of an occupant that a session answers, if that session was asked.
    pub(crate) fn answered_by_session(
        &mut self,
        id: &str,
        to: Option<&Jid>,
        session: SessionId,
    ) -> Option<Query> {
        self.down.take(&id.into(), |query| query.session == Some(session) && Some(&query.peer) == to)
    }

    /// The session that last asked that occupant something.
    pub(crate) fn asker_of(&self, nick: &Nick) -> Option<SessionId> {
        self.askers.get(nick).copied()
    }

    /// The session has ended: answers to it reach nobody (I13). Gives the questions that it has not answered.
    pub(crate) fn forget(&mut self, session: SessionId) -> Vec<Query> {
        self.askers.retain(|_, asker| *asker != session);
        self.waiting.retain(|waiting| waiting.session != Some(session));
        for query in self.up.values_mut().filter(|query| query.session == Some(session)) {
            query.session = None;
        }
        self.down.forget(session)
    }

    /// Whether anybody waits for an answer.
    pub(crate) fn are_open(&self) -> bool {
        !self.up.is_empty() || !self.down.is_empty()
    }

    /// When the first query of a session has waited too long.
    pub(crate) fn deadline_up(&self) -> Option<u64> {
        self.up.deadline()
    }

    /// When the first query of an occupant has waited too long.
    pub(crate) fn deadline_down(&self) -> Option<u64> {
        self.down.deadline()
    }

    /// The queries of sessions that have waited too long.
    pub(crate) fn take_unanswered(&mut self, now_ms: u64) -> Vec<Query> {
        self.up.take_due(now_ms)
    }

    /// The queries of occupants that no session has answered in time.
    pub(crate) fn take_unanswered_by_sessions(&mut self, now_ms: u64) -> Vec<Query> {
        self.down.take_due(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::stanza::{IqType, Kind, Stanza};

    fn query(session: u32, id: &str) -> Query {
        Query { session: Some(SessionId(session)), id: id.into(), peer: Jid::new("lounge@rooms.example/bob") }
    }

    #[test]
    fn i1_two_sessions_may_use_one_id() {
        let mut queries = Queries::default();
        queries.ask("x".into(), 10, query(1, "q"));
        queries.ask("y".into(), 10, query(2, "q"));
        let bob = Jid::new("lounge@rooms.example/bob");
        assert_eq!(queries.answered("y", Some(&bob)), Some(query(2, "q")));
        assert_eq!(queries.answered("y", Some(&bob)), None);
    }

    #[test]
    fn i12_what_is_too_much_waits_in_order_and_is_limited() {
        let mut queries = Queries::default();
        for number in 0..limit::QUERIES {
            queries.ask(number.to_string().into(), 10, query(1, "q"));
        }
        assert!(!queries.has_room());
        let asked = |id: &str| Kept::own(Stanza::new(Kind::Iq(IqType::Get)).id(Some(id)));
        for number in 0..limit::QUERIES_WAITING {
            assert!(queries.wait(Some(SessionId(2)), asked(&number.to_string())));
        }
        assert!(!queries.wait(Some(SessionId(2)), asked("late")));
        assert!(queries.next_waiting().is_none());
        queries.answered("7", Some(&query(1, "q").peer));
        assert_eq!(queries.next_waiting(), Some((Some(SessionId(2)), asked("0"))));
        queries.forget(SessionId(2));
        assert!(queries.next_waiting().is_none());
    }

    #[test]
    fn a_reply_from_the_wrong_address_answers_nothing() {
        let mut queries = Queries::default();
        queries.ask("x".into(), 10, query(1, "q"));
        assert_eq!(queries.answered("x", Some(&Jid::new("lounge@rooms.example/eve"))), None);
        assert_eq!(queries.answered("x", None), None);
        assert_eq!(queries.take_unanswered(10), [query(1, "q")]);
    }

    #[test]
    fn i5_only_the_session_that_was_asked_answers() {
        let mut queries = Queries::default();
        queries.ask_session("d".into(), 10, query(1, "p"));
        let bob = query(1, "p").peer;
        assert_eq!(queries.answered_by_session("d", Some(&bob), SessionId(2)), None);
        assert_eq!(queries.answered_by_session("d", Some(&bob), SessionId(1)), Some(query(1, "p")));
    }

    #[test]
    fn i13_an_ended_session_gets_no_answer_and_owes_none() {
        let mut queries = Queries::default();
        queries.ask("x".into(), 10, query(1, "q"));
        queries.ask_session("d".into(), 10, query(1, "p"));
        assert_eq!(queries.forget(SessionId(1)), [query(1, "p")]);
        assert_eq!(queries.deadline_down(), None);
        assert_eq!(queries.answered("x", Some(&query(1, "q").peer)).unwrap().session, None);
    }
}
