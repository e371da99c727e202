//! Events that concern a service: its streams, whether it is there, and whose turn it is among its rooms.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Bouncer;
use crate::config::limit;
use crate::event::{Action, Now, Outcome, Verdict};
use crate::pace::Load;
use crate::trouble::{Contact, is_unreachable};
use crate::xmpp::jid::BareJid;

/// The services that are up again, and whose rooms have not all begun to wait for their turn: to line all of them up in one
/// call would hold the server up.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Returning(VecDeque<(String, Option<(BareJid, BareJid)>)>); // each with the last room that waits

impl Returning {
    /// When the next rooms are lined up: at once, if there are any.
    pub(super) fn next_ms(&self) -> Option<u64> {
        (!self.0.is_empty()).then_some(0)
    }

    fn has(&self, domain: &str) -> bool {
        self.0.iter().any(|(returning, _)| returning == domain)
    }

    fn forget(&mut self, domain: &str) {
        self.0.retain(|(returning, _)| returning != domain);
    }
}

impl Bouncer {
    /// A stream to a service is being set up: its silence says nothing (design decision 16).
    pub(super) fn stream_begun(&mut self, now: Now, domain: &str) -> Outcome {
        self.state.services.note_stream_begun(domain);
        self.note_reach(now, domain, false)
    }

    pub(super) fn stream_settled(&mut self, now: Now, domain: &str) -> Outcome {
        if !self.state.services.note_stream_settled(domain) {
            return self.pass("nothing waits for that stream");
        }
        self.note_reach(now, domain, true)
    }

    /// Only rooms that have not answered are concerned: few, of the many that a service may have.
    fn note_reach(&mut self, now: Now, domain: &str, is_reached: bool) -> Outcome {
        let awaits_answer = |(account, room): &&(BareJid, BareJid)| {
            let known = self.state.accounts.get(account);
            known.and_then(|known| known.rooms.get(room)).is_some_and(|place| place.occupancy.awaits_answer())
        };
        let rooms = self.state.services.known_at(domain).filter(awaits_answer).cloned().collect();
        self.everywhere(now, rooms, |occupancy, turn| occupancy.note_reach(turn, is_reached))
    }

    /// A service that was out of reach is asked at once (K8).
    pub(super) fn stream_established(&mut self, now: Now, domain: &str, is_of_peer: bool) -> Outcome {
        self.state.services.troubles.note_stream(now, domain, is_of_peer);
        let actions = self.ask_services(now);
        self.outcome(Verdict::Handled, actions)
    }

    /// Accounts may be out of the rooms there.
    pub(super) fn service_lost(
        &mut self,
        now: Now,
        domain: &str,
        in_peace: bool,
        is_incoming: bool,
    ) -> Outcome {
        if self.state.is_stopping {
            return self.pass("the server stops");
        }
        if !in_peace {
            self.doubt(now, domain);
        }
        let actions = self.stream_ended(now, domain, in_peace, is_incoming);
        self.outcome(Verdict::Handled, actions)
    }

    /// Any answer shows that the service is there, also an error that it makes itself.
    pub(super) fn service_answered(
        &mut self,
        now: Now,
        domain: &str,
        id: &str,
        error: Option<&str>,
    ) -> Outcome {
        if error.is_some_and(is_unreachable) {
            self.state.services.troubles.note_unreachable(now, domain, id);
        } else {
            self.note_contact(now, domain, Contact::Heard);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// A service has shown itself, or can't be reached.
    pub(super) fn note_contact(&mut self, now: Now, domain: &str, contact: Contact) {
        match contact {
            Contact::Unreachable => self.doubt(now, domain),
            Contact::Heard if self.state.services.troubles.note_heard(domain) => {
                log::debug!("{domain} is up again: its rooms that have not been heard of are asked");
                self.state.returning.forget(domain);
                self.state.returning.0.push_back((domain.to_owned(), None));
                self.line_up(now);
            }
            Contact::Heard => {}
        }
    }

    /// While a service may be out of reach, no room there is asked in its turn.
    fn doubt(&mut self, now: Now, domain: &str) {
        if self.is_in_at(domain) && self.state.services.troubles.doubt(now, domain) {
            log::debug!("{domain} may be out of reach");
            self.state.pace.forget(domain);
            self.state.returning.forget(domain);
        }
    }

    /// Whether an account is in a room there, or about to be.
    fn is_in_at(&self, domain: &str) -> bool {
        let is_in = |(account, room): &(BareJid, BareJid)| {
            self.state.accounts.get(account).is_some_and(|known| known.occupies(room.as_str()))
        };
        self.state.services.known_at(domain).any(is_in)
    }

    /// Asks the services for which that is due, and waits longer for those that have not answered.
    pub(super) fn ask_services(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.state.is_stopping {
            return actions;
        }
        for domain in self.state.services.troubles.due(now) {
            if !self.is_in_at(&domain) {
                self.state.services.troubles.forget(&domain);
            } else if let Some(id) = self.state.services.troubles.advance(now, &domain, &mut self.ids) {
                actions.push(Action::AskService { domain, id });
            } else {
                log::debug!("{domain} does not answer");
            }
        }
        actions
    }

    /// Lets the rooms decide whose turn has come, not too many in one call, and one that has something to do.
    pub(super) fn give_turns(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.state.is_stopping {
            return actions;
        }
        self.line_up(now);
        for _ in 0..limit::TURNS {
            let Some((account, room)) = self.state.pace.take(now) else { break };
            let unheard_since_ms = self.state.services.troubles.unheard_since_ms(room.domain());
            let mut load = Load::Nothing;
            let outcome = self.in_room(now, &account, &room, |occupancy, turn| {
                load = occupancy.has_turn(turn, unheard_since_ms);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
            self.state.pace.note_turn(now, room.domain(), load);
            if load != Load::Nothing {
                break;
            }
        }
        self.note_recovered();
        actions
    }

    /// Nothing need be known of a service whose rooms have all had their turn.
    fn note_recovered(&mut self) {
        if self.state.services.troubles.are_none() {
            return;
        }
        for domain in self.state.services.troubles.recovering() {
            if !(self.state.pace.has_waiting(&domain) || self.state.returning.has(&domain)) {
                self.state.services.troubles.forget(&domain);
            }
        }
    }

    /// A room has to wait for its turn, unless its service is out of reach.
    pub(super) fn await_turn(&mut self, now: Now, account: &BareJid, room: &BareJid) {
        if !self.state.services.troubles.is_out(room.domain()) {
            self.state.pace.wait(now, account, room);
        }
    }

    /// All rooms of a service that is up again wait for their turn, some more of them with each call. Those that are heard
    /// of meanwhile do nothing with it.
    fn line_up(&mut self, now: Now) {
        let Some((domain, last)) = self.state.returning.0.front_mut() else { return };
        let mut count = 0;
        for room in self.state.services.known_after(domain, last.take().as_ref()).take(limit::TOLD) {
            self.state.pace.wait(now, &room.0, &room.1);
            count += 1;
            *last = Some(room.clone());
        }
        if count < limit::TOLD {
            self.state.returning.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SECOND_MS};
    use crate::event::Event;
    use crate::xmpp::stanza::Stanza;

    const ALICE: &str = "alice@example.org";

    /// Alice is in so many rooms since a start, with nobody attached.
    fn in_rooms(count: usize) -> Bouncer {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        let text = r#"{"v":1,"nick":"alice","affiliation":"member","away":true}"#;
        let records = (0..count).map(|number| (room(number), text.to_owned())).collect();
        let account = BareJid::new(ALICE);
        bouncer.handle(at(0), Event::Loaded { account, records, blocked: Vec::new() });
        bouncer
    }

    fn room(number: usize) -> BareJid {
        BareJid::new(&format!("r{number}@rooms.example"))
    }

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, utc_ms: 0 }
    }

    fn sent(actions: &[Action]) -> usize {
        actions.iter().filter(|action| matches!(action, Action::Send { .. })).count()
    }

    fn thrown_out_of(number: usize) -> Event {
        let gone = format!(
            "<presence type='unavailable' from='{}/alice' to='{ALICE}'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='none'/>\
             <status code='110'/><status code='333'/></x></presence>",
            room(number).as_str()
        );
        Event::RoomStanza { stanza: Stanza::from_xml(&gone).unwrap() }
    }

    #[test]
    fn k8_lost_rooms_are_joined_again_twenty_a_second() {
        let mut bouncer = in_rooms(3);
        let joined: Vec<_> =
            (0..3).map(|number| sent(&bouncer.handle(at(1), thrown_out_of(number)).actions)).collect();
        assert_eq!(joined, [1, 0, 0]);
        assert_eq!(sent(&bouncer.wake(at(50)).actions), 0);
        assert_eq!(sent(&bouncer.wake(at(51)).actions), 1);
        assert_eq!(sent(&bouncer.wake(at(100)).actions), 0);
        assert_eq!(sent(&bouncer.wake(at(101)).actions), 1);
    }

    #[test]
    fn k8_one_room_at_a_time_is_at_work() {
        let mut bouncer = in_rooms(2);
        for number in 2..4 {
            let elsewhere = BareJid::new(&format!("r{number}@more{number}.example"));
            let text = r#"{"v":1,"nick":"alice","affiliation":"member","away":true}"#;
            let records = vec![(elsewhere, text.to_owned())];
            let account = BareJid::new(ALICE);
            bouncer.handle(at(0), Event::Loaded { account, records, blocked: Vec::new() });
        }
        let first = bouncer.wake(at(SECOND_MS));
        assert_eq!(sent(&first.actions), 1);
        assert!(first.wake_at.is_some_and(|wake_at| wake_at <= SECOND_MS));
        assert_eq!(sent(&bouncer.wake(at(SECOND_MS)).actions), 1);
    }

    #[test]
    fn k8_the_rooms_of_a_service_that_is_up_again_are_lined_up_in_portions() {
        let mut bouncer = Bouncer::new(Config { rooms_per_account: 3_000, ..Config::default() }, 1);
        let text = r#"{"v":1,"nick":"alice","affiliation":"member","away":true}"#;
        let records = (0..=2 * limit::TOLD).map(|number| (room(number), text.to_owned())).collect();
        let account = BareJid::new(ALICE);
        bouncer.handle(at(0), Event::Loaded { account, records, blocked: Vec::new() });
        bouncer.doubt(at(1), "rooms.example");
        bouncer.note_contact(at(2), "rooms.example", Contact::Heard);
        assert_eq!(bouncer.state.pace.count("rooms.example"), limit::TOLD);
        assert_eq!(bouncer.wake(at(2)).wake_at, Some(0));
        assert_eq!(bouncer.state.pace.count("rooms.example"), 2 * limit::TOLD);
        assert!(bouncer.wake(at(2)).wake_at > Some(0));
        assert_eq!(bouncer.state.pace.count("rooms.example"), 2 * limit::TOLD + 1);
    }

    #[test]
    fn k8_not_too_many_rooms_are_looked_at_in_one_call() {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        let (alice, mut now) = (BareJid::new("alice@example.org"), Now { monotonic_ms: 0, utc_ms: 0 });
        for number in 0..=limit::TURNS {
            bouncer.await_turn(now, &alice, &BareJid::new(&format!("r{number}@rooms.example")));
        }
        now.monotonic_ms = SECOND_MS;
        let outcome = bouncer.wake(now);
        assert!(bouncer.state.pace.has_waiting("rooms.example"));
        assert!(outcome.wake_at.is_some_and(|wake_at| wake_at <= now.monotonic_ms));
        assert_eq!(bouncer.wake(now).wake_at, None);
        assert!(!bouncer.state.pace.has_waiting("rooms.example"));
    }
}
