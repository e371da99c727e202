//! When which occupancy wants to be woken.

use std::collections::BTreeSet;

use super::account::Place;
use crate::config::{Config, limit};
use crate::moment::Moment;
use crate::xmpp::jid::BareJid;

/// Deadlines in order. When a deadline moves later, its entry stays and fires once too early: then the occupancy
/// says anew when it wants to be woken. That keeps what happens most, a later deadline, free.
#[derive(Debug, Default)]
pub(crate) struct Timetable(BTreeSet<(u64, BareJid, BareJid)>);

impl Timetable {
    /// Notes the deadline of an occupancy. A deadline that never comes needs no entry.
    pub(crate) fn note(&mut self, place: &mut Place, config: &Config) {
        let deadline_ms = place.occupancy.deadline(config).filter(|deadline_ms| *deadline_ms < u64::MAX);
        let Some(deadline_ms) = deadline_ms else { return };
        if place.noted.is_some_and(|noted| noted.ms() <= deadline_ms) {
            return;
        }
        self.remove(place);
        place.noted = Some(Moment::at(deadline_ms));
        let (account, room) = (place.occupancy.account().clone(), place.occupancy.room().clone());
        self.0.insert((deadline_ms, account, room));
    }

    /// Notes that an occupancy is to be woken at once.
    pub(crate) fn wake(&mut self, place: &mut Place, now_ms: u64) {
        self.remove(place);
        place.noted = Some(Moment::at(now_ms));
        self.0.insert((now_ms, place.occupancy.account().clone(), place.occupancy.room().clone()));
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.0.first().map(|(deadline_ms, _, _)| *deadline_ms)
    }

    /// Takes out the occupancies whose deadline has come, the first ones if there are too many for one call.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Vec<(BareJid, BareJid)> {
        let mut due = Vec::new();
        while due.len() < limit::WOKEN && self.next().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            due.extend(self.0.pop_first().map(|(_, account, room)| (account, room)));
        }
        due
    }

    /// Removes an occupancy that is forgotten.
    pub(crate) fn remove(&mut self, place: &Place) {
        if let Some(noted) = place.noted {
            let (account, room) = (place.occupancy.account().clone(), place.occupancy.room().clone());
            self.0.remove(&(noted.ms(), account, room));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occupancy::Occupancy;

    /// A room that nothing is known of may be forgotten at once.
    fn place(room: &str) -> Place {
        Place::new(Occupancy::new(BareJid::new("alice@example.org"), BareJid::new(room)), 0)
    }

    #[test]
    fn the_earliest_comes_first_and_once() {
        let mut timetable = Timetable::default();
        let (mut lounge, mut den) = (place("lounge@rooms.example"), place("den@rooms.example"));
        timetable.note(&mut lounge, &Config::default());
        timetable.note(&mut den, &Config::default());
        timetable.note(&mut lounge, &Config::default());
        assert_eq!(timetable.next(), Some(0));
        let due: Vec<_> = timetable.take_due(0).into_iter().map(|(_, room)| room.to_string()).collect();
        assert_eq!(due, ["den@rooms.example", "lounge@rooms.example"]);
        assert_eq!(timetable.next(), None);
    }

    #[test]
    fn not_too_many_are_woken_in_one_call() {
        let mut timetable = Timetable::default();
        for number in 0..=limit::WOKEN {
            timetable.note(&mut place(&format!("room{number}@rooms.example")), &Config::default());
        }
        assert_eq!(timetable.take_due(0).len(), limit::WOKEN);
        assert_eq!(timetable.next(), Some(0));
        assert_eq!(timetable.take_due(0).len(), 1);
    }

    #[test]
    fn one_that_is_taken_out_is_not_woken() {
        let mut timetable = Timetable::default();
        let mut lounge = place("lounge@rooms.example");
        timetable.note(&mut lounge, &Config::default());
        timetable.remove(&lounge);
        timetable.remove(&lounge);
        assert!(timetable.take_due(0).is_empty());
    }

    #[test]
    fn a_later_deadline_leaves_the_earlier_entry() {
        let mut timetable = Timetable::default();
        let mut lounge = place("lounge@rooms.example");
        timetable.note(&mut lounge, &Config::default());
        lounge.noted = Some(Moment::at(0));
        timetable.note(&mut lounge, &Config::default());
        assert_eq!(timetable.take_due(0).len(), 1);
    }
}
