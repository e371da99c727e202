//! Who sent which subscription to a room, so that its refusal finds the sender (J11).

use serde::{Deserialize, Serialize};

use super::expiring::{Expiring, Value};
use crate::config::limit;
use crate::event::SessionId;
use crate::xmpp::cost::Cost;

/// The subscriptions that may still be refused, by their ids.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Subscriptions(Expiring<Option<Box<str>>, Subscriber>);

/// Who sent one; nobody, once the session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscriber(pub(crate) Option<SessionId>);

impl Value for Subscriber {}

impl Cost for Subscriber {
    fn outside(&self) -> usize {
        0
    }
}

impl Subscriptions {
    /// Remembers one, and forgets those sent long ago. Of too many the oldest are forgotten; they may cost that much.
    pub(crate) fn remember(&mut self, id: Option<Box<str>>, session: SessionId, now_ms: u64, most: usize) {
        self.0.take_due(now_ms);
        self.0.insert_within(most, id, now_ms.saturating_add(limit::SENT_MS), Subscriber(Some(session)));
    }

    /// Takes the oldest that an error of that id refuses.
    #[expect(clippy::ref_option, reason = "it is the key, and a stanza has it so")]
    pub(crate) fn refused(&mut self, id: &Option<Box<str>>) -> Option<Subscriber> {
        self.0.take(id, |_| true)
    }

    /// The session has ended: refusals reach nobody, and are taken for nothing else.
    pub(crate) fn disown(&mut self, session: SessionId) {
        for subscriber in self.0.values_mut().filter(|subscriber| subscriber.0 == Some(session)) {
            subscriber.0 = None;
        }
    }

    /// About how many bytes they cost.
    pub(crate) fn cost(&self) -> usize {
        self.0.cost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j11_r7_subscriptions_expire_and_are_limited() {
        let mut subscriptions = Subscriptions::default();
        for number in 0..10_000 {
            let id = Some(format!("{number:036}").into());
            subscriptions.remember(id, SessionId(1), 0, limit::WISHES_COST);
        }
        assert!(subscriptions.cost() <= limit::WISHES_COST && subscriptions.0.len() > 100);
        subscriptions.remember(None, SessionId(2), limit::SENT_MS, limit::WISHES_COST);
        assert_eq!(subscriptions.0.len(), 1);
        assert_eq!(subscriptions.refused(&Some("s1".into())), None);
        assert_eq!(subscriptions.refused(&None), Some(Subscriber(Some(SessionId(2)))));
    }

    #[test]
    fn l1_an_ended_session_gets_no_refusal() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.remember(None, SessionId(1), 0, limit::WISHES_COST);
        subscriptions.disown(SessionId(1));
        assert_eq!(subscriptions.refused(&None), Some(Subscriber(None)));
    }
}
