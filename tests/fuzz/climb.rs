//! The search for the stanza of at most 10 kB that holds the server longest: from random ones it climbs to dearer ones.

use crate::bound::Bound;
use crate::play::World;
use crate::random::Random;
use crate::step::{Step, read_story};
use crate::words;

/// How long a stanza may be, in bytes of XML.
const MOST_BYTES: usize = 10_000;
/// After so many stanzas a place is made anew: they change it.
const FRESH: usize = 40;

/// What is tried first of a room: the account's own presence, and the subject, which ends its join.
const FIRST: [&str; 2] = [
    "<presence from='lounge@rooms.example/alice' to='alice@example.org' id='$id'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
    "<message from='lounge@rooms.example' to='alice@example.org' type='groupchat'><subject/></message>",
];

/// Where stanzas come to.
pub(crate) const PLACES: [(&str, &str); 7] = [
    ("nowhere", ""),
    ("a room of 2 000, all kept", CROWD),
    ("a join that shows a history", JOINING),
    ("a replay to two sessions", REPLAY),
    ("a room where much is open", OPEN),
    ("an account that blocks and bookmarks much", LISTS),
    ("a gap that is filled", GAP),
];

const CROWD: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
times 2000 room> <presence from='lounge@rooms.example/n%n' to='alice@example.org'><show>away</show></presence>
answers 3
D3> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
D6> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
times 100 room> <message from='lounge@rooms.example/n%n' to='alice@example.org' type='groupchat' id='m%n'><body>b</body></message>
times 200 room> <presence from='lounge@rooms.example' to='alice@example.org'><a%n/></presence>
wait 5000";
const JOINING: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='1000'/></x></presence>
times 3000 room> <message from='lounge@rooms.example/n%n' to='alice@example.org' type='groupchat' id='m%n'><body>b</body></message>
times 500 D0> <message to='lounge@rooms.example' type='groupchat' id='o%n'><body>b</body></message>";
const REPLAY: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
times 2000 room> <presence from='lounge@rooms.example/n%n' to='alice@example.org'/>
answers 3
D3> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
times 500 room> <message from='lounge@rooms.example/n%n' to='alice@example.org' type='groupchat' id='m%n'><body>b</body></message>";
const OPEN: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
answers 3
times 2500 D0> <iq to='lounge@rooms.example/n1' type='get' id='q%n'><query xmlns='jabber:iq:version'/></iq>
times 2000 room> <iq from='lounge@rooms.example/n1' to='alice@example.org' type='get' id='q%n'><query xmlns='jabber:iq:version'/></iq>
times 2000 D0> <message to='lounge@rooms.example/n1' type='chat' id='m%n'><body>b</body></message>
times 300 D0> <message to='lounge@rooms.example' type='groupchat' id='g%n'><body>b</body></message>
times 300 room> <iq from='lounge@rooms.example/n1' to='alice@example.org' type='set' id='e%n'><open xmlns='http://jabber.org/protocol/ibb' sid='s%n'/></iq>
times 300 D0> <presence to='lounge@rooms.example/ally%n' id='n%n'/>";
const LISTS: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
times 2000 room> <presence from='lounge@rooms.example/n%n' to='alice@example.org'/>
answers 3
blocks alice@example.org 20000 lounge@rooms.example/n%b
times 1000 bookmark alice@example.org r%n@rooms.example 1 alice
times 400 D0> <presence to='r%n@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
answers 1200";
const GAP: &str = "D0> <presence to='lounge@rooms.example/alice' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>
answers 3
room> <message from='lounge@rooms.example/bob' to='alice@example.org' type='groupchat'><body>a</body><stanza-id xmlns='urn:xmpp:sid:0' by='lounge@rooms.example' id='s'/></message>
lost rooms.example 0 1
times 200 room> <message from='lounge@rooms.example/bob' to='alice@example.org' type='groupchat'><body>a%n</body></message>";

/// The dearest stanza that was found.
#[derive(Clone, Debug)]
pub(crate) struct Dearest {
    /// What was tried before it in that place.
    pub(crate) before: Vec<Step>,
    pub(crate) step: Step,
    pub(crate) work: u64,
}

fn place(text: &str) -> World {
    World::new(Bound::new(true)).play(&read_story(text))
}

impl Dearest {
    /// The world into which it comes.
    pub(crate) fn world(&self, text: &str) -> World {
        place(text).play(&self.before)
    }
}

fn work_of(world: &mut World, step: &Step) -> u64 {
    let before = world.bound.work;
    world.step(step, 0);
    world.bound.work - before
}

/// Climbs as long as it may. The stanza is of a session, or of a room.
pub(crate) fn climb(
    random: &mut Random,
    text: &str,
    is_of_session: bool,
    mut may_go_on: impl FnMut() -> bool,
) -> Dearest {
    let (mut world, mut before) = (place(text), Vec::new());
    let mut dearest: Option<Dearest> = None;
    let mut best: Option<Dearest> = None;
    let mut first = FIRST.into_iter();
    while may_go_on() {
        if before.len() >= FRESH {
            (world, before) = (place(text), Vec::new());
        }
        if random.once_in(100) {
            best = None; // from another side
        }
        let known = first.next().filter(|_| !is_of_session);
        let step = match (known, &best) {
            (Some(known), _) => Step::Comes(known.to_owned()),
            (None, Some(best)) if !random.once_in(4) => changed(random, &best.step),
            (None, _) => fresh(random, is_of_session),
        };
        let work = work_of(&mut world, &step);
        if best.as_ref().is_none_or(|best| work > best.work) {
            best = Some(Dearest { before: before.clone(), step: step.clone(), work });
        }
        if dearest.as_ref().is_none_or(|dearest| work > dearest.work) {
            dearest.clone_from(&best);
        }
        before.push(step);
    }
    dearest.expect("some were tried")
}

fn fresh(random: &mut Random, is_of_session: bool) -> Step {
    let xml = words::stanza(random, (!is_of_session).then_some(0));
    if is_of_session { Step::Sends([0, 3, 1][random.below(3)], short(xml)) } else { Step::Comes(short(xml)) }
}

fn short(xml: String) -> String {
    if xml.len() <= MOST_BYTES { xml } else { "<message/>".to_owned() }
}

/// The same with more in it, or with something of it again and again.
fn changed(random: &mut Random, step: &Step) -> Step {
    let change = |random: &mut Random, xml: &str| {
        let Some(end) = xml.rfind("</") else { return xml.to_owned() };
        let (head, tail) = xml.split_at(end);
        let child = words::child(random);
        let left = MOST_BYTES.saturating_sub(xml.len());
        let times = if random.once_in(2) { 1 } else { left / child.len().max(1) };
        let more = format!("{head}{}{tail}", child.repeat(times));
        if more.len() <= MOST_BYTES { more } else { xml.to_owned() }
    };
    match step {
        Step::Sends(session, xml) => Step::Sends(*session, change(random, xml)),
        Step::Comes(xml) => Step::Comes(change(random, xml)),
        other => other.clone(),
    }
}
