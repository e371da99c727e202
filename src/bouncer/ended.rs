//! Streams that have ended, and the rooms that have not been told so yet: a service may have many, and telling all in one
//! call would hold the server up. A room to which something happens is told before that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Bouncer;
use crate::config::limit;
use crate::event::{Action, Now};
use crate::occupancy::Occupancy;
use crate::turn::Turn;
use crate::xmpp::jid::BareJid;

/// The streams of which some rooms do not know yet that they have ended, in the order in which they did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ended(VecDeque<Stream>);

/// A stream that has ended.
#[derive(Debug, Serialize, Deserialize)]
struct Stream {
    in_peace: bool,
    is_incoming: bool,
    /// The rooms, by account, that have not been told.
    untold: BTreeMap<BareJid, BTreeSet<BareJid>>,
}

impl Ended {
    /// When the next rooms are told: at once, if there are any.
    pub(super) fn next_ms(&self) -> Option<u64> {
        (!self.0.is_empty()).then_some(0)
    }

    /// A stream to the service of these rooms has ended.
    fn note(&mut self, in_peace: bool, is_incoming: bool, rooms: Vec<(BareJid, BareJid)>) {
        let mut untold = BTreeMap::<_, BTreeSet<_>>::new();
        for (account, room) in rooms {
            untold.entry(account).or_default().insert(room);
        }
        self.0.push_back(Stream { in_peace, is_incoming, untold });
    }

    /// Tells a room, if it has not been told.
    pub(super) fn tell(&mut self, occupancy: &mut Occupancy, turn: &mut Turn<'_>) {
        for stream in &mut self.0 {
            if stream.take(occupancy.account(), occupancy.room()) {
                occupancy.stream_lost(turn, stream.in_peace, stream.is_incoming);
                occupancy.settle(turn);
            }
        }
    }

    /// The rooms that are told next.
    fn next(&self) -> Vec<(BareJid, BareJid)> {
        let untold = self.0.front().into_iter().flat_map(|stream| &stream.untold);
        let rooms =
            untold.flat_map(|(account, rooms)| rooms.iter().map(|room| (account.clone(), room.clone())));
        rooms.take(limit::TOLD).collect()
    }

    /// Those rooms have been told, or are not there any more.
    fn forget(&mut self, rooms: &[(BareJid, BareJid)]) {
        if let Some(stream) = self.0.front_mut() {
            for (account, room) in rooms {
                stream.take(account, room);
            }
        }
        while self.0.front().is_some_and(|stream| stream.untold.is_empty()) {
            self.0.pop_front();
        }
    }
}

impl Stream {
    /// Takes out a room; false if it has been told.
    fn take(&mut self, account: &BareJid, room: &BareJid) -> bool {
        let Some(rooms) = self.untold.get_mut(account) else { return false };
        let is_untold = rooms.remove(room);
        if rooms.is_empty() {
            self.untold.remove(account);
        }
        is_untold
    }
}

impl Bouncer {
    /// A stream to a service has ended: its rooms are told, the first of them at once.
    pub(super) fn stream_ended(
        &mut self,
        now: Now,
        domain: &str,
        in_peace: bool,
        is_incoming: bool,
    ) -> Vec<Action> {
        self.state.ended.note(in_peace, is_incoming, self.state.services.rooms_at(domain));
        self.tell_of_ended(now)
    }

    /// Tells some of the rooms that have not been told.
    pub(super) fn tell_of_ended(&mut self, now: Now) -> Vec<Action> {
        let rooms = self.state.ended.next();
        let outcome = self.everywhere(now, rooms.clone(), |_, _| {}); // whatever happens there, a room is told first
        self.state.ended.forget(&rooms);
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
        bouncer.state.ended.0.iter().flat_map(|stream| stream.untold.values()).map(BTreeSet::len).sum()
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
        assert_eq!(untold(&bouncer), limit::TOLD + 2, "those who are told are told of both");
        let mut calls = 0;
        while bouncer.handle(NOW, Event::DeadlineReached).wake_at == Some(0) {
            calls += 1;
        }
        assert!(calls <= 3, "{calls}");
        assert_eq!(untold(&bouncer), 0);
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
