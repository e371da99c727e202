//! What an account sees of the logs of rooms (XEP-0313, design decision 22).

use std::collections::BTreeMap;

use super::Bouncer;
use crate::event::{Outcome, Verdict};
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

    /// From when to when the account was in, as far as it sees the log of that room, in UTC and oldest first. If it still is,
    /// the last has no end. Nothing if it blocks anybody there: then each message has to be looked at.
    pub fn logged_intervals(&self, account: &str, room: &str) -> Option<Vec<(i64, Option<i64>)>> {
        let known = self.state().accounts.get(account)?;
        let present = known.rooms.get(room).and_then(|place| place.occupancy.logged_intervals());
        let left = || known.ledger.intervals().get(room).map(|intervals| intervals.apart(None));
        let is_whole = known.profile.blocked.about(&BareJid::new(room)).is_empty();
        present.or_else(left).filter(|_| is_whole)
    }

    /// A message of the past, logged under an id, is in the log under that one.
    pub(super) fn log_settled(&mut self, room: &BareJid, id: &str, known_as: &str) -> Outcome {
        self.state.logs.settle(room, id, known_as);
        self.outcome(Verdict::Handled, Vec::new())
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
        let was_in = |at_ms| match occupancy.filter(|occupancy| occupancy.intervals().is_some()) {
            Some(occupancy) => occupancy.sees_logged(at_ms),
            None => left.is_some_and(|intervals| intervals.cover(at_ms)),
        };
        was_in(at_ms)
            && said_ms.is_none_or(was_in)
            && !known.profile.blocked.covers(&from)
            && !occupancy.is_some_and(|occupancy| occupancy.blocks(from.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Archive, Config};
    use crate::event::{Action, Event, Now, SessionId};
    use crate::xmpp::stanza::Stanza;

    const ROOM: &str = "lounge@rooms.example";

    /// A core, and what time it is.
    struct Scene(Bouncer, u64);

    impl Scene {
        fn happens(&mut self, event: Event) -> Vec<Action> {
            self.1 += 1_000;
            let now = Now { monotonic_ms: self.1, utc_ms: self.1.cast_signed() };
            self.0.handle(now, event).actions
        }

        fn sends(&mut self, xml: &str) -> Vec<Action> {
            let from = Jid::new("alice@example.org/desk");
            let stanza = Stanza::from_xml(xml).unwrap().from(from).to(Jid::new(&format!("{ROOM}/alice")));
            self.happens(Event::ClientStanza { session: SessionId(1), stanza })
        }

        fn arrives(&mut self, xml: &str, nick: &str) {
            let from = Jid::new(&format!("{ROOM}/{nick}"));
            let stanza = Stanza::from_xml(xml).unwrap().from(from).to(Jid::new("alice@example.org"));
            self.happens(Event::RoomStanza { stanza });
        }

        /// The account joins, and somebody says something.
        fn joins_and_hears(&mut self) {
            let actions =
                self.sends("<presence id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
            let sent =
                |action: &Action| if let Action::Send { stanza } = action { stanza.id.clone() } else { None };
            let id = actions.iter().find_map(sent);
            let own = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>";
            self.arrives("<presence/>", "bob");
            self.arrives(&format!("<presence id='{}'>{own}</presence>", id.unwrap()), "alice");
            self.arrives("<message type='groupchat'><subject/></message>", "bob");
            let id = self.1; // another each time
            self.arrives(&format!("<message type='groupchat' id='{id}'><body>a</body></message>"), "bob");
        }

        fn sees_now(&self) -> bool {
            let at_ms = self.1.cast_signed();
            self.0.sees_logged("alice@example.org", &format!("{ROOM}/bob"), at_ms, Some(at_ms))
        }
    }

    #[test]
    fn a3_intervals_are_told_unless_each_message_has_to_be_looked_at() {
        let config = Config { archive: Archive::All, ..Config::default() };
        let mut scene = Scene(Bouncer::new(config, 1), 1_000_000);
        scene.joins_and_hears();
        let (account, heard_ms) = ("alice@example.org", scene.1.cast_signed());
        let told = |scene: &Scene| scene.0.logged_intervals(account, ROOM);
        let sees = |told: Option<Vec<(i64, Option<i64>)>>, to| matches!(told.as_deref(), Some([(from_ms, to_ms)]) if *from_ms <= heard_ms && to_ms.is_some() == to);
        assert!(sees(told(&scene), false));
        scene.sends("<presence type='unavailable' id='l'/>");
        for _ in 0..10 {
            scene.happens(Event::DeadlineReached);
        }
        assert!(sees(told(&scene), true));
        let blocks =
            |jid| Event::BlockListChanged { account: BareJid::new(account), blocked: vec![Jid::new(jid)] };
        scene.happens(blocks("lounge@rooms.example/bob"));
        assert_eq!(told(&scene), None);
        scene.happens(blocks("den@rooms.example"));
        assert!(told(&scene).is_some());
    }

    #[test]
    fn a1_who_joins_again_sees_what_is_logged_from_then_on() {
        let config = Config { archive: Archive::All, ..Config::default() };
        let mut scene = Scene(Bouncer::new(config, 1), 1_000_000);
        scene.joins_and_hears();
        assert!(scene.sees_now());
        scene.sends("<presence type='unavailable' id='l'/>");
        for _ in 0..10 {
            scene.happens(Event::DeadlineReached);
        }
        assert!(!scene.sees_now(), "it is out, and that is stored");
        scene.joins_and_hears();
        assert!(scene.sees_now());
    }
}
