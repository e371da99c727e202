//! One event against a full state: what an event costs grows with what came, and not with what is kept.
//!
//! `make full-state` counts the work of each (tests/fuzz/work.rs). By itself `cargo test --test full_state` counts only what
//! is allocated.

#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
#![allow(dead_code, reason = "only a part of the fuzzer's world is needed")]

#[path = "fuzz/answers.rs"]
mod answers;
#[path = "fuzz/bound.rs"]
mod bound;
#[path = "fuzz/events.rs"]
mod events;
#[path = "fuzz/play.rs"]
mod play;
#[path = "fuzz/step.rs"]
mod step;
#[path = "fuzz/work.rs"]
mod work;

use minimix_core::config::{Archive, Config, limit};

use crate::bound::Bound;
use crate::play::World;
use crate::step::{Step, read_story};

/// The second size may cost so much of the first, in percent, and so many blocks more.
const MOST_PERCENT: u64 = 120;
const SLACK: u64 = 100;

const JOIN: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>\n\
                    answers 1\n";

/// What is kept, how it comes to be (`N` times), at which sizes, and the events that are measured.
struct Case {
    name: &'static str,
    fill: &'static str,
    sizes: [usize; 2],
    events: &'static [&'static str],
}

const MESSAGE: &str = "room> <message from='lounge@rooms.example/n1' to='alice@example.org' type='groupchat' id='x'><body>b</body></message>";
const PRESENCE: &str =
    "room> <presence from='lounge@rooms.example/n1' to='alice@example.org'><show>dnd</show></presence>";
const GONE: &str =
    "room> <presence from='lounge@rooms.example/n1' to='alice@example.org' type='unavailable'/>";
const NEW: &str = "room> <presence from='lounge@rooms.example/new' to='alice@example.org'/>";
const SAYS: &str =
    "D0> <message to='lounge@rooms.example' type='groupchat' id='own'><body>b</body></message>";
const ASKS: &str =
    "D0> <iq to='lounge@rooms.example/n1' type='get' id='own'><query xmlns='jabber:iq:version'/></iq>";
const ASKED: &str = "room> <iq from='lounge@rooms.example/n1' to='alice@example.org' type='get' id='x'><query xmlns='jabber:iq:version'/></iq>";
const SHOWS: &str = "D0> <presence to='lounge@rooms.example/alice' id='own'><show>away</show></presence>";
const JOINS: &str = "D0> <presence to='den@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
const TICK: &str = "wake";

const fn case(
    name: &'static str,
    fill: &'static str,
    sizes: [usize; 2],
    events: &'static [&'static str],
) -> Case {
    Case { name, fill, sizes, events }
}

const CASES: [Case; 13] = [
    case(
        "occupants",
        "times N room> <presence from='lounge@rooms.example/n%n' to='alice@example.org'><show>away</show></presence>",
        [2_000, 20_000],
        &[
            MESSAGE,
            PRESENCE,
            GONE,
            NEW,
            SAYS,
            SHOWS,
            ASKS,
            ASKED,
            TICK,
            "lost rooms.example 0 1",
            "sleeps 0",
            "blocks alice@example.org 1 lounge@rooms.example/n5",
            "blocks alice@example.org 0 x",
            "avatar alice@example.org h",
        ],
    ),
    case(
        "messages that are kept",
        "config 2\ntimes N room> <message from='lounge@rooms.example/n%n' to='alice@example.org' type='groupchat' id='m%n'><body>b</body></message>",
        [100, 1_000],
        &[MESSAGE, PRESENCE, GONE, SAYS, TICK],
    ),
    case(
        "messages that are logged",
        "config 531441\ntimes N room> <message from='lounge@rooms.example/n%n' to='alice@example.org' type='groupchat' id='m%n'><body>b</body></message>",
        [90, 900],
        &[
            MESSAGE,
            "room> <message from='lounge@rooms.example/n1' to='alice@example.org' type='groupchat'><body>b</body></message>",
            TICK,
        ],
    ),
    case(
        "queries of a session",
        "times N D0> <iq to='lounge@rooms.example/n%n' type='get' id='q%n'><query xmlns='jabber:iq:version'/></iq>",
        [180, 1_800],
        &[
            MESSAGE,
            PRESENCE,
            GONE,
            ASKS,
            "room> <iq from='lounge@rooms.example/n1' to='alice@example.org' type='result' id='$id'/>",
            TICK,
        ],
    ),
    case(
        "queries of occupants",
        "times N room> <iq from='lounge@rooms.example/n%n' to='alice@example.org' type='get' id='q%n'><query xmlns='jabber:iq:version'/></iq>",
        [180, 1_800],
        &[MESSAGE, PRESENCE, GONE, ASKED, TICK],
    ),
    case(
        "senders of messages",
        "times N D0> <message to='lounge@rooms.example/n%n' type='chat' id='m%n'><body>b</body></message>",
        [500, 5_000],
        &[
            MESSAGE,
            PRESENCE,
            "D0> <message to='lounge@rooms.example/n1' type='chat' id='own'><body>b</body></message>",
            "room> <message from='lounge@rooms.example/n1' to='alice@example.org' type='error' id='$id'><error><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
            TICK,
        ],
    ),
    case(
        "what waits to be seen again",
        "times N D0> <message to='lounge@rooms.example' type='groupchat' id='m%n'><body>b</body></message>",
        [10, 100],
        &[MESSAGE, PRESENCE, SAYS, TICK],
    ),
    case(
        "whom the account blocks",
        "blocks alice@example.org N x%b@example.net",
        [2_000, 20_000],
        &[
            MESSAGE,
            PRESENCE,
            SAYS,
            JOINS,
            "answers 1",
            "room> <message from='lounge@rooms.example' to='alice@example.org'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='bob@example.net'/></x></message>",
        ],
    ),
    case(
        "occupants whom the account blocks",
        "blocks alice@example.org N lounge@rooms.example/n%b",
        [2_000, 20_000],
        &[MESSAGE, PRESENCE, SAYS, GONE],
    ),
    case(
        "rooms of the account",
        "times N D0> <presence to='r%n@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>\nanswers N",
        [45, 450],
        &[
            MESSAGE,
            PRESENCE,
            SAYS,
            SHOWS,
            JOINS,
            "D0> <presence to='r1@rooms.example/alice' type='unavailable'/>",
            TICK,
        ],
    ),
    case(
        "rooms that the account has left",
        "times N D0> <presence to='r%n@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>\n\
             answers N\ntimes N D0> <presence to='r%n@rooms.example/alice' type='unavailable'/>",
        [45, 450],
        &[MESSAGE, PRESENCE, SAYS, JOINS, TICK],
    ),
    case(
        "bookmarks",
        "times N bookmark alice@example.org r%n@rooms.example 1 alice",
        [90, 900],
        &[
            MESSAGE,
            SAYS,
            "bookmark alice@example.org den@rooms.example 1 alice",
            "bookmark alice@example.org r5@rooms.example 0",
            JOINS,
            TICK,
        ],
    ),
    case(
        "rooms of other accounts",
        "times N D1> <presence to='r%n@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>\nanswers N",
        [45, 450],
        &[
            MESSAGE,
            PRESENCE,
            SAYS,
            SHOWS,
            "sleeps 0",
            "ends 0",
            "D3> <presence to='den@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
            TICK,
        ],
    ),
];

/// The work of each event, at one size.
fn measure(case: &Case, size: usize) -> Vec<u64> {
    let story = format!("{JOIN}{}", case.fill.replace('N', &size.to_string()));
    let story = read_story(&story);
    case.events
        .iter()
        .map(|event| {
            let mut world = World::new(Bound::new(true)).play(&story);
            world.step(&Step::read("wait 1000"), 0); // what is due by then has been done
            let before = world.bound.work;
            world.step(&Step::read(event), 0);
            world.bound.work - before
        })
        .collect()
}

fn grows(few: u64, many: u64) -> bool {
    many > few * MOST_PERCENT / 100 + SLACK
}

/// The work of each event of a case at both sizes. What seems to grow is measured once more: a table that all rooms share may
/// have become larger with that very event.
fn measure_twice(case: &Case) -> [Vec<u64>; 2] {
    let [few, many] = case.sizes.map(|size| measure(case, size));
    if !few.iter().zip(&many).any(|(few, many)| grows(*few, *many)) {
        return [few, many];
    }
    let again = measure(case, case.sizes[1]);
    [few, many.into_iter().zip(again).map(|(many, again)| many.min(again)).collect()]
}

/// How many rooms are joined before their answers come: no more are waited for.
const ROUND: usize = 500;
const LOGGED: &str = "times N D0> <presence to='ROOM/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>\n\
                      answers N\n\
                      times N room> <message from='ROOM/bob' to='alice@example.org' type='groupchat' id='m'><body>b</body></message>\n";

/// The work of a message in one of so many rooms, in each of which one has been logged, or in so many and one.
fn measure_logged(rooms: usize) -> u64 {
    let mut world = World::new(Bound::new(true));
    let memory = 1 << 40;
    world.config = Config {
        archive: Archive::All,
        rooms_per_account: rooms + 1,
        account_memory: memory,
        domain_memory: memory,
        memory,
        ..Config::default()
    };
    let mut story = format!("config\n{JOIN}");
    for round in 0..rooms / ROUND {
        story.push_str(
            &LOGGED.replace("ROOM", &format!("r{round}-%n@rooms.example")).replace('N', &ROUND.to_string()),
        );
    }
    let mut world = world.play(&read_story(&story));
    let before = world.bound.work;
    world.step(&Step::read(MESSAGE), 0);
    world.bound.work - before
}

#[test]
fn what_an_event_costs_does_not_grow_with_what_is_kept() {
    let mut faults = Vec::new();
    let mut compare = |[few, many]: [u64; 2], line: String| {
        println!("{line}: {few}, {many}");
        if grows(few, many) {
            faults.push(format!("{line}: {few}, {many}"));
        }
    };
    compare([limit::LOGS / 10, limit::LOGS].map(measure_logged), format!("logs of rooms {MESSAGE}"));
    for case in &CASES {
        let [few, many] = measure_twice(case);
        for ((event, few), many) in case.events.iter().zip(few).zip(many) {
            compare([few, many], format!("{} {:?}: {event}", case.name, case.sizes));
        }
    }
    let is_to_count = std::env::var_os("FUZZ_COUNTS").is_some();
    assert!(work::counts_blocks() || !is_to_count, "the compiler was not told to count");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
