//! Who sent which message, so that its error finds its sender (M4, M5).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::SessionId;
use crate::jid::Nick;
use crate::stanza::Stanza;

/// The messages that may still come back, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Senders(VecDeque<Sent>);

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The id under which it went up.
    pub(crate) id: Box<str>,
    /// The occupant that it was for; nobody if it was for the room.
    pub(crate) to: Option<Nick>,
    /// Nobody, once the session has ended.
    pub(crate) session: Option<SessionId>,
    /// Whether the id is ours: the session gave none.
    pub(crate) invented: bool,
    pub(crate) since_ms: u64,
}

impl Senders {
    /// Remembers a message that goes up.
    pub(crate) fn remember(&mut self, message: Sent) {
        self.0.retain(|sent| message.since_ms.saturating_sub(sent.since_ms) < limit::SENT_MS);
        if self.0.len() >= limit::SENT {
            self.0.pop_front();
        }
        self.0.push_back(message);
    }

    /// The oldest message that an error can be about. The room may say it of any, an occupant only of what was
    /// sent to it: occupants make up errors as they like.
    pub(crate) fn refused(&mut self, error: &Stanza) -> Option<Sent> {
        let id = error.id.as_deref()?;
        let by = error.sender_nick();
        self.take(|sent| *sent.id == *id && (by.is_none() || by == sent.to))
    }

    /// The room has reflected a message: no error will come. In a room that gives messages ids of its own it is
    /// taken for the oldest.
    pub(crate) fn reflected(&mut self, id: Option<&str>) {
        let of_id = self.take(|sent| sent.to.is_none() && Some(&*sent.id) == id);
        if of_id.is_none() {
            self.take(|sent| sent.to.is_none());
        }
    }

    /// The session has ended: its errors reach nobody, and mislead nobody.
    pub(crate) fn forget(&mut self, session: SessionId) {
        for sent in self.0.iter_mut().filter(|sent| sent.session == Some(session)) {
            sent.session = None;
        }
    }

    fn take(&mut self, wanted: impl FnMut(&Sent) -> bool) -> Option<Sent> {
        let position = self.0.iter().position(wanted)?;
        self.0.remove(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(id: &str, session: u32) -> Sent {
        let session = Some(SessionId(session));
        Sent { id: id.into(), to: None, session, invented: false, since_ms: 0 }
    }

    fn error(from: &str, id: &str) -> Stanza {
        let xml = format!("<message type='error' from='lounge@rooms.example{from}' id='{id}'/>");
        Stanza::from_xml(&xml).unwrap()
    }

    fn senders(sent: impl IntoIterator<Item = Sent>) -> Senders {
        let mut senders = Senders::default();
        sent.into_iter().for_each(|sent| senders.remember(sent));
        senders
    }

    #[test]
    fn m5_an_error_takes_the_oldest_entry_of_its_id() {
        let mut senders = senders([sent("m1", 1), sent("m1", 2), sent("m1", 3)]);
        senders.reflected(Some("m1"));
        assert_eq!(senders.refused(&error("", "m1")), Some(sent("m1", 2)));
        assert_eq!(senders.refused(&error("", "m2")), None);
        assert_eq!(senders.refused(&error("", "m1")), Some(sent("m1", 3)));
    }

    #[test]
    fn f24_a_reflection_under_another_id_takes_the_oldest() {
        let private = Sent { to: Some(Nick::new("bob")), ..sent("p1", 1) };
        let mut senders = senders([private.clone(), sent("m1", 1), sent("m1", 2)]);
        senders.reflected(Some("other"));
        assert_eq!(senders.refused(&error("", "m1")), Some(sent("m1", 2)));
        assert_eq!(senders.refused(&error("/bob", "p1")), Some(private));
    }

    #[test]
    fn an_occupant_refuses_only_what_was_sent_to_it() {
        let private = Sent { to: Some(Nick::new("bob")), ..sent("p1", 1) };
        let mut senders = senders([sent("m1", 1), private.clone()]);
        assert_eq!(senders.refused(&error("/eve", "m1")), None);
        assert_eq!(senders.refused(&error("/eve", "p1")), None);
        assert_eq!(senders.refused(&error("", "p1")), Some(private));
    }

    #[test]
    fn r7_entries_expire_and_are_limited() {
        let mut senders = senders((0..limit::SENT + 10).map(|number| sent(&number.to_string(), 1)));
        assert_eq!(senders.0.len(), limit::SENT);
        senders.remember(Sent { since_ms: limit::SENT_MS, ..sent("late", 1) });
        assert_eq!(senders.0.len(), 1);
    }

    #[test]
    fn an_ended_session_gets_nothing() {
        let mut senders = senders([sent("m1", 1)]);
        senders.forget(SessionId(1));
        assert_eq!(senders.refused(&error("", "m1")).unwrap().session, None);
    }
}
