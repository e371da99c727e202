//! Which messages of the room have come lately, whatever has become of them since (H10).

use std::collections::VecDeque;
use std::hash::Hasher;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::config::{Config, limit};
use crate::event::Now;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Element, NS_CLIENT, Node, Stanza};

/// How far the room's stamp of a message may be from the time of its receipt, in seconds: messages travel, and
/// stamps have no fractions.
pub(crate) const STAMP_SLACK_S: i64 = 5;

/// The messages that have come lately, oldest first. Of a message there are twelve bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    recent: VecDeque<Sighting>,
    /// Those that are not to be shown again: what was taken back, and what took it back.
    withheld: VecDeque<u32>,
}

/// One message that came.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Sighting {
    hash: u32,
    at: Seconds,
    /// Whether the room has said when; else it is when it came, by our clock.
    is_dated: bool,
}

/// By what a message is known when it comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    pub(super) hash: u32,
    certainty: Certainty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// The room has numbered it.
    Numbered,
    /// Its author has. Authors may use an id twice.
    Named,
    /// Nothing but its author and its text.
    Nameless,
}

/// Seconds since 1970, as far as 32 bits tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seconds(u32);

impl Seconds {
    fn of_ms(stamp_ms: i64) -> Self {
        let bytes = stamp_ms.div_euclid(1_000).to_le_bytes();
        let [a, b, c, d, ..] = bytes;
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    /// How many seconds it is after the other.
    fn after(self, other: Self) -> i64 {
        i64::from(self.0.wrapping_sub(other.0).cast_signed())
    }
}

/// How many seconds the room's clock is ahead of ours, once something tells.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Clock(Option<i64>);

impl Clock {
    /// The clock of a room that is known to be right.
    pub(crate) fn right() -> Self {
        Self(Some(0))
    }

    /// Whether the room may date a message of that sighting so.
    fn allows(self, stamp: Seconds, sighting: &Sighting) -> bool {
        let ahead_s = if sighting.is_dated { 0 } else { self.0.unwrap_or_default() };
        (stamp.after(sighting.at) - ahead_s).abs() <= STAMP_SLACK_S
    }

    /// Takes in how the room dates a message of that sighting.
    fn learn(&mut self, stamp: Seconds, sighting: &Sighting) {
        if !sighting.is_dated {
            self.0.get_or_insert(stamp.after(sighting.at));
        }
    }
}

impl Print {
    /// The print of a message of that room: of the room's stanza-id, else of sender, id and text.
    pub(crate) fn of(message: &Stanza, room: &BareJid) -> Self {
        if let Some(stanza_id) = stanza_id(message, room) {
            return Self::of_stanza_id(stanza_id);
        }
        let mut hasher = FxHasher::default();
        hasher.write(message.from.as_ref().map_or(&[], |from| from.as_str().as_bytes()));
        hasher.write(message.id.as_deref().unwrap_or_default().as_bytes());
        for node in message.find("body", NS_CLIENT).iter().flat_map(|body| &body.nodes) {
            if let Node::Text(text) = node {
                hasher.write(text.as_bytes());
            }
        }
        let certainty = if message.id.is_some() { Certainty::Named } else { Certainty::Nameless };
        Self { hash: short(hasher.finish()), certainty }
    }

    /// The print of the message with that stanza-id by the room.
    pub(crate) fn of_stanza_id(stanza_id: &str) -> Self {
        let mut hasher = FxHasher::default();
        hasher.write(stanza_id.as_bytes());
        Self { hash: short(hasher.finish()), certainty: Certainty::Numbered }
    }

    /// Its number.
    pub(crate) fn number(self) -> u32 {
        self.hash
    }

    /// Whether nothing else is needed to tell the message.
    pub(super) fn is_certain(self) -> bool {
        self.certainty == Certainty::Numbered
    }
}

/// The room's own id of a message (XEP-0359).
pub(crate) fn stanza_id<'a>(stanza: &'a Stanza, room: &BareJid) -> Option<&'a str> {
    stanza
        .children
        .iter()
        .rev() // it stands last, mostly
        .find(|child| child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(room.as_str()))
        .and_then(|child| child.attribute("id"))
}

/// The message with that id by the room, and no other.
pub(crate) fn with_stanza_id(mut message: Stanza, id: &str, room: &BareJid) -> Stanza {
    if stanza_id(&message, room) == Some(id) {
        return message;
    }
    let is_by_room =
        |child: &Element| child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(room.as_str());
    message.children.retain(|child| !is_by_room(child));
    let by_room = Element::build("stanza-id", NS_STANZA_ID).attribute("by", room.as_str());
    message.child(by_room.attribute("id", id).done())
}

fn short(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Seen {
    /// Notes that a message has come, dated by the room or now.
    pub(crate) fn note(&mut self, print: Print, dated_ms: Option<i64>, now: Now, config: &Config) {
        if self.recent.len() >= config.history.saturating_add(limit::SEEN) {
            self.recent.pop_front();
        }
        let at = Seconds::of_ms(dated_ms.unwrap_or(now.utc_ms));
        self.recent.push_back(Sighting { hash: print.hash, at, is_dated: dated_ms.is_some() });
    }

    /// Whether the message of the first number came before that of the other, or is it.
    pub(crate) fn is_up_to(&self, one: u32, other: u32) -> bool {
        let place = |hash| self.recent.iter().rposition(|sighting| sighting.hash == hash);
        one == other || place(one).zip(place(other)).is_some_and(|(one, other)| one <= other)
    }

    /// The hashes of all that have come lately or are withheld.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u32> {
        self.recent.iter().map(|sighting| sighting.hash).chain(self.withheld.iter().copied())
    }

    /// The message is not to be shown again.
    pub(crate) fn withhold(&mut self, hash: u32) {
        if self.withheld.len() >= limit::SEEN {
            self.withheld.pop_front();
        }
        self.withheld.push_back(hash);
    }

    pub(crate) fn is_withheld(&self, hash: u32) -> bool {
        self.withheld.contains(&hash)
    }

    /// Whether that message has come before. By sender and id alone no message is known: the stamps have to agree
    /// as well, up to what the room's clock is wrong by. That is found out by the first message that is known.
    pub(crate) fn knows(&self, print: Print, stamp_ms: Option<i64>, clock: &mut Clock) -> bool {
        let same = || self.recent.iter().filter(|sighting| sighting.hash == print.hash);
        let Some(stamp) = stamp_ms.map(Seconds::of_ms) else { return same().next().is_some() };
        let agreeing = same().find(|sighting| clock.allows(stamp, sighting));
        let by_id = || match print.certainty {
            Certainty::Numbered => same().next(),
            Certainty::Named if clock.0.is_none() => same().find(|sighting| !sighting.is_dated),
            Certainty::Named | Certainty::Nameless => None,
        };
        let known = agreeing.or_else(by_id);
        if let Some(known) = known {
            clock.learn(stamp, known);
        }
        known.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(inside: &str) -> Print {
        let xml = format!("<message type='groupchat' from='r@s/bob' {inside}</message>");
        Print::of(&Stanza::from_xml(&xml).unwrap(), &BareJid::new("r@s"))
    }

    fn at(utc_ms: i64) -> Now {
        Now { monotonic_ms: 0, utc_ms }
    }

    fn seen(prints: &[(Print, i64)]) -> Seen {
        let mut seen = Seen::default();
        for (print, stamp_ms) in prints {
            seen.note(*print, None, at(*stamp_ms), &Config::default());
        }
        seen
    }

    fn named(text: &str) -> Print {
        print(&format!("id='{text}'><body>{text}</body>"))
    }

    #[test]
    fn h10_a_numbered_message_is_known_whatever_the_stamp() {
        let numbered = |id: &str| {
            print(&format!("id='m'><body>a</body><stanza-id xmlns='urn:xmpp:sid:0' by='r@s' id='{id}'/>"))
        };
        let seen = seen(&[(numbered("s1"), 10_000)]);
        assert!(seen.knows(numbered("s1"), Some(99_000), &mut Clock::default()));
        assert!(seen.knows(numbered("s1"), None, &mut Clock::default()));
        assert!(!seen.knows(numbered("s2"), Some(10_000), &mut Clock::default()));
    }

    #[test]
    fn h10_one_id_twice_is_no_proof() {
        let seen = seen(&[(named("m1"), 10_000), (named("m2"), 20_000)]);
        let clock = &mut Clock::default();
        assert!(seen.knows(named("m1"), Some(10_400), clock));
        assert!(!seen.knows(named("m2"), Some(90_000), clock), "the clock is right, so it is another");
        assert!(!seen.knows(named("m1"), Some(10_000_000), &mut Clock::right()));
        assert!(!seen.knows(print("id='m1'><body>b</body>"), Some(10_000), &mut Clock::default()));
    }

    #[test]
    fn h10_a_clock_may_be_wrong_by_any_time() {
        let seen = seen(&[(named("m1"), 1_767_225_600_000), (named("m2"), 1_767_225_700_000)]);
        for ahead_ms in [-1_767_225_600_000, 400_000_000_000, 3_600_000] {
            let clock = &mut Clock::default();
            assert!(seen.knows(named("m1"), Some(1_767_225_600_000 + ahead_ms), clock));
            assert!(seen.knows(named("m2"), Some(1_767_225_700_000 + ahead_ms), clock));
            assert!(!seen.knows(named("m2"), Some(1_767_225_800_000 + ahead_ms), clock));
        }
    }

    #[test]
    fn h10_what_the_room_has_dated_says_nothing_about_its_clock() {
        let mut seen = Seen::default();
        seen.note(named("m1"), Some(1_000_000), at(9_000_000), &Config::default());
        seen.note(named("m2"), None, at(9_000_000), &Config::default());
        let clock = &mut Clock::default();
        assert!(seen.knows(named("m1"), Some(1_000_000), clock));
        assert!(seen.knows(named("m2"), Some(2_000_000), clock));
        assert!(!seen.knows(named("m1"), Some(5_000_000), &mut Clock::default()), "it was dated otherwise");
    }

    #[test]
    fn h10_a_nameless_message_is_known_by_its_stamp() {
        let nameless = print("><body>ok</body>");
        let seen = seen(&[(nameless, 10_000)]);
        assert!(seen.knows(nameless, Some(12_000), &mut Clock::default()));
        assert!(!seen.knows(nameless, Some(60_000), &mut Clock::default()));
    }

    #[test]
    fn u6_what_has_come_is_in_order() {
        let prints = ["1", "2", "3"].map(named);
        let seen = seen(&prints.map(|print| (print, 0)));
        let [one, two, three] = prints.map(Print::number);
        assert!(seen.is_up_to(one, two) && seen.is_up_to(two, two) && !seen.is_up_to(three, two));
        let unknown = named("4").number();
        assert!(
            !seen.is_up_to(unknown, two) && !seen.is_up_to(two, unknown) && seen.is_up_to(unknown, unknown)
        );
    }

    #[test]
    fn h12_what_is_remembered_is_limited() {
        let mut seen = Seen::default();
        let most = Config::default().history + limit::SEEN;
        for number in 0..=most {
            seen.note(named(&number.to_string()), None, at(0), &Config::default());
            seen.withhold(0);
        }
        assert!(seen.recent.len() == most && seen.withheld.len() == limit::SEEN);
        assert!(!seen.knows(named("0"), Some(0), &mut Clock::right()));
    }
}
