//! What rooms and clients can make the core keep has a limit (R7).

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)]

#[path = "limits/bookmarks.rs"]
mod bookmarks;
#[path = "limits/gap.rs"]
mod gap;
#[path = "limits/logging.rs"]
mod logging;
#[path = "limits/outbox.rs"]
mod outbox;
#[path = "limits/presences.rs"]
mod presences;

use minimix_core::bouncer::Bouncer;
use minimix_core::config::{Archive, Config, limit};
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::jid::{BareJid, Jid};
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
        Self::in_room_with(Config::default())
    }

    fn in_room_with(config: Config) -> Self {
        let mut core = Self(Bouncer::new(config, 1));
        core.sends(JOIN, &format!("{ROOM}/alice"));
        core.comes(SELF, &format!("{ROOM}/alice"));
        core.comes("<message type='groupchat'><subject/></message>", ROOM);
        core
    }

    fn happens(&mut self, event: Event) -> Vec<Action> {
        self.0.handle(Now { monotonic_ms: 0, utc_ms: 0 }, event).actions
    }

    fn sends(&mut self, xml: &str, to: &str) -> Vec<Action> {
        self.sends_as(PHONE.0, xml, to)
    }

    fn sends_as(&mut self, session: u32, xml: &str, to: &str) -> Vec<Action> {
        let resource = if session == PHONE.0 { "phone".to_owned() } else { format!("d{session}") };
        let stanza = read(xml).from(Jid::new(&format!("alice@example.org/{resource}"))).to(Jid::new(to));
        self.happens(Event::ClientStanza { session: SessionId(session), stanza })
    }

    fn comes(&mut self, xml: &str, from: &str) -> Vec<Action> {
        self.comes_to("alice@example.org", xml, from)
    }

    fn comes_to(&mut self, to: &str, xml: &str, from: &str) -> Vec<Action> {
        self.happens(Event::RoomStanza { stanza: read(xml).from(Jid::new(from)).to(Jid::new(to)) })
    }

    fn snapshot(&self) -> Value {
        serde_json::from_str(&self.0.snapshot().unwrap()).unwrap()
    }

    fn state(&self) -> Value {
        self.snapshot()["state"].clone()
    }

    /// The stanza that is kept there.
    fn kept(&self, place: &Value) -> String {
        let number = usize::try_from(place.as_u64().unwrap()).unwrap();
        self.snapshot()["stanzas"][number].as_str().unwrap().to_owned()
    }

    fn occupancy(&self) -> Value {
        self.state()["accounts"]["alice@example.org"]["rooms"][ROOM]["occupancy"].clone()
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

/// An account that may have missed messages of its room, and asks for them. Gives the id of the query.
fn with_gap() -> (Core, String) {
    let mut core = Core::in_room();
    let said = "<message type='groupchat'><body>a</body>\
                <stanza-id xmlns='urn:xmpp:sid:0' by='lounge@rooms.example' id='s'/></message>";
    core.comes(said, &format!("{ROOM}/bob"));
    core.happens(Event::ServiceLost {
        domain: "rooms.example".to_owned(),
        in_peace: false,
        is_incoming: true,
    });
    let asked = core.comes("<message type='groupchat'><body>b</body></message>", &format!("{ROOM}/bob"));
    let [Action::Send { stanza }] = &*asked else { panic!("{asked:?}") };
    let id = stanza.id.clone().unwrap().to_string();
    (core, id)
}

fn deliveries(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Deliver { .. })).count()
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
    let most = limit::ARCHIVE_COST / 100;
    for _ in 0..most {
        core.sends(query, ROOM);
        let actions = core.comes_to("alice@example.org/phone", error, ROOM);
        assert!(
            matches!(actions[..], [Action::Send { .. }] | []),
            "asked by the account, or waiting: {actions:?}"
        );
    }
    let repeated = len(&core.occupancy()["base"]["room_archive"]["repeated"]);
    assert!((64..most).contains(&repeated), "{repeated}");
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
    let runs = occupancy["base"]["room"]["roster"]["occupants"].as_array().unwrap().iter();
    assert_eq!(runs.map(|run| run[1].as_u64().unwrap()).sum::<u64>(), limit::OCCUPANTS as u64);
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
    let restored = Bouncer::restore(Config::default(), 1, &snapshot).unwrap();
    assert_eq!(restored.snapshot().unwrap(), snapshot, "nothing is lost");
}

/// A core whose account has asked to join, with `count` sessions that wait.
fn joining(count: u32) -> Core {
    let mut core = Core(Bouncer::new(Config::default(), 1));
    for number in 1..=count {
        core.sends_as(number, JOIN, &format!("{ROOM}/alice"));
    }
    core
}

fn line(id: usize, text: &str) -> String {
    format!("<message type='groupchat' id='m{id}'><body>{text}</body></message>")
}

fn is_over_limit(actions: &[Action]) -> bool {
    matches!(actions, [Action::Reply { error, .. }] if error.condition == "resource-constraint")
}

/// The ids of what goes up, in order.
fn sent_up(actions: &[Action]) -> Vec<&str> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { stanza } => stanza.id.as_deref(),
            _ => None,
        })
        .collect()
}

fn let_in(core: &mut Core) -> Vec<Action> {
    let mut actions = core.comes(SELF, &format!("{ROOM}/alice"));
    actions.extend(core.comes("<message type='groupchat'><subject/></message>", ROOM));
    actions
}

#[test]
fn f33_ten_thousand_lines_wait_for_a_join_and_go_up_in_order() {
    let mut core = joining(1);
    for number in 0..10_000 {
        let answers = core.sends(&line(number, "one of ten thousand lines, none of them very long"), ROOM);
        assert!(answers.is_empty(), "line {number}: {answers:?}");
    }
    let actions = let_in(&mut core);
    let expected: Vec<_> = (0..10_000).map(|number| format!("m{number}")).collect();
    assert_eq!(sent_up(&actions), expected);
}

#[test]
fn m3_what_a_session_says_before_its_answer_is_kept_up_to_a_cost_then_refused_in_order() {
    let mut core = joining(1);
    let large = "x".repeat(64 * 1024);
    let most = limit::HELD_COST / large.len();
    let kept = (0..most + 10).map(|number| core.sends(&line(number, &large), ROOM)).collect::<Vec<_>>();
    let first_refused = kept.iter().position(|answers| is_over_limit(answers)).expect("a refusal");
    assert!((most - 10..most).contains(&first_refused), "{first_refused}");
    assert!(kept[first_refused..].iter().all(|answers| is_over_limit(answers)));
    assert!(core.sends(&line(0, "a short one"), ROOM).is_empty(), "there is space for it");
    assert_eq!(sent_up(&let_in(&mut core)).len(), first_refused + 1, "all that was not refused goes up");
}

#[test]
fn r7_one_account_keeps_so_much_in_all_its_rooms_and_sessions() {
    let mut core = joining(3);
    let den = "den@rooms.example";
    core.sends_as(1, JOIN, &format!("{den}/alice"));
    let large = "x".repeat(64 * 1024);
    let mut kept = 0;
    for (session, room) in [(1, ROOM), (2, ROOM), (3, ROOM), (1, den)] {
        while !is_over_limit(&core.sends_as(session, &line(kept, &large), room)) {
            kept += 1;
        }
    }
    let most = limit::ACCOUNT_COST / large.len();
    assert!((most - 10..most).contains(&kept), "{kept} of {most}");
    core.happens(Event::SessionGone { session: SessionId(2) });
    assert!(is_over_limit(&core.sends_as(1, &line(0, &large), den)), "an orphan still waits");
    let snapshot = core.0.snapshot().unwrap();
    core.0 = Bouncer::restore(Config::default(), 1, &snapshot).unwrap();
    assert!(is_over_limit(&core.sends_as(1, &line(0, &large), den)), "a reload frees nothing");
    let_in(&mut core);
    assert!(core.sends_as(1, &line(0, &large), den).is_empty(), "what has gone up waits no more");
}

/// The account is in, its only session waits for a resync, and bob is there.
fn resyncing() -> Core {
    let mut core = Core::in_room();
    core.comes(
        "<message><x xmlns='http://jabber.org/protocol/muc#user'><status code='172'/></x></message>",
        ROOM,
    );
    core.happens(Event::SessionGone { session: PHONE });
    core.sends_as(2, JOIN, &format!("{ROOM}/alice"));
    core
}

/// What the waiting session is shown in the end.
fn shown(core: &mut Core) -> Vec<String> {
    let id = core.occupancy()["phase"]["In"]["upstream"]["pending"]["id"].as_str().unwrap().to_owned();
    let mut actions =
        core.comes(&SELF.replacen("<presence", &format!("<presence id='{id}'"), 1), &format!("{ROOM}/alice"));
    actions.extend(core.comes("<message type='groupchat'><subject/></message>", ROOM));
    actions.extend((0..100).flat_map(|_| core.happens(Event::DeadlineReached)));
    let id = |action: &Action| match action {
        Action::Deliver { stanza, .. } => stanza.id.as_deref().map(ToOwned::to_owned),
        _ => None,
    };
    actions.iter().filter_map(id).filter(|id| id.starts_with('m')).collect()
}

#[test]
fn p4_whispers_that_are_too_much_to_wait_are_stored() {
    let mut core = resyncing();
    let large = "x".repeat(64 * 1024);
    let most = limit::LATER_COST / large.len();
    let answers: Vec<_> = (0..most + 10)
        .map(|number| core.comes(&line(number, &large).replace("groupchat", "chat"), &format!("{ROOM}/bob")))
        .collect();
    let kept = answers.iter().take_while(|answers| answers.is_empty()).count();
    assert!((most - 2..most).contains(&kept), "{kept}");
    assert!(answers[kept..].iter().all(|answers| matches!(answers[..], [Action::StoreOffline { .. }])));
    assert_eq!(shown(&mut core).len(), kept);
}

#[test]
fn j2_of_too_many_messages_for_a_waiting_session_the_oldest_are_history() {
    let mut core = resyncing();
    let text = "x".repeat(200 * 1024);
    for number in 0..10 {
        assert!(core.comes(&line(number, &text), &format!("{ROOM}/bob")).is_empty());
    }
    let shown = shown(&mut core);
    let newest: Vec<_> = (5..10).map(|number| format!("m{number}")).collect();
    assert!(shown.ends_with(&newest), "in order, and none twice: {shown:?}");
}

#[test]
fn j23_what_comes_before_the_occupants_is_kept_up_to_a_cost() {
    let mut core = joining(1);
    let text = "x".repeat(200 * 1024);
    for number in 0..10 {
        core.comes(&line(number, &text), &format!("{ROOM}/bob"));
    }
    let early = len(&core.occupancy()["phase"]["Joining"]["early"]);
    assert_eq!(early, limit::EARLY_COST / text.len());
}

#[test]
fn a_replay_to_whose_end_too_much_is_added_is_handed_out_at_once() {
    let mut core = Core::in_room();
    for number in 0..200 {
        core.comes("<presence/>", &format!("{ROOM}/n{number}"));
    }
    core.sends_as(2, JOIN, &format!("{ROOM}/alice"));
    let text = "x".repeat(200 * 1024);
    let given: Vec<_> =
        (0..10).map(|number| core.comes(&line(number, &text), &format!("{ROOM}/bob")).len()).collect();
    let flushed = given.iter().position(|count| *count > 100).expect("all the rest at once");
    assert_eq!(flushed, limit::TAIL_COST / text.len());
    assert!(given[flushed + 1..].iter().all(|count| *count == 1), "live from then on: {given:?}");
}

#[test]
fn updates_self_pings_and_probes_wait_up_to_a_cost() {
    let mut core = Core::in_room();
    let occupant = format!("{ROOM}/alice");
    core.sends("<presence id='u'><show>away</show></presence>", &occupant);
    let answers: Vec<_> = (0..5_000)
        .map(|number| {
            core.sends(&format!("<presence id='u{number}'><show>away</show></presence>"), &occupant)
        })
        .collect();
    let waiting = answers.iter().take_while(|answers| answers.is_empty()).count();
    assert!((100..limit::WISHES_COST / 16).contains(&waiting), "{waiting}");
    assert!(
        matches!(answers[waiting..], [.., _]) && answers[waiting..].iter().all(|a| a.len() == 1),
        "answered at once"
    );

    let renamed: Vec<_> = (0..5_000)
        .map(|number| core.sends(&format!("<presence id='n{number}'/>"), &format!("{ROOM}/nick{number}")))
        .collect();
    let waiting = renamed.iter().take_while(|answers| answers.is_empty()).count();
    assert!((100..limit::WISHES_COST / 16).contains(&waiting), "{waiting}");
    assert!(renamed[waiting..].iter().all(|answers| answers.len() == 1), "refused, each");

    core.happens(Event::ServiceLost {
        domain: "rooms.example".to_owned(),
        in_peace: true,
        is_incoming: true,
    });
    let ping = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let pinged: Vec<_> = (0..5_000).map(|_| core.sends(ping, &occupant)).collect();
    assert!(matches!(pinged[0][..], [Action::Send { .. }]) && pinged[1].is_empty());
    let waiting = pinged[1..].iter().take_while(|answers| answers.is_empty()).count();
    assert!((100..limit::WISHES_COST / 16).contains(&waiting), "{waiting}");
    assert!(matches!(pinged[4_999][..], [Action::Deliver { .. }]), "refused");

    for number in 0..5_000 {
        core.sends(&format!("<presence type='probe' id='p{number}'/>"), &format!("{ROOM}/bob"));
    }
    let probes = len(&core.occupancy()["phase"]["In"]["probes"]);
    assert!((100..limit::WISHES_COST / 16).contains(&probes), "{probes}");
}
