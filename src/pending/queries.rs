//! IQs on their way, in both directions, with their ids mapped (I1, I5): two sessions may use one id.
//!
//! The room itself answers in time or not at all. Behind an occupant is a person, who answers when it likes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::exchanges::{self, Exchanges};
use super::expiring::{Expiring, OfSession, Value};
use super::peer::Peer;
use crate::config::limit;
use crate::event::SessionId;
use crate::lazy::can_be_empty;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::{IqType, Kept, Kind, Stanza};

/// The open queries of one account to and from one room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queries {
    /// From our sessions to the room, by the id under which they went up.
    to_room: Expiring<Box<str>, Query>,
    /// From our sessions to occupants, likewise. At its deadline a query may give way to one that waits.
    to_occupants: Expiring<Box<str>, Query>,
    /// From occupants, by the id under which a session is asked.
    questions: Expiring<Box<str>, Question>,
    /// How many bytes those hold that no session has been asked yet.
    unasked_bytes: usize,
    exchanges: Exchanges,
    /// What sessions ask while too much is open.
    waiting: VecDeque<Waiting>,
    waiting_cost: usize,
}

/// A query that has not gone up yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    session: Option<SessionId>,
    query: Kept,
}

impl Cost for Waiting {
    fn outside(&self) -> usize {
        self.query.outside()
    }
}

/// An open query of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Query {
    /// Nobody, once it has ended.
    pub(crate) session: Option<SessionId>,
    /// The id that the session gave it.
    pub(crate) id: Box<str>,
    pub(crate) peer: Peer,
}

/// An open query of an occupant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The session that is asked.
    pub(crate) session: SessionId,
    /// The id that the occupant gave it.
    pub(crate) id: Box<str>,
    pub(crate) peer: Peer,
    /// What the session will be asked when it has been shown the room.
    pub(crate) unasked: Option<Kept>,
}

impl Cost for Query {
    fn outside(&self) -> usize {
        self.id.outside() + self.peer.outside()
    }
}

impl Cost for Question {
    fn outside(&self) -> usize {
        self.id.outside() + self.peer.outside() + self.unasked.outside()
    }
}

impl Value for Query {
    fn occupant(&self) -> Option<&Nick> {
        self.peer.current()
    }
}

impl Value for Question {
    fn occupant(&self) -> Option<&Nick> {
        self.peer.current()
    }
}

impl OfSession for Query {
    fn session(&self) -> Option<SessionId> {
        self.session
    }
}

impl OfSession for Question {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
}

can_be_empty!(Queries);

/// Queries of sessions.
impl Queries {
    /// Whether one more query may go up.
    pub(crate) fn has_room(&self) -> bool {
        self.to_room.len() + self.to_occupants.len() < limit::QUERIES
            && self.to_room.cost() + self.to_occupants.cost() < limit::QUERIES_COST
    }

    /// Keeps a query until others are answered; false if those that wait would cost more than that.
    pub(crate) fn wait(&mut self, session: Option<SessionId>, query: Kept, most: usize) -> bool {
        let waiting = Waiting { session, query };
        let cost = self.waiting_cost + waiting.cost();
        if cost <= most {
            self.waiting.push_back(waiting);
            self.waiting_cost = cost;
        }
        cost <= most
    }

    /// About how many bytes those cost that wait.
    pub(crate) fn waiting_cost(&self) -> usize {
        self.waiting_cost
    }

    /// About how many bytes all cost.
    pub(crate) fn cost(&self) -> usize {
        self.waiting_cost + self.to_room.cost() + self.to_occupants.cost() + self.questions_cost()
    }

    /// About how many bytes those cost that occupants ask, and the exchanges.
    pub(crate) fn questions_cost(&self) -> usize {
        self.questions.cost() + self.exchanges.cost()
    }

    /// The next query that may go up, of those that had to wait.
    pub(crate) fn next_waiting(&mut self) -> Option<(Option<SessionId>, Kept)> {
        let waiting = if self.has_room() { self.waiting.pop_front() } else { None }?;
        self.waiting_cost = self.waiting_cost.saturating_sub(waiting.cost());
        Some((waiting.session, waiting.query))
    }

    /// A query goes up that is answered by that time, or never.
    pub(crate) fn ask_room(&mut self, mapped: Box<str>, deadline_ms: u64, query: Query) {
        self.to_room.insert(mapped, deadline_ms, query);
    }

    /// A query goes up to an occupant. From that time on it gives way to one that waits.
    pub(crate) fn ask_occupant(&mut self, mapped: Box<str>, patient_until_ms: u64, query: Query) {
        self.to_occupants.insert(mapped, patient_until_ms, query);
    }

    /// The query that this answers, if it comes from whom it was sent to.
    pub(crate) fn answered(&mut self, answer: &Stanza) -> Option<Query> {
        let id = answer.id.as_ref()?;
        let is_asked = |query: &Query| query.peer.is(answer.from.as_ref());
        let query = self.to_room.take(id, is_asked).or_else(|| self.to_occupants.take(id, is_asked))?;
        self.note_agreed(id, answer, &query.peer, query.session);
        Some(query)
    }

    /// When the first query to the room has waited too long, or one to an occupant gives way.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let gives_way = self.to_occupants.deadline().filter(|_| !self.waiting.is_empty());
        self.to_room.deadline().into_iter().chain(gives_way).min()
    }

    /// The queries that the room has not answered in time.
    pub(crate) fn take_unanswered(&mut self, now_ms: u64) -> Vec<Query> {
        self.to_room.take_due(now_ms)
    }

    /// The queries of which there are too many: occupants have not answered them for long, and others wait.
    pub(crate) fn take_too_many(&mut self, now_ms: u64) -> Vec<Query> {
        let queries = std::iter::from_fn(|| self.to_occupants.take_first_due(now_ms));
        queries.take(self.waiting.len()).collect()
    }
}

/// Queries of occupants.
impl Queries {
    /// An occupant asks a session something. Gives the question that there is no more space for: the oldest of
    /// that occupant, or else of all.
    pub(crate) fn ask_session(&mut self, mapped: Box<str>, question: Question) -> Option<Question> {
        let is_full =
            self.questions.len() >= limit::QUERIES || self.questions.cost() >= limit::QUESTIONS_COST;
        let oldest = if is_full { self.take_oldest_question(&question.peer) } else { None };
        self.unasked_bytes += question.unasked_bytes();
        self.questions.insert(mapped, None, question);
        oldest
    }

    fn take_oldest_question(&mut self, peer: &Peer) -> Option<Question> {
        let of_peer = match peer.current() {
            Some(occupant) => self.questions.take_first_about(occupant),
            None => self.questions.take_any(|question| question.peer.is_room()),
        };
        let oldest = of_peer.or_else(|| self.questions.take_any(|_| true))?;
        self.note_ended(&oldest);
        Some(oldest)
    }

    fn note_ended(&mut self, question: &Question) {
        self.unasked_bytes = self.unasked_bytes.saturating_sub(question.unasked_bytes());
    }

    /// Whether one more question may be kept for a session that is not asked yet.
    pub(crate) fn may_wait(&self, question: &Stanza) -> bool {
        self.unasked_bytes + question.weight() <= limit::UNASKED_BYTES
    }

    /// What that session is asked now that it has been shown the room.
    pub(crate) fn take_unasked(&mut self, session: SessionId) -> Vec<Kept> {
        if self.unasked_bytes == 0 {
            return Vec::new();
        }
        let of_session = self.questions.values_mut().filter(|question| question.session == session);
        let unasked: Vec<Kept> = of_session.filter_map(|question| question.unasked.take()).collect();
        let bytes: usize = unasked.iter().map(|question| question.weight()).sum();
        self.unasked_bytes = self.unasked_bytes.saturating_sub(bytes);
        unasked
    }

    /// The question that a session answers, if that session was asked.
    pub(crate) fn answered_by_session(&mut self, answer: &Stanza, session: SessionId) -> Option<Question> {
        let id = answer.id.as_ref()?;
        let is_asked =
            |question: &Question| question.session == session && question.peer.is(answer.to.as_ref());
        let question = self.questions.take(id, is_asked)?;
        self.note_ended(&question);
        self.note_agreed(id, answer, &question.peer, Some(session));
        Some(question)
    }
}

/// Exchanges.
impl Queries {
    /// The session to which those exchanges with an occupant belong.
    pub(crate) fn exchanges_with(&self, peer: &Nick, ids: &[Box<str>]) -> Option<SessionId> {
        self.exchanges.session(peer, ids)
    }

    /// Exchanges are proposed by a query of that id of ours.
    pub(crate) fn propose(&mut self, peer: &Nick, ids: &[Box<str>], session: SessionId, query: &str) {
        self.exchanges.note(peer, ids, session, Some(query));
    }

    /// A session opens or takes an exchange by a message.
    pub(crate) fn note_said(&mut self, peer: &Nick, message: &Stanza, session: SessionId) {
        self.exchanges.note(peer, &exchanges::ids(message), session, None);
    }

    /// A query is answered. A command has its id only from then on.
    fn note_agreed(&mut self, query: &str, answer: &Stanza, peer: &Peer, session: Option<SessionId>) {
        let agrees = answer.kind == Kind::Iq(IqType::Result);
        self.exchanges.answered(query, agrees);
        if let (true, Some(peer), Some(session)) = (agrees, peer.current(), session) {
            self.exchanges.note(peer, &exchanges::ids(answer), session, None);
        }
    }
}

/// What ends or changes with somebody.
impl Queries {
    /// An occupant goes on under another nick.
    pub(crate) fn follow(&mut self, old: &Nick, new: &Nick) {
        self.to_occupants.change_all_about(old, |query| query.peer.follow(old, new));
        let (mut before, mut after) = (0, 0);
        self.questions.change_all_about(old, |question| {
            before += question.unasked_bytes();
            question.follow(old, new);
            after += question.unasked_bytes();
        });
        self.unasked_bytes = (self.unasked_bytes + after).saturating_sub(before);
        self.exchanges.follow(old, new);
    }

    /// An occupant has gone. Gives what it has not answered. For what it asked nobody waits any more.
    pub(crate) fn end_with(&mut self, occupant: &Nick) -> Vec<Query> {
        self.exchanges.end_with(occupant);
        for question in self.questions.take_all_about(occupant) {
            self.note_ended(&question);
        }
        self.to_occupants.take_all_about(occupant)
    }

    /// The account leaves: what occupants have not answered by that time they will not answer.
    pub(crate) fn hurry(&mut self, deadline_ms: u64) {
        for (mapped, query) in self.to_occupants.drain() {
            self.to_room.insert(mapped, deadline_ms, query);
        }
        self.end_questions();
    }

    /// The account is out. Gives what occupants have not answered.
    pub(crate) fn end_stay(&mut self) -> Vec<Query> {
        self.end_questions();
        let mut unanswered = self.to_room.take_all(|query| !query.peer.is_room());
        unanswered.extend(self.to_occupants.take_all(|_| true));
        unanswered
    }

    /// Nobody waits any more for what occupants have asked.
    pub(crate) fn end_questions(&mut self) {
        self.questions = Expiring::default();
        self.unasked_bytes = 0;
        self.exchanges = Exchanges::default();
    }

    /// A session is no longer in: it is asked nothing. Gives the questions that it has not answered.
    pub(crate) fn detach(&mut self, session: SessionId) -> Vec<Question> {
        self.exchanges.forget(session);
        let unanswered = self.questions.forget(session);
        for question in &unanswered {
            self.note_ended(question);
        }
        unanswered
    }

    /// The session has ended: answers to it reach nobody (I13), and for those of persons nobody waits.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.waiting.retain(|waiting| waiting.session != Some(session));
        self.waiting_cost = self.waiting.iter().map(Cost::cost).sum();
        self.to_occupants.forget(session);
        for query in self.to_room.values_mut().filter(|query| query.session == Some(session)) {
            query.session = None;
        }
    }

    /// Whether anybody waits for an answer.
    pub(crate) fn are_open(&self) -> bool {
        !self.to_room.is_empty() || !self.to_occupants.is_empty() || !self.questions.is_empty()
    }
}

impl Question {
    fn unasked_bytes(&self) -> usize {
        self.unasked.as_ref().map_or(0, |unasked| unasked.weight())
    }

    fn follow(&mut self, old: &Nick, new: &Nick) {
        let is_asker = self.peer.current() == Some(old);
        self.peer.follow(old, new);
        if let Some(unasked) = self.unasked.take_if(|_| is_asker) {
            let from = unasked.from.as_ref().map(|from| from.to_bare().occupant(new));
            self.peer = Peer::new(Some(new.clone())); // the session never knew the old one
            self.unasked = Some(Kept::own(Stanza { from, ..Stanza::clone(&unasked) }));
        }
    }
}

#[cfg(test)]
mod tests;
