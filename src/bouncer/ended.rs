//! Streams that have ended, and the rooms that have not been told so yet: a service may have many, and telling all in one
//! call would hold the server up. A room to which something happens is told before that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Bouncer;
use super::account::Place;
use crate::config::limit;
use crate::event::{Action, Now};
use crate::turn::Turn;
use crate::xmpp::jid::BareJid;

/// The streams of which some rooms do not know yet that they have ended, in the order in which they did.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ended {
    streams: VecDeque<Stream>,
    /// The number of the last one. Each place has the number of the last one that it has been told of.
    last: u32,
}

/// A stream that has ended.
#[derive(Debug, Serialize, Deserialize)]
struct Stream {
    number: u32,
    domain: String,
    in_peace: bool,
    is_incoming: bool,
    /// The last of the service's rooms that has been told in its turn, with its account.
    told: Option<(BareJid, BareJid)>,
}

impl Ended {
    /// When the next rooms are told: at once, if there are any.
    pub(super) fn next_ms(&self) -> Option<u64> {
        (!self.streams.is_empty()).then_some(0)
    }

    /// The number of the last stream: a room that is known from then on need not be told of it.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    /// A stream to that service has ended.
    fn note(&mut self, domain: &str, in_peace: bool, is_incoming: bool) {
        self.last = self.last.wrapping_add(1);
        let domain = domain.to_owned();
        self.streams.push_back(Stream { number: self.last, domain, in_peace, is_incoming, told: None });
    }

    /// Tells a room, if it has not been told.
    pub(super) fn tell(&self, place: &mut Place, turn: &mut Turn<'_>) {
        for stream in &self.streams {
            if place.told < stream.number && stream.domain == place.occupancy.room().domain() {
                place.occupancy.stream_lost(turn, stream.in_peace, stream.is_incoming);
                place.occupancy.settle(turn);
                place.told = stream.number;
            }
        }
    }

    /// Those rooms of the first stream's service have had their turn: the last ones if there are fewer than a call tells.
    fn note_told(&mut self, mut rooms: Vec<(BareJid, BareJid)>) {
        if rooms.len() < limit::TOLD {
            self.streams.pop_front();
        } else if let Some(stream) = self.streams.front_mut() {
            stream.told = rooms.pop();
        }
    }
}

impl Bouncer {
    /// A stream to a service has ended: its rooms are told, the first of them at once if no others have to be told before.
    pub(super) fn stream_ended(
        &mut self,
        now: Now,
        domain: &str,
        in_peace: bool,
        is_incoming: bool,
    ) -> Vec<Action> {
        let is_first = self.state.ended.streams.is_empty();
        if self.state.services.known_at(domain).next().is_some() {
            self.state.ended.note(domain, in_peace, is_incoming);
        }
        if is_first { self.tell_of_ended(now) } else { Vec::new() }
    }

    /// Tells some of the rooms that have not been told.
    pub(super) fn tell_of_ended(&mut self, now: Now) -> Vec<Action> {
        let Some(stream) = self.state.ended.streams.front() else { return Vec::new() };
        let rooms = self.state.services.known_after(&stream.domain, stream.told.as_ref());
        let rooms: Vec<_> = rooms.take(limit::TOLD).cloned().collect();
        let outcome = self.everywhere(now, rooms.clone(), |_, _| {}); // whatever happens there, a room is told first
        self.state.ended.note_told(rooms);
        outcome.actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::event::Event;
    use crate::xmpp::stanza::Stanza;

    const NOW: Now = Now { monotonic_ms: 1, utc_ms: 1 };

    /// So many accounts are in the same room since a start.
    fn with_accounts(count: usize) -> Bouncer {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        for number in 0..count {
            let text = r#"{"v":1,"nick":"alice","affiliation":"member","away":true}"#;
            let records = vec![(BareJid::new("lounge@rooms.example"), text.to_owned())];
            bouncer.handle(NOW, Event::Loaded { account: account(number), records, blocked: Vec::new() });
        }
        bouncer
    }

    fn account(number: usize) -> BareJid {
        BareJid::new(&format!("account{number:05}@example.org"))
    }

    fn untold(bouncer: &Bouncer) -> usize {
        let places = bouncer.state.accounts.values().flat_map(|known| known.rooms.values());
        places.filter(|place| place.told < bouncer.state.ended.last).count()
    }

    fn lose(bouncer: &mut Bouncer) -> Option<u64> {
        let domain = "rooms.example".to_owned();
        bouncer.handle(NOW, Event::ServiceLost { domain, in_peace: true, is_incoming: true }).wake_at
    }

    #[test]
    fn k9_not_too_many_rooms_are_told_of_the_end_of_a_stream_in_one_call() {
        let mut bouncer = with_accounts(2 * limit::TOLD + 1);
        assert_eq!(lose(&mut bouncer), Some(0));
        assert_eq!(untold(&bouncer), limit::TOLD + 1);
        lose(&mut bouncer);
        assert_eq!(untold(&bouncer), 2 * limit::TOLD + 1, "the rooms of the first stream are told first");
        let mut calls = 0;
        while bouncer.handle(NOW, Event::DeadlineReached).wake_at == Some(0) {
            calls += 1;
        }
        assert!(calls <= 5, "{calls}");
        assert_eq!(untold(&bouncer), 0);
    }

    #[test]
    fn k9_nothing_happens_to_the_rooms_of_other_services() {
        let mut bouncer = with_accounts(2);
        let domain = "elsewhere.example".to_owned();
        bouncer.handle(NOW, Event::ServiceLost { domain, in_peace: true, is_incoming: true });
        assert_eq!((untold(&bouncer), bouncer.state.ended.last), (0, 0));
    }

    #[test]
    fn k9_a_room_that_is_known_later_is_told_nothing() {
        let mut bouncer = with_accounts(limit::TOLD + 1);
        lose(&mut bouncer);
        let text = r#"{"v":1,"nick":"alice","affiliation":"member","away":true}"#;
        let records = vec![(BareJid::new("den@rooms.example"), text.to_owned())];
        bouncer
            .handle(NOW, Event::Loaded { account: account(limit::TOLD + 1), records, blocked: Vec::new() });
        assert_eq!(untold(&bouncer), 1);
    }

    #[test]
    fn k9_a_room_to_which_something_happens_is_told_before_that() {
        let mut bouncer = with_accounts(limit::TOLD + 2);
        lose(&mut bouncer);
        assert_eq!(untold(&bouncer), 2);
        let xml = format!(
            "<message from='lounge@rooms.example/bob' to='{}' type='groupchat'><body>a</body></message>",
            account(limit::TOLD + 1).as_str()
        );
        bouncer.handle(NOW, Event::RoomStanza { stanza: Stanza::from_xml(&xml).unwrap() });
        assert_eq!(untold(&bouncer), 1);
    }
}
