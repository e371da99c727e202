//! What the core spends on one event, with a thousand accounts in twenty rooms each: no Lua, no Prosody.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)] // criterion makes public functions

use std::process::Command;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::push::Rule;
use minimix_core::xmpp::jid::BareJid;
use minimix_core::xmpp::stanza::Stanza;

const ACCOUNTS: u32 = 1_000;
const ROOMS: u32 = 20;
const SESSIONS: u32 = 2;

/// A core and a clock that goes on with every event.
struct World {
    bouncer: Bouncer,
    now_ms: u64,
}

impl World {
    fn new() -> Self {
        let mut world = Self { bouncer: Bouncer::new(Config::default(), 1), now_ms: 0 };
        for account in 0..ACCOUNTS {
            for room in 0..ROOMS {
                world.join(account, room);
            }
        }
        world
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        self.now_ms += 1;
        let now = Now { monotonic_ms: self.now_ms, utc_ms: self.now_ms.cast_signed() };
        self.bouncer.handle(now, event).actions
    }

    fn arrives(&mut self, account: u32, xml: &str) -> Vec<Action> {
        let stanza = Stanza::from_xml(&xml.replace("ACCOUNT", &address(account))).unwrap();
        self.handle(Event::RoomStanza { stanza })
    }

    fn join(&mut self, account: u32, room: u32) {
        let mut join_id = None;
        for session in 0..SESSIONS {
            let (account_jid, room_jid) = (address(account), room_address(room));
            let stanza = Stanza::from_xml(&format!(
                "<presence from='{account_jid}/{session}' to='{room_jid}/nick{account}' id='j'>\
                 <x xmlns='http://jabber.org/protocol/muc'/></presence>"
            ));
            let session = SessionId(account * SESSIONS + session);
            for action in self.handle(Event::ClientStanza { session, stanza: stanza.unwrap() }) {
                if let Action::Send { stanza } = action {
                    join_id = stanza.id.as_deref().map(str::to_owned);
                }
            }
        }
        self.arrives(account, &presence(room, 0, "dnd"));
        self.arrives(
            account,
            &format!(
                "<presence from='{}/nick{account}' to='ACCOUNT' id='{}'>\
                 <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>\
                 <status code='110'/></x></presence>",
                room_address(room),
                join_id.unwrap()
            ),
        );
        let subject = format!(
            "<message from='{}' to='ACCOUNT' type='groupchat'><subject/></message>",
            room_address(room)
        );
        self.arrives(account, &subject);
    }
}

fn address(account: u32) -> String {
    format!("account{account}@example.org")
}

fn room_address(room: u32) -> String {
    format!("room{room}@rooms.example.org")
}

fn presence(room: u32, occupant: u32, show: &str) -> String {
    format!(
        "<presence from='{}/occupant{occupant}' to='ACCOUNT' xml:lang='en'><show>{show}</show>\
         <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='participant'/></x>\
         </presence>",
        room_address(room)
    )
}

fn message(room: u32) -> String {
    format!(
        "<message from='{0}/occupant0' to='ACCOUNT' type='groupchat' id='6e1b7c0a' xml:lang='en'>\
         <body>This is what a usual message in a usual room looks like.</body>\
         <active xmlns='http://jabber.org/protocol/chatstates'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{0}' id='2b8VrZ0c'/></message>",
        room_address(room)
    )
}

/// Accounts and rooms in an order that no cache likes.
fn somewhere(step: &mut u32) -> (u32, u32) {
    *step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((*step >> 8) % ACCOUNTS, (*step >> 20) % ROOMS)
}

fn a_message(step: &mut u32) -> Stanza {
    let (account, room) = somewhere(step);
    Stanza::from_xml(&message(room).replace("ACCOUNT", &address(account))).unwrap()
}

fn a_presence(step: &mut u32) -> Stanza {
    let (account, room) = somewhere(step);
    let show = if *step & 64 == 0 { "away" } else { "chat" };
    Stanza::from_xml(&presence(room, 0, show).replace("ACCOUNT", &address(account))).unwrap()
}

/// Makes the next stanza.
type Make = fn(&mut u32) -> Stanza;

const STANZAS: [(&str, Make); 2] =
    [("a message to two sessions", a_message), ("a presence to two sessions", a_presence)];

fn handle(criterion: &mut Criterion) {
    let mut world = World::new();
    let addresses: Vec<String> = (0..ACCOUNTS).map(address).collect();
    let mut step = 1;
    criterion.bench_function("a stanza that is not ours", |bencher| {
        bencher.iter(|| {
            let (account, _) = somewhere(&mut step);
            world.bouncer.concerns(&addresses[account as usize], "somebody@example.net/desk")
        });
    });
    for (name, stanza) in STANZAS {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || stanza(&mut step),
                |stanza| world.handle(Event::RoomStanza { stanza }),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    mention(criterion, &mut world);
    print_ratios(&mut world, &mut step);
}

/// Whether a message of 1 kB mentions the account.
fn mention(criterion: &mut Criterion, world: &mut World) {
    let (account, room) = (address(0), room_address(0));
    let rules = vec![(BareJid::new(&room), Rule::OnMention)];
    world.handle(Event::RulesRead { account: BareJid::new(&account), rules });
    let now = Now { monotonic_ms: world.now_ms, utc_ms: 0 };
    for (name, word) in [("ASCII", "not nick1 "), ("Cyrillic", "не ник1 ")] {
        let body = word.repeat(1024 / word.len());
        let xml = format!("<message from='{room}/bob' type='groupchat' id='m'><body>{body}</body></message>");
        let message = Stanza::from_xml(&xml).unwrap();
        criterion.bench_function(&format!("a look for a mention in 1 kB of {name}"), |bencher| {
            bencher.iter_batched(
                || message.clone(),
                |message| world.bouncer.push_ruling([&account, &room], || Ok::<_, ()>((now, message))),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

/// What the same is of as many sends by Prosody, both measured now.
fn print_ratios(world: &mut World, step: &mut u32) {
    for ((name, stanza), send_ns) in STANZAS.into_iter().zip(sends_ns()) {
        let percent = 100.0 * handle_ns(world, step, stanza) / send_ns / f64::from(SESSIONS);
        println!("{name}: {percent:.1} % of {SESSIONS} sends by Prosody");
    }
}

/// The least of several rounds, in nanoseconds for each stanza.
#[expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]
fn handle_ns(world: &mut World, step: &mut u32, stanza: Make) -> f64 {
    const ROUND: u32 = 2_000;
    let rounds = (0..15).map(|_| {
        let stanzas: Vec<_> = (0..ROUND).map(|_| stanza(step)).collect();
        let start = Instant::now();
        let outcomes: Vec<_> =
            stanzas.into_iter().map(|stanza| world.handle(Event::RoomStanza { stanza })).collect();
        let took = start.elapsed();
        drop(outcomes);
        took
    });
    rounds.min().unwrap().as_secs_f64() * 1e9 / f64::from(ROUND)
}

/// What Prosody spends to send a message, and a presence; `LUA` is the version of Lua.
fn sends_ns() -> Vec<f64> {
    let version = std::env::var_os("LUA").unwrap_or_else(|| "5.4".into()).into_string().unwrap();
    let measured =
        Command::new(format!("lua{version}")).args(["benches/hook.lua", "--send"]).output().unwrap();
    let figures = String::from_utf8(measured.stdout).unwrap();
    figures.lines().map(|line| line.parse().unwrap()).collect()
}

criterion_group!(benches, handle);
criterion_main!(benches);
