//! Makes stories: openings that lead somewhere, and then whatever a liar would do there.

use crate::random::Random;
use crate::step::{ACCOUNTS, Step, account_of};
use crate::words::{self, NS_MUC, room, stanza};

const CENTURY_MS: u64 = 100 * 366 * 86_400_000;

/// A story of at most so many steps.
pub(crate) fn story(random: &mut Random, most: usize) -> Vec<Step> {
    let mut story = Vec::new();
    for _ in 0..=random.below(3) {
        open(random, &mut story);
    }
    for _ in 0..random.below(most) {
        if random.once_in(12) { open(random, &mut story) } else { story.push(step(random)) }
    }
    story
}

/// An account joins a room, or fills what an account or a room has.
fn open(random: &mut Random, story: &mut Vec<Step>) {
    let session = random.session();
    let account = account_of(session);
    let room = room(random);
    let nick = random.pick(&["alice", "ally", "bob"]);
    let join = format!("<presence to='{room}/{nick}' id='j'><x xmlns='{NS_MUC}'/></presence>");
    let many = random.size(2_000);
    let from = |kind: &str, rest: &str| {
        Step::Comes(format!("<{kind} from='{room}/n%n' to='{account}' {rest}</{kind}>"))
    };
    let times = |step: Step| Step::Times(many, Box::new(step));
    match random.below(12) {
        0..=4 => story.extend([Step::Sends(session, join), Step::Answers(1 + random.below(3))]),
        5 => story.push(times(from("presence", "><show>away</show>"))),
        6 => story.push(times(from("message", "type='groupchat' id='m%n'><body>line %n</body>"))),
        7 => {
            let join =
                format!("<presence to='r%n@rooms.example/{nick}' id='j'><x xmlns='{NS_MUC}'/></presence>");
            story.extend([times(Step::Sends(session, join)), Step::Answers(many)]);
        }
        8 => story.push(times(from("iq", "type='get' id='q%n'><query xmlns='jabber:iq:version'/>"))),
        9 => {
            let query =
                format!("<iq to='{room}/n%n' type='get' id='q%n'><query xmlns='jabber:iq:version'/></iq>");
            story.push(times(Step::Sends(session, query)));
        }
        10 => {
            let said =
                format!("<message to='{room}' type='groupchat' id='m%n'><body>line %n</body></message>");
            story.push(times(Step::Sends(session, said)));
        }
        _ => story.push(times(Step::Other(format!("bookmark {account} r%n@rooms.example 1 alice")))),
    }
}

/// Anything.
pub(crate) fn step(random: &mut Random) -> Step {
    let session = random.session();
    match random.below(40) {
        0..=11 => Step::Sends(session, stanza(random, None)),
        12..=24 => Step::Comes(stanza(random, Some(session))),
        25..=27 => Step::Answers(random.size(20)),
        28..=29 => Step::Waits(wait(random)),
        30 => Step::Reload,
        31 => Step::Fails(session, stanza(random, Some(session))),
        32 => Step::ClockJumps(
            random.pick(&[&-1_000, &86_400_000, &i64::MAX, &i64::MIN, &-4_000_000_000_000]).to_owned(),
        ),
        33..=34 => {
            let most = 60;
            Step::Times(
                random.size(most),
                Box::new(if random.once_in(2) {
                    Step::Sends(session, stanza(random, None))
                } else {
                    Step::Comes(stanza(random, Some(session)))
                }),
            )
        }
        _ => Step::Other(other(random, session)),
    }
}

fn wait(random: &mut Random) -> u64 {
    let most = [100, 3_000, 40_000, 200_000, 4_000_000, 100_000_000][random.below(6)];
    if random.once_in(200) { CENTURY_MS } else { random.next() % most }
}

fn other(random: &mut Random, session: u32) -> String {
    let account = random.pick(&ACCOUNTS);
    let room = room(random);
    let domain = random.pick(&["rooms.example", "irc.example", "example.net", ""]);
    let flag = |random: &mut Random| random.below(2);
    match random.below(30) {
        0..=2 => format!("hides {session}"),
        3..=4 => format!("sleeps {session}"),
        5..=6 => format!("wakes {session}"),
        7..=9 => format!("ends {session}"),
        10 => format!("begun {domain}"),
        11 => format!("settled {domain}"),
        12 => format!("established {domain} {}", flag(random)),
        13..=14 => format!("lost {domain} {} {}", flag(random), flag(random)),
        15 => format!("answered{}", random.pick(&["", " item-not-found", " remote-server-timeout", " x"])),
        16 => format!("already {session} {room}/{}", random.pick(&["alice", "bob", "", "x/y"])),
        17 => format!("watches {session} {domain} {}", flag(random)),
        18..=19 => {
            let pattern = random.pick(&[
                "lounge@rooms.example/n%b",
                "x%b@example.net",
                "rooms.example",
                "lounge@rooms.example",
                "%b",
            ]);
            format!("blocks {account} {} {pattern}", random.size(3_000))
        }
        20 => format!("avatar {account} {}", random.pick(&["", "abc", "def"])),
        21 => format!("bookmark {account} {room} {} alice", flag(random)),
        22 => format!("purged {account}"),
        23 => format!("login {account} {}", random.size(1_200)),
        24 => format!("config {}", random.next() % 1_594_323),
        25 => format!("abandoned {account} {room}"),
        26 => "wake".to_owned(),
        27 => format!("loaded {account} {room} {}", words::record(random)),
        28 => format!("host-record {}", words::host_record(random)),
        _ => match random.below(12) {
            0 => "unloading".to_owned(),
            1 => "host-gone".to_owned(),
            2 => "stopping".to_owned(),
            3 => format!("login {account}"),
            _ => format!("gone {account}"),
        },
    }
}
