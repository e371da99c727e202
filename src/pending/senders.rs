//! Who sent which message, so that its error finds its sender (M4, M5).

use serde::{Deserialize, Serialize};

use super::expiring::{Expiring, Value};
use super::peer::Peer;
use crate::config::limit;
use crate::event::SessionId;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::Stanza;

/// The messages that may still come back, by the ids under which they went up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Senders(Expiring<Box<str>, Sent>);

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Whom it was for.
    pub(crate) to: Peer,
    /// Nobody, once the session has ended.
    pub(crate) session: Option<SessionId>,
    /// Whether the id is ours: the session gave none.
    pub(crate) invented: bool,
}

impl Value for Sent {
    fn occupant(&self) -> Option<&Nick> {
        self.to.current()
    }
}

impl Cost for Sent {
    fn outside(&self) -> usize {
        self.to.outside()
    }
}

impl Senders {
    /// Remembers a message that goes up, and forgets those that went up long ago.
    /// Of too many the oldest are forgotten; they may cost that much.
    pub(crate) fn remember(&mut self, id: Box<str>, message: Sent, now_ms: u64, most: usize) {
        self.0.take_due(now_ms);
        self.0.insert_within(most, id, now_ms.saturating_add(limit::SENT_MS), message);
    }

    /// About how many bytes they cost.
    pub(crate) fn cost(&self) -> usize {
        self.0.cost()
    }

    /// The oldest message that an error can be about. The room may refuse any message. An occupant may refuse
    /// only messages to itself, since occupants can make up errors.
    pub(crate) fn refused(&mut self, error: &Stanza) -> Option<Sent> {
        let is_from_room = error.sender_nick().is_none();
        self.0.take(error.id.as_ref()?, |sent| is_from_room || sent.to.is(error.from.as_ref()))
    }

    /// A message went up under that id, and it is known that nothing more comes of it.
    pub(crate) fn forget(&mut self, id: &str) {
        self.0.take(&id.into(), |sent| sent.to.is_room());
    }

    /// The room has reflected a message: no error will come. In a room that gives messages ids of its own it is
    /// taken for the oldest.
    pub(crate) fn reflected(&mut self, id: Option<&str>) {
        let is_groupchat = |sent: &Sent| sent.to.is_room();
        let of_id = id.and_then(|id| self.0.take(&id.into(), is_groupchat));
        if of_id.is_none() {
            self.0.take_any(is_groupchat);
        }
    }

    /// An occupant goes on under another nick.
    pub(crate) fn follow(&mut self, old: &Nick, new: &Nick) {
        self.0.change_all_about(old, |sent| sent.to.follow(old, new));
    }

    /// The session has ended: its errors reach nobody, and are taken for no other session's.
    pub(crate) fn disown(&mut self, session: SessionId) {
        for sent in self.0.values_mut().filter(|sent| sent.session == Some(session)) {
            sent.session = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(session: u32) -> Sent {
        Sent { to: Peer::new(None), session: Some(SessionId(session)), invented: false }
    }

    fn to_bob() -> Sent {
        Sent { to: Peer::new(Some(Nick::new("bob"))), ..by(1) }
    }

    fn error(from: &str, id: &str) -> Stanza {
        let xml = format!("<message type='error' from='lounge@rooms.example{from}' id='{id}'/>");
        Stanza::from_xml(&xml).unwrap()
    }

    fn senders<'a>(sent: impl IntoIterator<Item = (&'a str, Sent)>) -> Senders {
        let mut senders = Senders::default();
        sent.into_iter().for_each(|(id, sent)| senders.remember(id.into(), sent, 0, usize::MAX));
        senders
    }

    #[test]
    fn m5_an_error_takes_the_oldest_entry_of_its_id() {
        let mut senders = senders([("m1", by(1)), ("m1", by(2)), ("m1", by(3))]);
        senders.reflected(Some("m1"));
        assert_eq!(senders.refused(&error("", "m1")), Some(by(2)));
        assert_eq!(senders.refused(&error("", "m2")), None);
        assert_eq!(senders.refused(&error("", "m1")), Some(by(3)));
    }

    #[test]
    fn f24_a_reflection_under_another_id_takes_the_oldest() {
        let mut senders = senders([("p1", to_bob()), ("m1", by(1)), ("m1", by(2))]);
        senders.reflected(Some("other"));
        assert_eq!(senders.refused(&error("", "m1")), Some(by(2)));
        assert_eq!(senders.refused(&error("/bob", "p1")), Some(to_bob()));
    }

    #[test]
    fn an_occupant_refuses_only_what_was_sent_to_it() {
        let mut senders = senders([("m1", by(1)), ("p1", to_bob())]);
        assert_eq!(senders.refused(&error("/eve", "m1")), None);
        assert_eq!(senders.refused(&error("/eve", "p1")), None);
        assert_eq!(senders.refused(&error("", "p1")), Some(to_bob()));
    }

    #[test]
    fn f39_errors_of_private_messages_come_from_the_new_nick() {
        let mut senders = senders([("p1", to_bob()), ("p2", to_bob())]);
        senders.follow(&Nick::new("bob"), &Nick::new("bobby"));
        assert!(senders.refused(&error("/bobby", "p1")).is_some());
        assert!(senders.refused(&error("/bob", "p2")).is_some(), "the room refuses what came too late");
    }

    #[test]
    fn r7_entries_expire_and_are_limited() {
        let mut senders = Senders::default();
        let uuid = |number: u32| format!("{number:036}").into();
        for number in 0..10_000 {
            senders.remember(uuid(number), by(1), 0, limit::SENT_COST);
        }
        assert_eq!(senders.0.len(), 10_000, "a burst of lines is remembered");
        for number in 0..10_000 {
            senders.remember(uuid(number), by(1), 0, limit::SENT_COST);
        }
        assert!(senders.cost() <= limit::SENT_COST && senders.0.len() > 10_000);
        senders.remember("large".repeat(limit::SENT_COST).into(), by(1), 0, limit::SENT_COST);
        assert_eq!(senders.0.len(), 1);
        senders.remember("late".into(), by(1), limit::SENT_MS, limit::SENT_COST);
        assert_eq!(senders.0.len(), 1);
    }

    #[test]
    fn an_ended_session_gets_nothing() {
        let mut senders = senders([("m1", by(1))]);
        senders.disown(SessionId(1));
        assert_eq!(senders.refused(&error("", "m1")).unwrap().session, None);
    }
}
