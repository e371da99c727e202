//! How fast services are asked, so that a start or an outage is no flood.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::config::{SECOND_MS, limit};
use crate::event::Now;
use crate::xmpp::jid::BareJid;

/// When each service may be asked next.
#[derive(Debug, Default)]
pub(crate) struct Pace(BTreeMap<String, u64>);

impl Pace {
    /// When it is that room's turn to be asked whether the account is in: by itself within a second, one after the other
    /// if there are many. The same room gets the same second's fraction again, so a reload changes nothing.
    pub(crate) fn ping_slot(&mut self, now: Now, account: &BareJid, room: &BareJid) -> u64 {
        let first_ms = now.monotonic_ms + spread(account, room) % SECOND_MS;
        if self.0.len() >= limit::PACED_SERVICES {
            self.0.retain(|_, next_ms| *next_ms > now.monotonic_ms);
        }
        let known_ms = self.0.get(room.domain()).copied();
        let slot_ms = known_ms.unwrap_or_default().max(first_ms);
        if known_ms.is_some() || self.0.len() < limit::PACED_SERVICES {
            self.0.insert(room.domain().to_owned(), slot_ms + SECOND_MS / limit::PINGS_PER_SECOND);
        }
        slot_ms
    }
}

/// A number of that account in that room: the same each time, and not that of others.
pub(crate) fn spread(account: &BareJid, room: &BareJid) -> u64 {
    let mut hasher = FxHasher::default();
    (account, room).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MINUTE_MS;

    #[test]
    fn k10_a_service_is_asked_so_often_a_second_and_others_meanwhile() {
        let now = Now { monotonic_ms: 5_000, utc_ms: 0 };
        let (alice, mut pace) = (BareJid::new("alice@example.org"), Pace::default());
        let rooms = 2 * limit::PINGS_PER_SECOND;
        let mut slot = |room: String| pace.ping_slot(now, &alice, &BareJid::new(&room));
        let slots: Vec<u64> = (0..rooms).map(|number| slot(format!("r{number}@rooms.example"))).collect();
        assert!(slots.windows(2).all(|pair| pair[1] >= pair[0] + SECOND_MS / limit::PINGS_PER_SECOND));
        let last = *slots.last().unwrap();
        assert!((5_000 + 2 * SECOND_MS - 20..5_000 + MINUTE_MS).contains(&last), "{last}");
        assert!(slot("r@far.example".to_owned()) < 5_000 + SECOND_MS);
    }
}
