//! When which occupancy wants to be woken.

use std::collections::{BTreeMap, BTreeSet};

use crate::xmpp::jid::BareJid;

/// Deadlines in order. A deadline that moves back is not moved here: the occupancy is woken once too early
/// and says anew when it wants to be woken. That keeps what happens most, a later deadline, free.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    by_time: BTreeSet<(u64, BareJid, BareJid)>,
    by_room: BTreeMap<BareJid, BTreeMap<BareJid, u64>>,
}

impl Timetable {
    /// Takes in when an occupancy wants to be woken; what is put off for ever needs no timer.
    pub(crate) fn note(&mut self, account: &BareJid, room: &BareJid, deadline_ms: Option<u64>) {
        let Some(deadline_ms) = deadline_ms.filter(|deadline_ms| *deadline_ms < u64::MAX) else { return };
        let known = self.by_room.get(account).and_then(|rooms| rooms.get(room)).copied();
        if known.is_some_and(|known_ms| known_ms <= deadline_ms) {
            return;
        }
        if let Some(known_ms) = known {
            self.by_time.remove(&(known_ms, account.clone(), room.clone()));
        }
        self.by_time.insert((deadline_ms, account.clone(), room.clone()));
        self.by_room.entry(account.clone()).or_default().insert(room.clone(), deadline_ms);
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.by_time.first().map(|(deadline_ms, _, _)| *deadline_ms)
    }

    /// Takes out every occupancy whose deadline has come.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Vec<(BareJid, BareJid)> {
        let mut due = Vec::new();
        while let Some((deadline_ms, account, room)) = self.by_time.pop_first() {
            if deadline_ms > now_ms {
                self.by_time.insert((deadline_ms, account, room));
                break;
            }
            self.forget(&account, &room);
            due.push((account, room));
        }
        due
    }

    /// Takes out an occupancy that is no more.
    pub(crate) fn remove(&mut self, account: &BareJid, room: &BareJid) {
        if let Some(known_ms) = self.forget(account, room) {
            self.by_time.remove(&(known_ms, account.clone(), room.clone()));
        }
    }

    fn forget(&mut self, account: &BareJid, room: &BareJid) -> Option<u64> {
        let rooms = self.by_room.get_mut(account)?;
        let known_ms = rooms.remove(room);
        if rooms.is_empty() {
            self.by_room.remove(account);
        }
        known_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [BareJid; 3] {
        ["alice@example.org", "lounge@rooms.example", "den@rooms.example"].map(BareJid::new)
    }

    #[test]
    fn the_earliest_comes_first_and_once() {
        let [account, lounge, den] = names();
        let mut timetable = Timetable::default();
        timetable.note(&account, &lounge, Some(20));
        timetable.note(&account, &den, Some(10));
        timetable.note(&account, &lounge, Some(5));
        assert_eq!(timetable.next(), Some(5));
        assert_eq!(timetable.take_due(10), [(account.clone(), lounge), (account, den)]);
        assert_eq!(timetable.next(), None);
    }

    #[test]
    fn who_is_taken_out_is_not_woken() {
        let [account, lounge, den] = names();
        let mut timetable = Timetable::default();
        timetable.note(&account, &lounge, Some(5));
        timetable.note(&account, &den, Some(10));
        timetable.remove(&account, &lounge);
        timetable.remove(&account, &lounge);
        assert_eq!(timetable.take_due(10), [(account.clone(), den)]);
        assert!(timetable.by_room.is_empty());
    }

    #[test]
    fn a_later_deadline_wakes_too_early_once() {
        let [account, lounge, _] = names();
        let mut timetable = Timetable::default();
        timetable.note(&account, &lounge, Some(10));
        timetable.note(&account, &lounge, Some(30));
        assert_eq!(timetable.take_due(10).len(), 1);
        timetable.note(&account, &lounge, Some(30));
        assert_eq!(timetable.next(), Some(30));
        assert!(timetable.take_due(29).is_empty());
    }
}
