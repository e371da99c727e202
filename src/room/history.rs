//! The messages of a room that a joining session may ask for (XEP-0045 §7.2.13, §7.2.14).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Now;
use crate::room::retraction::Retraction;
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::muc::NS_MUC;
use crate::xmpp::stanza::{Kept, NS_CLIENT, Stanza};

const NS_HINTS: &str = "urn:xmpp:hints";
const NS_STANZA_ID: &str = "urn:xmpp:sid:0";
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

/// How far the room's stamp of a message may be from the time of its receipt: messages travel, and stamps
/// have no fractions.
pub(crate) const STAMP_SLACK_MS: i64 = 5_000;

/// The messages that are kept, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    stanza: Kept,
    stamp_ms: i64,
    bytes: usize,
    /// Whether its author has left since: the nick may be somebody else's by now.
    author_left: bool,
}

/// What a session wants to see of the history (XEP-0045 §7.2.14).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryRequest {
    maxstanzas: Option<usize>,
    maxchars: Option<usize>,
    seconds: Option<i64>,
    since_ms: Option<i64>,
}

impl HistoryRequest {
    /// Reads the request of a join. A join without `<history/>` gets what the operator chose.
    pub(crate) fn read(join: &Stanza, config: &Config) -> Self {
        let history = join.find("x", NS_MUC).and_then(|x| x.find("history"));
        let Some(history) = history else {
            return Self { maxstanzas: Some(config.history_default), ..Self::default() };
        };
        let number = |name| history.attribute(name).and_then(|value| value.parse().ok());
        Self {
            maxstanzas: number("maxstanzas"),
            maxchars: number("maxchars"),
            seconds: history.attribute("seconds").and_then(|value| value.parse().ok()),
            since_ms: history.attribute("since").and_then(delay::parse),
        }
    }

    /// The oldest stamp that is wanted: `seconds` and `since`, whichever is later.
    fn oldest_ms(&self, now: Now) -> i64 {
        let by_seconds = self.seconds.map(|seconds| now.utc_ms.saturating_sub(seconds.saturating_mul(1_000)));
        by_seconds.into_iter().chain(self.since_ms).max().unwrap_or(i64::MIN)
    }
}

impl History {
    /// Keeps a message if a stock room would. A valid retraction is not kept: it removes the message that it
    /// names.
    pub(crate) fn keep(&mut self, stanza: &Kept, stamp_ms: i64, room: &BareJid, config: &Config) {
        if !is_historic(stanza) || self.take_back(stanza, room) {
            return;
        }
        let bytes = stanza.weight();
        self.bytes += bytes;
        self.entries.push_back(Entry { stanza: stanza.share(), stamp_ms, bytes, author_left: false });
        self.trim(config);
    }

    /// Removes the message that another one takes back; false if it takes none back (H9).
    fn take_back(&mut self, stanza: &Stanza, room: &BareJid) -> bool {
        let Some(retraction) = Retraction::read(stanza, room) else { return false };
        let is_target = |entry: &Entry| retraction.takes_back(&entry.stanza, entry.author_left, stanza, room);
        let Some(position) = self.entries.iter().position(is_target) else { return false };
        let removed = self.entries.remove(position);
        self.bytes = self.bytes.saturating_sub(removed.map_or(0, |entry| entry.bytes));
        true
    }

    /// An occupant has left, or has another nick. The next occupant of the old nick is somebody else.
    pub(crate) fn note_gone(&mut self, occupant: Option<&Jid>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.stanza.from.as_ref() == occupant) {
            entry.author_left = true;
        }
    }

    /// Whether that message is kept: the same room's stanza-id, else the same sender, id and stamp (H10).
    pub(crate) fn knows(&self, stanza: &Stanza, stamp_ms: i64, room: &BareJid) -> bool {
        let stanza_id = stanza_id(stanza, room);
        self.entries.iter().rev().any(|entry| match (stanza_id, self::stanza_id(&entry.stanza, room)) {
            (Some(one), Some(other)) => one == other,
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => {
                entry.stanza.id == stanza.id
                    && entry.stanza.from == stanza.from
                    && entry.stamp_ms.abs_diff(stamp_ms) <= STAMP_SLACK_MS.unsigned_abs()
                    && entry.stanza.text_of("body") == stanza.text_of("body")
            }
        })
    }

    /// The stamp of the newest message, for a request `since`.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.entries.back().map(|entry| entry.stamp_ms)
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
        let oldest = request.oldest_ms(now).max(oldest_kept(now, config));
        let mut left = request.maxchars.unwrap_or(usize::MAX);
        let mut selected: Vec<Kept> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.stamp_ms >= oldest && !is_news(&entry.stanza))
            .take(request.maxstanzas.unwrap_or(usize::MAX))
            .map(|entry| delayed(&entry.stanza, entry.stamp_ms, room))
            .take_while(|stanza| match left.checked_sub(stanza.character_count()) {
                Some(rest) => {
                    left = rest;
                    true
                }
                None => false,
            })
            .collect();
        selected.reverse();
        selected
    }

    fn trim(&mut self, config: &Config) {
        while self.entries.len() > config.history || self.bytes > config.history_bytes {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
        }
    }
}

fn oldest_kept(now: Now, config: &Config) -> i64 {
    now.utc_ms.saturating_sub(i64::try_from(config.history_age_ms).unwrap_or(i64::MAX))
}

/// The stanza with a `<delay/>` by the room at its end, unless the room has put one in (H1).
pub(crate) fn delayed(stanza: &Kept, stamp_ms: i64, room: &BareJid) -> Kept {
    if delay::is_by_room(stanza, room) {
        return stanza.clone();
    }
    Kept::own(Stanza::clone(stanza).child(delay::element(room, stamp_ms)))
}

/// The room's own id of a message (XEP-0359).
fn stanza_id<'a>(stanza: &'a Stanza, room: &BareJid) -> Option<&'a str> {
    stanza
        .children
        .iter()
        .find(|child| child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(room.as_str()))
        .and_then(|child| child.attribute("id"))
}

/// Whether a stock room would replay the message (H8).
fn is_historic(stanza: &Stanza) -> bool {
    let hint = |name| stanza.has(name, NS_HINTS);
    if hint("no-store") || hint("no-permanent-store") {
        return false;
    }
    hint("store")
        || stanza.has("body", NS_CLIENT)
        || stanza.children.iter().any(|child| HISTORIC_NAMESPACES.contains(&&*child.namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 100_000 };

    fn room() -> BareJid {
        BareJid::new("lounge@rooms.example")
    }

    fn said(text: &str) -> Kept {
        let xml = format!(
            "<message type='groupchat' from='lounge@rooms.example/bob' id='{text}'><body>{text}</body></message>"
        );
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    fn history(stamps: &[i64]) -> History {
        let mut history = History::default();
        for stamp in stamps {
            history.keep(&said(&stamp.to_string()), *stamp, &room(), &Config::default());
        }
        history
    }

    #[track_caller]
    fn selects(attributes: &str, expected: &[&str]) {
        let xml = format!("<presence><x xmlns='{NS_MUC}'><history {attributes}/></x></presence>");
        let request = HistoryRequest::read(&Stanza::from_xml(&xml).unwrap(), &Config::default());
        let selected =
            history(&[10_000, 50_000, 90_000]).select(&request, |_| false, &room(), NOW, &Config::default());
        let ids: Vec<_> = selected.iter().map(|stanza| stanza.id.as_deref().unwrap()).collect();
        assert_eq!(ids, expected);
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
        let shown = history(&[10_000]).select(
            &HistoryRequest::default(),
            |_| false,
            &room(),
            NOW,
            &Config::default(),
        );
        let last = shown[0].children.last().unwrap();
        assert_eq!(last.attribute("stamp"), Some("1970-01-01T00:00:10Z"));
        assert_eq!(delayed(&shown[0], 0, &room()), shown[0]);
    }

    #[test]
    fn h10_the_same_message_is_known() {
        let history = history(&[10_000]);
        assert!(history.knows(&said("10000"), 10_400, &room()));
        assert!(!history.knows(&said("10000"), 30_000, &room()), "one id twice is no proof");
        let numbered = |id: &str| Kept::own(Stanza::clone(&said("10000")).child(numbered_by_room(id)));
        let mut history = History::default();
        history.keep(&numbered("s1"), 10_000, &room(), &Config::default());
        assert!(history.knows(&numbered("s1"), 99_000, &room()));
        assert!(!history.knows(&numbered("s2"), 10_000, &room()));
    }

    fn numbered_by_room(id: &str) -> crate::xmpp::stanza::Element {
        crate::xmpp::stanza::Element::build("stanza-id", NS_STANZA_ID)
            .attribute("by", room().as_str())
            .attribute("id", id)
            .done()
    }

    #[test]
    fn h12_the_oldest_go_first() {
        let config = Config { history: 2, ..Config::default() };
        let mut history = History::default();
        for stamp in [1_000, 2_000, 3_000] {
            history.keep(&said(&stamp.to_string()), stamp, &room(), &config);
        }
        let small = Config { history_bytes: 60, ..config };
        history.keep(&said("4000"), 4_000, &room(), &small);
        assert_eq!(history.entries.iter().map(|entry| entry.stamp_ms).collect::<Vec<_>>(), [4_000]);
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
