//! The messages of a room that a joining session may ask for (XEP-0045 §7.2.13, §7.2.14).

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Now;
use crate::room::authors::{Author, Authors};
use crate::room::fetch::Fetch;
use crate::room::gap::Gap;
use crate::room::request::HistoryRequest;
use crate::room::retraction::Retraction;
use crate::room::seen::{Print, Seen, stanza_id};
use crate::xmpp::cost::Cost;
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::stanza::{Kept, NS_CLIENT, Stanza};

const NS_HINTS: &str = "urn:xmpp:hints";
/// Payloads that make a message worth keeping without a body: encrypted ones, markers, and what changes an
/// earlier message (XEP-0380, XEP-0333, XEP-0424, XEP-0422, XEP-0444).
const HISTORIC_NAMESPACES: [&str; 6] = [
    "urn:xmpp:eme:0",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:message-retract:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:fasten:0",
    "urn:xmpp:reactions:0",
];

/// The messages that are kept, in the order of the room, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    pub(super) entries: VecDeque<Entry>,
    /// About how many bytes they cost.
    pub(super) cost: usize,
    /// Whether nothing can be kept.
    #[serde(skip)]
    pub(super) is_full: bool,
    authors: Authors,
    pub(super) seen: Seen,
    /// The stamp of the newest message, though it may have been taken back.
    pub(super) newest_ms: Option<i64>,
    pub(super) gap: Gap,
    /// The room is showing its history.
    pub(super) fetch: Option<Box<Fetch>>,
    /// Whether nothing is let go, because the archive is being asked for what came before it.
    pub(super) is_held: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) stanza: Kept,
    /// The print that tells it from others.
    pub(super) hash: u32,
    /// When the room says that it was sent; nothing if nobody says.
    pub(super) stamp_ms: Option<i64>,
    /// When it came, by our monotonic clock.
    pub(super) came_ms: u64,
    pub(super) cost: usize,
    author: Author,
}

impl History {
    /// The id that the room gave the newest message, and its stamp.
    pub(crate) fn last(&self, room: &BareJid) -> (Option<Box<str>>, Option<i64>) {
        let Some(newest) = self.entries.back() else { return (None, None) };
        (stanza_id(&newest.stanza, room).map(Into::into), newest.stamp_ms)
    }

    /// Whether the message of the first print came before that of the other, or is it.
    pub(crate) fn is_up_to(&self, one: u32, other: u32) -> bool {
        self.seen.is_up_to(one, other)
    }

    /// Takes in a live message, which the room may have dated. Keeps it if a stock room would. A valid retraction
    /// is not kept: it removes the message that it names.
    pub(crate) fn keep(
        &mut self,
        message: &Kept,
        dated_ms: Option<i64>,
        room: &BareJid,
        now: Now,
        config: &Config,
    ) {
        let print = Print::of(message, room);
        self.seen.note(print, dated_ms, now, config);
        self.note_hash(print.hash);
        let stamp_ms = dated_ms.unwrap_or(now.utc_ms);
        self.insert(self.entries.len(), message, print, Some(stamp_ms), room, now);
        self.trim(now, config);
    }

    /// Puts a message in that place, if it belongs to a history. False if not.
    pub(super) fn insert(
        &mut self,
        position: usize,
        message: &Kept,
        print: Print,
        stamp_ms: Option<i64>,
        room: &BareJid,
        now: Now,
    ) -> bool {
        if !is_historic(message) || self.take_back(message, print, room) {
            return false;
        }
        let stanza = message.share();
        let entry = Entry {
            hash: print.hash,
            stamp_ms,
            came_ms: now.monotonic_ms,
            cost: size_of::<Entry>() + stanza.cost(),
            stanza,
            author: self.authors.of(message),
        };
        self.forget_authors();
        self.cost += entry.cost;
        if position >= self.entries.len() {
            self.newest_ms = stamp_ms.or(self.newest_ms);
            self.entries.push_back(entry);
        } else {
            self.entries.insert(position, entry);
        }
        true
    }

    /// Removes the message that another one takes back; false if it takes none back (H9). Neither is shown again.
    fn take_back(&mut self, message: &Stanza, print: Print, room: &BareJid) -> bool {
        let Some(retraction) = Retraction::read(message, room) else { return false };
        if let Some(target) = retraction.target_of_room() {
            self.withhold(Print::of_stanza_id(target).hash); // it may be kept no more
        }
        let author = self.authors.known(message);
        let is_target = |entry: &Entry| {
            let is_same_author = author.is_some_and(|author| entry.author == author);
            retraction.takes_back(&entry.stanza, is_same_author, message, room)
        };
        let Some(position) = self.entries.iter().position(is_target) else { return false };
        if let Some(target) = self.remove(position) {
            self.withhold(target.hash);
        }
        self.withhold(print.hash);
        true
    }

    fn withhold(&mut self, hash: u32) {
        self.seen.withhold(hash);
        self.note_hash(hash);
    }

    pub(super) fn remove(&mut self, position: usize) -> Option<Entry> {
        let removed = self.entries.remove(position)?;
        self.cost = self.cost.saturating_sub(removed.cost);
        if let Some(fetch) = &mut self.fetch {
            fetch.note_removed(position);
        }
        Some(removed)
    }

    /// An occupant has left. The next occupant of that nick is somebody else.
    pub(crate) fn note_gone(&mut self, nick: &Nick) {
        self.authors.note_gone(nick);
    }

    /// An occupant goes on under another nick.
    pub(crate) fn note_renamed(&mut self, old: &Nick, new: &Nick) {
        self.authors.note_renamed(old, new);
    }

    /// Forgets those of whom nothing is kept, if they have become many.
    fn forget_authors(&mut self) {
        if self.authors.are_many(self.entries.len()) {
            let kept: BTreeSet<Author> = self.entries.iter().map(|entry| entry.author).collect();
            self.authors.retain(&kept);
        }
    }

    /// The stamp of the newest message, for a request `since`. It may be kept no more.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// The messages for a session, oldest first, each with a delay by the room. Messages that it is shown as
    /// news are left out.
    pub(crate) fn select(
        &self,
        request: &HistoryRequest,
        is_news: impl Fn(&Stanza) -> bool,
        room: &BareJid,
        now: Now,
        config: &Config,
    ) -> Vec<Kept> {
        let oldest_ms = request.oldest_ms(now);
        let is_wanted = |stamp_ms: Option<i64>| oldest_ms.is_none_or(|oldest_ms| stamp_ms >= Some(oldest_ms));
        let mut left = request.maxchars.unwrap_or(usize::MAX);
        let mut selected: Vec<Kept> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| is_wanted(entry.stamp_ms) && !is_news(&entry.stanza))
            .take(request.most(config))
            .map(|entry| delayed(&entry.stanza, entry.stamp_ms, room))
            .take_while(|stanza| request.maxchars.is_none() || take(&mut left, stanza.character_count()))
            .collect();
        selected.reverse();
        selected
    }
}

/// Takes that many off what is left; false if there are not as many.
fn take(left: &mut usize, count: usize) -> bool {
    match left.checked_sub(count) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

/// The stanza with a `<delay/>` by the room at its end, unless the room has put one in or nobody has dated it (H1).
pub(crate) fn delayed(stanza: &Kept, stamp_ms: Option<i64>, room: &BareJid) -> Kept {
    let Some(stamp_ms) = stamp_ms.filter(|_| !delay::is_by_room(stanza, room)) else { return stanza.clone() };
    Kept::own(Stanza::clone(stanza).child(delay::element(room, stamp_ms)))
}

/// Whether a stock room would replay the message (H8).
pub(crate) fn is_historic(stanza: &Stanza) -> bool {
    let hint = |name| stanza.children.iter().any(|child| child.is(name, NS_HINTS));
    let has_hints = stanza.children.iter().any(|child| &*child.namespace == NS_HINTS);
    if has_hints && (hint("no-store") || hint("no-permanent-store")) {
        return false;
    }
    (has_hints && hint("store"))
        || stanza.has("body", NS_CLIENT)
        || stanza.children.iter().any(|child| HISTORIC_NAMESPACES.contains(&&*child.namespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::request::Asked;
    use crate::xmpp::muc::NS_MUC;

    fn at(utc_ms: i64) -> Now {
        Now { monotonic_ms: utc_ms.cast_unsigned(), utc_ms }
    }

    const NOW: Now = Now { monotonic_ms: 100_000, utc_ms: 100_000 };

    fn room() -> BareJid {
        BareJid::new("lounge@rooms.example")
    }

    fn message(nick: &str, inside: &str) -> Kept {
        let xml = format!("<message type='groupchat' from='lounge@rooms.example/{nick}' {inside}</message>");
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    fn said(text: &str) -> Kept {
        message("bob", &format!("id='{text}'><body>{text}</body>"))
    }

    /// What the copy has that heard those messages live, each at the time that it says.
    fn heard(config: &Config, times: &[i64]) -> History {
        let mut history = History::default();
        history.begin_fetch(Asked { most: Some(config.history), since_ms: None });
        history.end_fetch(&room(), at(0), config);
        for time in times {
            history.keep(&said(&time.to_string()), None, &room(), at(*time), config);
        }
        history
    }

    fn request(attributes: &str) -> HistoryRequest {
        let xml = format!("<presence><x xmlns='{NS_MUC}'><history {attributes}/></x></presence>");
        HistoryRequest::read(&Stanza::from_xml(&xml).unwrap(), &Config::default())
    }

    fn ids(messages: &[Kept]) -> Vec<&str> {
        messages.iter().map(|stanza| stanza.id.as_deref().unwrap()).collect()
    }

    #[track_caller]
    fn selects(attributes: &str, expected: &[&str]) {
        let config = Config::default();
        let history = heard(&config, &[10_000, 50_000, 90_000]);
        let selected = history.select(&request(attributes), |_| false, &room(), NOW, &config);
        assert_eq!(ids(&selected), expected, "{attributes}");
    }

    #[test]
    fn h3_h4_a_request_is_honoured() {
        selects("", &["10000", "50000", "90000"]);
        selects("maxstanzas='2'", &["50000", "90000"]);
        selects("maxstanzas='0'", &[]);
        selects("maxchars='0'", &[]);
        selects("maxchars='300'", &["90000"]);
        selects("seconds='60'", &["50000", "90000"]);
        selects("since='1970-01-01T00:01:00Z'", &["90000"]);
        selects("since='1970-01-01T00:00:40Z' maxstanzas='1'", &["90000"]);
    }

    #[test]
    fn h1_each_message_carries_one_delay_by_the_room() {
        let history = heard(&Config::default(), &[10_000]);
        let shown = history.select(&request(""), |_| false, &room(), NOW, &Config::default());
        let last = shown[0].children.last().unwrap();
        assert_eq!(last.attribute("stamp"), Some("1970-01-01T00:00:10Z"));
        assert_eq!(delayed(&shown[0], Some(0), &room()), shown[0]);
        assert_eq!(delayed(&said("a"), None, &room()), said("a"), "nobody knows when");
    }

    #[test]
    fn h12_the_oldest_go_first() {
        let config = Config { history: 2, ..Config::default() };
        let mut history = heard(&config, &[1_000, 2_000, 3_000]);
        let kept =
            |history: &History| -> Vec<_> { history.entries.iter().map(|entry| entry.stamp_ms).collect() };
        assert_eq!(kept(&history), [Some(2_000), Some(3_000)]);
        let small = Config { history_bytes: history.cost / 2, ..config };
        history.keep(&said("4000"), None, &room(), at(4_000), &small);
        assert_eq!(kept(&history), [Some(4_000)]);
        let short = Config { history_age_ms: 5_000, ..small };
        history.trim(at(9_000), &short);
        assert_eq!(kept(&history), [Some(4_000)]);
        history.trim(at(9_001), &short);
        assert_eq!(kept(&history), []);
        assert_eq!(history.cost, 0);
    }

    #[test]
    fn h9_an_author_is_known_under_every_nick_until_they_leave() {
        let target = message(
            "bob",
            "id='m'><body>a</body><stanza-id xmlns='urn:xmpp:sid:0' by='lounge@rooms.example' id='s'/>",
        );
        let retraction = "id='r'><retract xmlns='urn:xmpp:message-retract:1' id='s'/>";
        let takes_back = |nick: &str, happens: &dyn Fn(&mut History)| {
            let mut history = History::default();
            history.keep(&target, None, &room(), at(0), &Config::default());
            happens(&mut history);
            history.keep(&message(nick, retraction), None, &room(), at(0), &Config::default());
            history.entries.is_empty()
        };
        let renamed = |history: &mut History| history.note_renamed(&Nick::new("bob"), &Nick::new("bobby"));
        assert!(takes_back("bob", &|_| {}));
        assert!(takes_back("bobby", &renamed));
        assert!(!takes_back("bob", &renamed), "somebody else has that nick");
        let back = |history: &mut History| {
            renamed(history);
            history.note_renamed(&Nick::new("bobby"), &Nick::new("bob"));
        };
        assert!(takes_back("bob", &back));
        assert!(!takes_back("bob", &|history| history.note_gone(&Nick::new("bob"))));
        let gone = |history: &mut History| {
            renamed(history);
            history.note_gone(&Nick::new("bobby"));
        };
        assert!(!takes_back("bobby", &gone));
    }

    #[test]
    fn h8_only_what_a_stock_room_replays_is_kept() {
        let historic = |inside: &str| {
            is_historic(&Stanza::from_xml(&format!("<message type='groupchat'>{inside}</message>")).unwrap())
        };
        assert!(historic("<body>a</body>"));
        assert!(historic("<store xmlns='urn:xmpp:hints'/>"));
        assert!(historic("<reactions xmlns='urn:xmpp:reactions:0'/>"));
        assert!(!historic("<active xmlns='http://jabber.org/protocol/chatstates'/>"));
        assert!(!historic("<body>a</body><no-store xmlns='urn:xmpp:hints'/>"));
    }
}
