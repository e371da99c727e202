//! What rooms and clients can make the core keep has a limit (R7).

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use minimix_core::bouncer::Bouncer;
use minimix_core::config::{Config, limit};
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::Stanza;
use serde_json::Value;

const PHONE: SessionId = SessionId(1);
const ROOM: &str = "lounge@rooms.example";
const JOIN: &str = "<presence id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
const SELF: &str = "<presence><x xmlns='http://jabber.org/protocol/muc#user'>\
                    <item affiliation='none' role='participant'/><status code='110'/></x></presence>";

struct Core(Bouncer);

impl Core {
    /// An account in a room, with one session.
    fn in_room() -> Self {
        let mut core = Self(Bouncer::new(Config::default(), 1));
        core.sends(JOIN, &format!("{ROOM}/alice"));
        core.comes(SELF, &format!("{ROOM}/alice"));
        core.comes("<message type='groupchat'><subject/></message>", ROOM);
        core
    }

    fn happens(&mut self, event: Event) -> Vec<Action> {
        self.0.handle(Now { monotonic_ms: 0, utc_ms: 0 }, event).actions
    }

    fn sends(&mut self, xml: &str, to: &str) -> Vec<Action> {
        let stanza = read(xml).from(Jid::new("alice@example.org/phone")).to(Jid::new(to));
        self.happens(Event::ClientStanza { session: PHONE, stanza })
    }

    fn comes(&mut self, xml: &str, from: &str) -> Vec<Action> {
        self.comes_to("alice@example.org", xml, from)
    }

    fn comes_to(&mut self, to: &str, xml: &str, from: &str) -> Vec<Action> {
        self.happens(Event::RoomStanza { stanza: read(xml).from(Jid::new(from)).to(Jid::new(to)) })
    }

    fn state(&self) -> Value {
        let snapshot: Value = serde_json::from_str(&self.0.snapshot().unwrap()).unwrap();
        snapshot["state"].clone()
    }

    fn occupancy(&self) -> Value {
        self.state()["accounts"]["alice@example.org"]["rooms"][ROOM].clone()
    }
}

fn read(xml: &str) -> Stanza {
    Stanza::from_xml(xml).unwrap()
}

fn len(value: &Value) -> usize {
    value.as_array().map(Vec::len).or_else(|| value.as_object().map(serde_json::Map::len)).unwrap()
}

#[test]
fn an_ended_session_that_leaves_is_not_remembered() {
    let mut core = Core::in_room();
    core.happens(Event::SessionGone { session: PHONE });
    core.sends("<presence type='unavailable'/>", &format!("{ROOM}/alice")); // mod_presence's
    assert_eq!(len(&core.state()["sessions"]), 0);
}

#[test]
fn of_many_rooms_joined_and_left_the_first_are_forgotten() {
    let mut core = Core::in_room();
    let most = Config::default().rooms_per_account + limit::ROOMS_LEFT;
    for number in 0..most + 10 {
        let occupant = format!("r{number}@rooms.example/alice");
        core.sends(JOIN, &occupant);
        core.comes(SELF, &occupant);
        core.comes("<message type='groupchat'><subject/></message>", &occupant);
        core.sends("<presence type='unavailable'/>", &occupant);
    }
    assert_eq!(len(&core.state()["accounts"]["alice@example.org"]["rooms"]), most);
    assert!(core.0.occupies("alice@example.org", ROOM), "one that the account is in");
}

#[test]
fn sessions_that_join_by_themselves_without_end_are_left_alone() {
    let mut core = Core::in_room();
    let most = Config::default().rooms_per_account + limit::ROOMS_LEFT;
    let join = "<presence><x xmlns='http://jabber.org/protocol/muc'/><muji xmlns='urn:xmpp:jingle:muji:0'/></presence>";
    for number in 0..most + 10 {
        core.sends(join, &format!("r{number}@rooms.example/alice"));
    }
    assert_eq!(len(&core.state()["accounts"]["alice@example.org"]["rooms"]), most);
}

#[test]
fn a_room_that_has_its_archive_asked_twice_can_not_do_so_without_end() {
    let mut core = Core::in_room();
    let query = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
    let error = "<iq type='error' id='q'><error><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    for _ in 0..limit::ARCHIVE_QUERIES + 10 {
        core.sends(query, ROOM);
        let actions = core.comes_to("alice@example.org/phone", error, ROOM);
        assert!(matches!(actions[..], [Action::Send { .. }]), "asked by the account");
    }
    assert_eq!(len(&core.occupancy()["room_archive"]["repeated"]), limit::ARCHIVE_QUERIES);
}

#[test]
fn a_room_that_shows_occupants_without_end_is_not_listened_to_without_end() {
    let mut core = Core::in_room();
    let anonymity =
        "<message><x xmlns='http://jabber.org/protocol/muc#user'><status code='172'/></x></message>";
    core.comes(anonymity, ROOM);
    core.sends(JOIN, &format!("{ROOM}/alice")); // a resync
    for number in 0..limit::OCCUPANTS + 10 {
        core.comes("<presence/>", &format!("{ROOM}/n{number}"));
    }
    let occupancy = core.occupancy();
    assert_eq!(len(&occupancy["room"]["roster"]["occupants"]), limit::OCCUPANTS);
    let seen = &occupancy["phase"]["In"]["upstream"]["pending"]["what"]["Resync"]["seen"];
    assert_eq!(len(seen), limit::OCCUPANTS);
}

#[test]
fn what_a_room_sends_of_any_depth_survives_a_reload() {
    let mut core = Core::in_room();
    let deep = format!(
        "<message type='groupchat'><body>b</body>{}x{}</message>",
        "<a>".repeat(64),
        "</a>".repeat(64)
    );
    core.comes(&deep, &format!("{ROOM}/bob"));
    let snapshot = core.0.snapshot().unwrap();
    assert!(Bouncer::restore(Config::default(), 1, &snapshot).is_ok());
}
