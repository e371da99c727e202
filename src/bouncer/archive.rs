//! What an account sees of the logs of rooms (XEP-0313, design decision 22).

use std::collections::BTreeMap;

use super::Bouncer;
use crate::xmpp::jid::{BareJid, Jid};

impl Bouncer {
    /// The rooms of whose logs the account sees something, with the first and the last time, in UTC. If it sees what is
    /// logged next, there is no last.
    pub fn logged_rooms(&self, account: &str) -> Vec<(String, i64, Option<i64>)> {
        let Some(known) = self.state().accounts.get(account) else { return Vec::new() };
        let present = known.rooms.iter().map(|(room, place)| (room, place.occupancy.logged_span()));
        let left = known.ledger.intervals().iter().map(|(room, intervals)| (room, intervals.span()));
        let spans = left.chain(present).filter_map(|(room, span)| Some((room, span?)));
        let rooms: BTreeMap<&BareJid, (i64, Option<i64>)> = spans.collect();
        rooms.into_iter().map(|(room, (first_ms, last_ms))| (room.to_string(), first_ms, last_ms)).collect()
    }

    /// Whether more of the log is wanted than has been told for that order.
    pub fn reads_log(&self, account: &str, room: &str, id: &str) -> bool {
        self.occupancy(account, room).is_some_and(|occupancy| occupancy.reads_log(id))
    }

    /// Whether the account sees a message of that room's log: it was in when the message came, and when it was said, and
    /// does not block who has said it.
    pub fn sees_logged(&self, account: &str, from: &str, at_ms: i64, said_ms: Option<i64>) -> bool {
        let from = Jid::new(from);
        let Some(known) = self.state().accounts.get(account) else { return false };
        let occupancy = known.rooms.get(from.bare()).map(|place| &place.occupancy);
        let left = known.ledger.intervals().get(from.bare());
        let was_in = |at_ms| match left {
            Some(intervals) => intervals.cover(at_ms),
            None => occupancy.is_some_and(|occupancy| occupancy.sees_logged(at_ms)),
        };
        was_in(at_ms)
            && said_ms.is_none_or(was_in)
            && !known.profile.blocked.covers(&from)
            && !occupancy.is_some_and(|occupancy| occupancy.blocks(from.as_str()))
    }
}
