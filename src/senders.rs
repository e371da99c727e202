//! Who sent which message, so that its error finds its sender (M4, M5).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::{Id, SessionId};

/// The messages that may still come back, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Senders(VecDeque<Sent>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sent {
    id: Box<str>,
    /// Nobody, once the session has ended.
    session: Option<SessionId>,
    /// Whether the id is ours: the session gave none.
    invented: bool,
    since_ms: u64,
}

impl Senders {
    /// Remembers a message that goes up.
    pub(crate) fn remember(&mut self, id: &str, session: SessionId, invented: bool, now_ms: u64) {
        self.0.retain(|sent| now_ms.saturating_sub(sent.since_ms) < limit::SENT_MS);
        if self.0.len() >= limit::SENT {
            self.0.pop_front();
        }
        self.0.push_back(Sent { id: id.into(), session: Some(session), invented, since_ms: now_ms });
    }

    /// Whose message came back with an error, and under which id that session knows it.
    pub(crate) fn refused(&mut self, id: &str) -> Option<(SessionId, Id)> {
        let sent = self.take(id)?;
        sent.session.map(|session| (session, if sent.invented { Id::Remove } else { Id::Keep }))
    }

    /// The room has reflected a message: no error will come.
    pub(crate) fn reflected(&mut self, id: &str) {
        self.take(id);
    }

    /// The session has ended: its errors reach nobody, and mislead nobody.
    pub(crate) fn forget(&mut self, session: SessionId) {
        for sent in self.0.iter_mut().filter(|sent| sent.session == Some(session)) {
            sent.session = None;
        }
    }

    fn take(&mut self, id: &str) -> Option<Sent> {
        let position = self.0.iter().position(|sent| &*sent.id == id)?;
        self.0.remove(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    #[test]
    fn m5_an_error_takes_the_oldest_entry_of_its_id() {
        let mut senders = Senders::default();
        senders.remember("m1", ONE, false, 0);
        senders.remember("m1", TWO, true, 0);
        senders.remember("m1", ONE, false, 0);
        senders.reflected("m1");
        assert_eq!(senders.refused("m1"), Some((TWO, Id::Remove)));
        assert_eq!(senders.refused("m1"), Some((ONE, Id::Keep)));
        assert_eq!(senders.refused("m1"), None);
    }

    #[test]
    fn r7_entries_expire_and_are_limited() {
        let mut senders = Senders::default();
        for number in 0..limit::SENT + 10 {
            senders.remember(&number.to_string(), ONE, false, 0);
        }
        assert_eq!(senders.0.len(), limit::SENT);
        senders.remember("late", ONE, false, limit::SENT_MS);
        assert_eq!(senders.0.len(), 1);
    }

    #[test]
    fn an_ended_session_gets_nothing() {
        let mut senders = Senders::default();
        senders.remember("m1", ONE, false, 0);
        senders.forget(ONE);
        assert_eq!(senders.refused("m1"), None);
    }
}
