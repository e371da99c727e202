//! What an account sees of the logs of rooms (XEP-0313, design decision 22).

use std::collections::BTreeMap;

use super::Bouncer;
use crate::intervals::Intervals;
use crate::xmpp::jid::{BareJid, Jid};

impl Bouncer {
    /// The rooms of whose logs the account sees something, with the first and the last time, in UTC. If it sees what is
    /// logged next, there is no last.
    pub fn logged_rooms(&self, account: &str) -> Vec<(String, i64, Option<i64>)> {
        let Some(known) = self.state().accounts.get(account) else { return Vec::new() };
        let present =
            known.rooms.iter().filter_map(|(room, place)| Some((room, place.occupancy.intervals()?)));
        let rooms: BTreeMap<&BareJid, &Intervals> = known.ledger.intervals().iter().chain(present).collect();
        rooms
            .into_iter()
            .filter_map(|(room, intervals)| {
                let (first_ms, last_ms) = intervals.span()?;
                Some((room.to_string(), first_ms, last_ms))
            })
            .collect()
    }

    /// Whether the account sees a message of that room's log: it was in when the message came, and when it was said, and
    /// does not block who has said it.
    pub fn sees_logged(&self, account: &str, from: &str, at_ms: i64, said_ms: Option<i64>) -> bool {
        let from = Jid::new(from);
        let Some(known) = self.state().accounts.get(account) else { return false };
        let present = known.rooms.get(from.bare()).and_then(|place| place.occupancy.intervals());
        let intervals = present.or_else(|| known.ledger.intervals().get(from.bare()));
        intervals.is_some_and(|intervals| {
            intervals.cover(at_ms) && said_ms.is_none_or(|said_ms| intervals.cover(said_ms))
        }) && !known.profile.blocked.covers(&from)
            && !known.rooms.get(from.bare()).is_some_and(|place| place.occupancy.blocks(from.as_str()))
    }
}
