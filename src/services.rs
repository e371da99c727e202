//! What is known of each room service: whether it takes accounts, and which of our rooms are there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::Now;
use crate::trouble::Troubles;
use crate::xmpp::jid::BareJid;

/// How many rooms have to agree before what is found of them holds for their service (design decision 1).
const AGREEING_ROOMS: usize = 2;

/// What turns out about a service in one of its rooms (design decision 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The room does not take accounts.
    IsDirect,
    /// The room shows itself to an account.
    ShowsRooms,
}

/// All services, by their domains.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Services {
    /// The rooms that have turned out not to take accounts, and until when that counts.
    direct: BTreeMap<String, BTreeMap<BareJid, u64>>,
    /// The services that have shown an account one of their rooms, and until when that counts.
    showing: BTreeMap<String, u64>,
    /// The services to which a stream is being set up.
    out_of_reach: BTreeSet<String>,
    /// The services that may be out of reach, and those that were until a moment ago.
    pub(crate) troubles: Troubles,
    /// Which account knows which room there.
    #[serde(skip)]
    rooms: BTreeMap<String, BTreeSet<(BareJid, BareJid)>>,
}

impl Services {
    /// Whether sessions join that room by themselves: it has turned out not to take accounts, or its whole
    /// service has.
    pub(crate) fn is_direct(&self, now: Now, room: &BareJid) -> bool {
        let counts = |until_ms: &u64| now.monotonic_ms < *until_ms;
        let Some(rooms) = self.direct.get(room.domain()) else { return false };
        let do_agree = || rooms.values().filter(|until_ms| counts(until_ms)).count() >= AGREEING_ROOMS;
        rooms.get(room).is_some_and(counts) || (do_agree() && !self.shows_rooms(now, room.domain()))
    }

    /// Whether a service has shown an account one of its rooms: it may be slow, but is not direct (design
    /// decision 16).
    pub(crate) fn shows_rooms(&self, now: Now, domain: &str) -> bool {
        self.showing.get(domain).is_some_and(|until_ms| now.monotonic_ms < *until_ms)
    }

    /// Takes in what has turned out in a room.
    pub(crate) fn note(&mut self, now: Now, room: &BareJid, finding: Finding) {
        match finding {
            Finding::IsDirect => self.note_direct(now, room),
            Finding::ShowsRooms => self.note_showing(now, room.domain()),
        }
    }

    fn note_direct(&mut self, now: Now, room: &BareJid) {
        self.direct.retain(|_, rooms| {
            rooms.retain(|_, until_ms| now.monotonic_ms < *until_ms);
            !rooms.is_empty()
        });
        if self.direct.values().map(BTreeMap::len).sum::<usize>() < limit::DIRECT_ROOMS {
            let rooms = self.direct.entry(room.domain().to_owned()).or_default();
            rooms.insert(room.clone(), now.monotonic_ms + limit::DIRECT_MS);
        }
    }

    fn note_showing(&mut self, now: Now, domain: &str) {
        let until_ms = now.monotonic_ms + limit::DIRECT_MS;
        if let Some(known_ms) = self.showing.get_mut(domain) {
            *known_ms = until_ms;
            return;
        }
        self.showing.retain(|_, until_ms| now.monotonic_ms < *until_ms);
        if self.showing.len() < limit::SHOWING_SERVICES {
            self.showing.insert(domain.to_owned(), until_ms);
        }
    }

    /// Whether the stream to a service is only being set up.
    pub(crate) fn is_out_of_reach(&self, domain: &str) -> bool {
        self.out_of_reach.contains(domain)
    }

    /// A stream to a service is being set up.
    pub(crate) fn note_stream_begun(&mut self, domain: &str) {
        if self.rooms.contains_key(domain) {
            self.out_of_reach.insert(domain.to_owned());
        }
    }

    /// A stream to a service has been set up, or can't be; false if that was not waited for.
    pub(crate) fn note_stream_settled(&mut self, domain: &str) -> bool {
        self.out_of_reach.remove(domain)
    }

    /// The rooms that do not take accounts, and until when that counts in UTC.
    pub(crate) fn direct_until(&self, now: Now) -> impl Iterator<Item = (&BareJid, i64)> {
        let left_ms =
            move |until_ms: u64| i64::try_from(until_ms.saturating_sub(now.monotonic_ms)).unwrap_or(0);
        let direct = self.direct.values().flatten().map(move |(room, until_ms)| (room, left_ms(*until_ms)));
        direct.filter(|(_, left_ms)| *left_ms > 0).map(move |(room, left_ms)| (room, now.utc_ms + left_ms))
    }

    /// A room has been known not to take accounts since before a start.
    pub(crate) fn restore_direct(&mut self, now: Now, room: BareJid, until_ms: i64) {
        let left_ms = u64::try_from(until_ms.saturating_sub(now.utc_ms)).unwrap_or_default();
        let left_ms = left_ms.min(limit::DIRECT_MS); // a clock may have been put back
        if left_ms > 0 && self.direct.values().map(BTreeMap::len).sum::<usize>() < limit::DIRECT_ROOMS {
            let rooms = self.direct.entry(room.domain().to_owned()).or_default();
            rooms.insert(room, now.monotonic_ms + left_ms);
        }
    }

    /// An account has to do with a room.
    pub(crate) fn add(&mut self, account: &BareJid, room: &BareJid) {
        self.rooms.entry(room.domain().to_owned()).or_default().insert((account.clone(), room.clone()));
    }

    /// How many rooms accounts know there: one for each account.
    pub(crate) fn count_at(&self, domain: &str) -> usize {
        self.rooms.get(domain).map_or(0, BTreeSet::len)
    }

    /// An account has nothing to do with a room any more.
    pub(crate) fn remove(&mut self, account: &BareJid, room: &BareJid) {
        let Some(rooms) = self.rooms.get_mut(room.domain()) else { return };
        rooms.remove(&(account.clone(), room.clone()));
        if rooms.is_empty() {
            self.rooms.remove(room.domain());
        }
    }

    /// The rooms at a service, with the accounts that have to do with them.
    pub(crate) fn known_at(&self, domain: &str) -> impl Iterator<Item = &(BareJid, BareJid)> {
        self.rooms.get(domain).into_iter().flatten()
    }

    /// Those of them that come after that one, in their order.
    pub(crate) fn known_after(
        &self,
        domain: &str,
        last: Option<&(BareJid, BareJid)>,
    ) -> impl Iterator<Item = &(BareJid, BareJid)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.rooms.get(domain).into_iter().flat_map(move |rooms| rooms.range((from, Bound::Unbounded)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now { monotonic_ms: 0, utc_ms: 0 };

    #[test]
    fn r5_two_rooms_make_a_service_direct_unless_it_shows_a_third() {
        let [lounge, den, hall, far] =
            ["lounge@rooms.example", "den@rooms.example", "hall@rooms.example", "hall@far.example"]
                .map(BareJid::new);
        let mut services = Services::default();
        services.note(START, &lounge, Finding::IsDirect);
        services.note(START, &lounge, Finding::IsDirect);
        assert!(services.is_direct(START, &lounge) && !services.is_direct(START, &hall));
        services.note(START, &den, Finding::IsDirect);
        assert!(services.is_direct(START, &hall) && !services.is_direct(START, &far));
        services.note(START, &hall, Finding::ShowsRooms);
        assert!(services.is_direct(START, &lounge) && !services.is_direct(START, &hall));
        let later = Now { monotonic_ms: limit::DIRECT_MS, ..START };
        assert!(!services.is_direct(later, &lounge) && !services.shows_rooms(later, "rooms.example"));
    }

    #[test]
    fn r7_findings_are_limited() {
        let mut services = Services::default();
        for number in 0..limit::DIRECT_ROOMS.max(limit::SHOWING_SERVICES) + 10 {
            services.note(START, &BareJid::new(&format!("r{number}@rooms.example")), Finding::IsDirect);
            services.note(START, &BareJid::new(&format!("r@s{number}.example")), Finding::ShowsRooms);
        }
        assert_eq!(services.direct.values().map(BTreeMap::len).sum::<usize>(), limit::DIRECT_ROOMS);
        assert_eq!(services.showing.len(), limit::SHOWING_SERVICES);
        services.note_stream_begun("nobody.example");
        assert!(!services.note_stream_settled("nobody.example"), "no room of ours is there");
    }

    #[test]
    fn k9_a_service_knows_its_own_rooms_and_no_others() {
        let [alice, lounge, den, far] =
            ["alice@example.org", "lounge@rooms.example", "den@rooms.example", "lounge@far.example"]
                .map(BareJid::new);
        let mut services = Services::default();
        for room in [&lounge, &den, &far] {
            services.add(&alice, room);
        }
        services.remove(&alice, &den);
        assert!(services.known_at("rooms.example").eq([&(alice.clone(), lounge.clone())]));
        services.remove(&alice, &lounge);
        services.remove(&alice, &lounge);
        assert_eq!(services.known_at("rooms.example").next(), None);
        assert_eq!(services.rooms.len(), 1);
    }
}
