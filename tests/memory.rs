//! What the core needs for each presence that it keeps: counted, so that it is the same on every machine.
//!
//! `cargo test --test memory -- --nocapture` prints the figures.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_precision_loss, missing_docs)]

use std::alloc::System;
use std::collections::BTreeMap;

use cap::Cap;
use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::jid::{BareJid, Jid};
use minimix_core::xmpp::stanza::Stanza;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const OCCUPANTS: u32 = 500;
/// There are so many occupants in a room when the module is loaded anew.
const OCCUPANTS_RELOADED: u32 = 1_000;
/// Of so many accounts one moderates, and sees real JIDs.
const ACCOUNTS_PER_MODERATOR: u32 = 25;

/// So many accounts are in a room when the module is loaded anew.
const RELOADED: u32 = 400;

/// A core, and what it has been told.
struct Scene {
    bouncer: Bouncer,
    now_ms: u64,
}

impl Scene {
    fn handle(&mut self, event: Event) -> Vec<Action> {
        self.now_ms += 1;
        let now = Now { monotonic_ms: self.now_ms, utc_ms: self.now_ms.cast_signed() };
        self.bouncer.handle(now, event).actions
    }

    fn arrives(&mut self, stanza: Stanza) {
        self.handle(Event::RoomStanza { stanza });
    }

    fn asks_to_join(&mut self, account: u32, room: &str) -> Vec<Action> {
        let join = format!(
            "<presence from='account{account}@example.org/phone' to='{room}/nick{account}' id='j'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        );
        let stanza = Stanza::from_xml(&join).unwrap();
        self.handle(Event::ClientStanza { session: SessionId(account), stanza })
    }

    /// The account joins through one session and is shown those occupants.
    fn join(&mut self, account: u32, room: &str, occupants: &[Stanza]) {
        let address = format!("account{account}@example.org");
        let actions = self.asks_to_join(account, room);
        let sent = actions
            .iter()
            .find_map(|action| if let Action::Send { stanza } = action { stanza.id.clone() } else { None });
        for occupant in occupants {
            self.arrives(occupant.clone().to(Jid::new(&address)));
        }
        let own = format!(
            "<presence from='{room}/nick{account}' to='{address}' id='{}'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
             <status code='110'/></x></presence>",
            sent.unwrap()
        );
        self.arrives(Stanza::from_xml(&own).unwrap());
        let subject = format!("<message from='{room}' to='{address}' type='groupchat'><subject/></message>");
        self.arrives(Stanza::from_xml(&subject).unwrap());
    }
}

/// The occupants of a room as it shows them: what a usual client and the room say, 650 bytes of XML.
fn presences(room: &str, count: u32, shows_jids: bool) -> Vec<Stanza> {
    let presence = |occupant: u32| {
        let jid = if shows_jids { format!("jid='person{occupant}@example.net/desk'") } else { String::new() };
        format!(
            "<presence from='{room}/occupant{occupant}' xml:lang='en'><show>away</show>\
             <status>gone for lunch</status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
             node='https://client.example/' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>\
             <x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f{occupant:04}</photo></x>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='4f0e9a682c9fae01b3d74f0e9a682c9fae01{occupant:04}'/>\
             <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='participant' {jid}/>\
             </x></presence>"
        )
    };
    (0..count).map(|occupant| Stanza::from_xml(&presence(occupant)).unwrap()).collect()
}

/// Bytes that the core needs for each presence, if that many accounts are shown those rooms.
fn bytes_per_presence(accounts: u32, room_of: fn(u32) -> String) -> f64 {
    let bytes_for = |occupants: u32| {
        let mut scene = Scene { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0 };
        let before = MEMORY.allocated();
        let mut shown = BTreeMap::new();
        for account in 0..accounts {
            let (room, shows_jids) = (room_of(account), account % ACCOUNTS_PER_MODERATOR == 0);
            let presences = shown
                .entry((room.clone(), shows_jids))
                .or_insert_with(|| presences(&room, OCCUPANTS, shows_jids));
            scene.join(account, &room, &presences[..occupants as usize]);
        }
        drop(shown);
        MEMORY.allocated() - before
    };
    (bytes_for(OCCUPANTS) - bytes_for(0)) as f64 / f64::from(accounts * OCCUPANTS)
}

/// One after the other: both count all that is allocated.
#[test]
fn what_is_kept_is_small() {
    a_reload_needs_half_as_much_again(); // the first: its peak is that of all
    accounts_in_one_room_share_what_they_keep();
    a_room_that_is_only_read_of_is_small();
    a_session_is_small_and_leaves_little_behind();
    a_room_that_never_answers_is_soon_small();
}

fn accounts_in_one_room_share_what_they_keep() {
    let shared = bytes_per_presence(100, |_| "lounge@rooms.example.org".to_owned());
    let alone = bytes_per_presence(10, |account| format!("room{account}@rooms.example.org"));
    println!(
        "a presence of {OCCUPANTS}: {shared:.0} bytes if 100 accounts are shown it, {alone:.0} if one is"
    );
    assert!(shared <= 100.0, "{shared} bytes");
    assert!(alone <= 2_000.0, "{alone} bytes");
}

fn a_room_that_is_only_read_of_is_small() {
    let archived = bytes_per_room_read_of("\"stanza_id\":\"0190f6c2-5c1e-7b3a-9d2f-0123456789ab\"");
    println!("a room that is only read of: {archived:.0} bytes");
    let logged = bytes_per_room_read_of("\"log\":[[2046196380000,null]]");
    println!("one that is logged: {logged:.0} bytes");
    assert!(archived <= 1_200.0, "{archived} bytes");
    assert!(logged <= 1_200.0, "{logged} bytes");
}

/// How many bytes the core needs for each of ten rooms of many accounts, of which it has read nothing but a record.
fn bytes_per_room_read_of(seen: &str) -> f64 {
    let accounts = 200;
    let mut scene = Scene { bouncer: Bouncer::new(Config::default(), 1), now_ms: 1 << 40 };
    let before = MEMORY.allocated();
    for account in 0..accounts {
        let text = format!(
            "{{\"v\":1,\"nick\":\"nick{account}\",\"affiliation\":\"member\",\"detached\":\"2034-11-03T19:53:00Z\",\
             \"occupant_id\":\"4f0e9a682c9fae01b3d74f0e9a682c9fae01{account:04}\",\"away\":true,\
             {seen},\"stamp\":\"2034-11-03T19:53:00Z\"}}"
        );
        let rooms =
            (0..10).map(|room| (BareJid::new(&format!("room{room}@rooms.example.org")), text.clone()));
        scene.handle(Event::Loaded {
            account: BareJid::new(&format!("account{account}@example.org")),
            records: rooms.collect(),
            blocked: Vec::new(),
        });
    }
    assert_eq!(scene.bouncer.occupied_rooms().len(), 10);
    (MEMORY.allocated() - before) as f64 / f64::from(accounts * 10)
}

/// A snapshot is written and read beside what is there (M1).
fn a_reload_needs_half_as_much_again() {
    let room = "lounge@rooms.example.org";
    let mut scene = Scene { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0 };
    let before = MEMORY.allocated();
    let presences = presences(room, OCCUPANTS_RELOADED, false);
    for account in 0..RELOADED {
        scene.join(account, room, &presences);
    }
    drop(presences);
    let at_rest = MEMORY.allocated() - before;
    let snapshot = scene.bouncer.snapshot().unwrap();
    let written = MEMORY.max_allocated() - before;
    drop(scene);
    let restored = Bouncer::restore(Config::default(), 1, &snapshot).unwrap();
    let peak = MEMORY.max_allocated() - before;
    println!("{at_rest} bytes: {written} to write a snapshot of {}, {peak} in a reload", snapshot.len());
    assert_eq!(restored.snapshot().unwrap(), snapshot);
    assert!(peak <= at_rest * 3 / 2, "{peak} bytes, {at_rest} at rest");
}

/// What is held of a room for its only session is given back when that goes.
fn a_session_is_small_and_leaves_little_behind() {
    let rooms = 500;
    let mut scene = Scene { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0 };
    let before = MEMORY.allocated();
    for number in 0..rooms {
        scene.join(1, &format!("room{number}@rooms.example.org"), &[]);
    }
    let attached = (MEMORY.allocated() - before) as f64 / f64::from(rooms);
    scene.handle(Event::SessionGone { session: SessionId(1) });
    let gone = (MEMORY.allocated() - before) as f64 / f64::from(rooms);
    println!("a room that one session is in: {attached:.0} bytes; when it has gone: {gone:.0}");
    assert!(attached <= 3_300.0, "{attached} bytes");
    assert!(gone <= 2_800.0, "{gone} bytes");
}

/// Nothing but the account's leave is remembered of it.
fn a_room_that_never_answers_is_soon_small() {
    let rooms = 450;
    let mut scene = Scene { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0 };
    let before = MEMORY.allocated();
    for number in 0..rooms {
        scene.asks_to_join(1, &format!("room{number}@rooms.example.org"));
        scene.now_ms += 100;
    }
    let asked = (MEMORY.allocated() - before) as f64 / f64::from(rooms);
    for _ in 0..1_000 {
        scene.now_ms += 1_000;
        scene.handle(Event::DeadlineReached);
    }
    let given_up = (MEMORY.allocated() - before) as f64 / f64::from(rooms);
    println!("a room that does not answer: {asked:.0} bytes; when it is given up: {given_up:.0}");
    assert!(asked <= 2_000.0, "{asked} bytes");
    assert!(given_up <= 850.0, "{given_up} bytes");
}
