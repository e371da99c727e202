//! The room shows its history in answer to a join of ours: what of it is news, and what the copy lacks (H10, F32).

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::config::{Config, limit};
use crate::event::Now;
use crate::pending::backlog::Backlog;
use crate::room::gap::Gap;
use crate::room::history::{Entry, History};
use crate::room::request::Asked;
use crate::room::retraction::Retraction;
use crate::room::seen::{Clock, Print, STAMP_SLACK_S};
use crate::xmpp::delay;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Kept, Stanza};

/// A history that the room is showing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Fetch {
    pub(super) asked: Asked,
    pub(super) received: usize,
    /// Where the next message belongs among those that are kept.
    pub(super) cursor: usize,
    /// Whether the copy had all that the room has: what it does not know is news.
    pub(super) was_whole: bool,
    /// Whether the room has shown a message that had come before. What follows and had not is news. What came
    /// before it is older than all that we know.
    is_met: bool,
    /// The stamp of the newest message that had come before.
    newest_ms: Option<i64>,
    clock: Clock,
    /// What came before that and had not come before, while it is open what it is.
    strangers: Backlog,
    /// Whether the copy has older messages than the room has shown.
    pub(super) has_older: Option<bool>,
    /// Whether there was no space for the oldest.
    pub(super) is_cut: bool,
    /// The hashes of all that may have come before: a message with another is not looked for. Made when first needed.
    #[serde(skip)]
    hashes: Option<FxHashSet<u32>>,
}

impl Fetch {
    /// A message that is kept has been removed from that place.
    pub(super) fn note_removed(&mut self, position: usize) {
        self.cursor -= usize::from(position < self.cursor);
    }

    /// The oldest message that is kept has been let go.
    pub(super) fn note_cut(&mut self) {
        self.note_removed(0);
        self.is_cut = true;
    }

    /// Takes in what is known of the next message; true if it is news.
    fn receive(&mut self, message: &Kept, was_seen: bool, is_kept: bool, config: &Config) -> bool {
        self.received = self.received.saturating_add(1);
        if was_seen {
            self.is_met = true;
            self.strangers.clear();
        }
        let is_strange = !was_seen && !is_kept;
        let is_open = !self.is_met && !self.was_whole;
        let most = (config.history_max, limit::FETCHED_COST);
        if is_strange && is_open && self.strangers.len() < most.0 && self.strangers.cost() < most.1 {
            self.strangers.push(message.clone());
        }
        is_strange && !is_open
    }

    /// Whether a message that came when nothing else was known is newer than all that had come before.
    fn is_newer(&self, stamp_ms: Option<i64>) -> bool {
        let newest_ms = self.newest_ms.map(|newest_ms| newest_ms.saturating_sub(STAMP_SLACK_S * 1_000));
        newest_ms.is_some_and(|newest_ms| stamp_ms.is_none_or(|stamp_ms| stamp_ms >= newest_ms))
    }

    /// The next message has that place.
    pub(super) fn pass(&mut self, position: usize) {
        self.has_older.get_or_insert(position > 0);
        self.cursor = self.cursor.max(position + 1);
    }
}

impl History {
    /// The room begins to show its history.
    pub(crate) fn begin_fetch(&mut self, asked: Asked) {
        self.fetch = Some(Box::new(Fetch {
            asked,
            received: 0,
            cursor: 0,
            was_whole: self.gap.up_to_ms.is_none(),
            is_met: false,
            newest_ms: self.newest_ms(),
            clock: Clock::default(),
            strangers: Backlog::default(),
            has_older: None,
            is_cut: false,
            hashes: None,
        }));
    }

    /// The room begins to show what it has after all that is kept, and dates from that time on.
    pub(crate) fn begin_sequel(&mut self, since_ms: i64) {
        self.begin_fetch(Asked { most: None, since_ms: Some(since_ms) });
        if let Some(fetch) = &mut self.fetch {
            fetch.cursor = self.entries.len();
            fetch.is_met = true;
        }
    }

    /// The room has shown that, all of it or not.
    pub(crate) fn end_sequel(&mut self, is_whole: bool, room: &BareJid, now: Now, config: &Config) {
        let before = self.gap;
        let shown = self.fetch.as_ref().filter(|fetch| !fetch.is_cut);
        let since_ms = shown.map(|fetch| fetch.asked.since_ms);
        self.end_fetch(room, now, config);
        if let (true, Some(since_ms)) = (is_whole, since_ms) {
            self.gap.note_archived(since_ms);
        }
        if !is_whole {
            self.gap = Gap { up_to_ms: before.up_to_ms.max(Some(now.utc_ms)), ..before };
        }
    }

    /// Takes in a message of the past. True if it is news for those who have been shown the room: it has not come
    /// before, and is not older than all that has.
    pub(crate) fn take_in(&mut self, message: &Kept, room: &BareJid, now: Now, config: &Config) -> bool {
        let stamp_ms = delay::stamp(message, room);
        let print = Print::of(message, room);
        let end = (self.entries.len(), Clock::right());
        let (from, mut clock) = self.fetch.as_ref().map_or(end, |fetch| (fetch.cursor, fetch.clock));
        let may_have_come = self.may_have_come(print.hash);
        let was_seen = may_have_come && self.seen.knows(print, stamp_ms, &mut clock);
        let kept_at = if may_have_come { self.position(from, print, was_seen, stamp_ms) } else { None };
        let is_news = match &mut self.fetch {
            Some(fetch) => {
                fetch.clock = clock;
                fetch.receive(message, was_seen, kept_at.is_some(), config)
            }
            None => !was_seen && kept_at.is_none(),
        };
        if is_news {
            self.seen.note(print, stamp_ms, now, config);
        }
        match kept_at {
            Some(position) if Retraction::read(message, room).is_some() => {
                self.remove(position); // the room may have shown what it takes back
                self.place(position, message, print, stamp_ms, room, now);
            }
            Some(position) => self.meet(position, delay::stamp_by_room(message, room)),
            None if may_have_come && self.seen.is_withheld(print.hash) => {}
            None => self.place(from, message, print, stamp_ms, room, now),
        }
        self.trim(now, config);
        is_news
    }

    /// Whether a message of that hash may be kept, have come or be withheld. From now on it may.
    fn may_have_come(&mut self, hash: u32) -> bool {
        let Some(fetch) = &mut self.fetch else { return true };
        let kept = || self.entries.iter().map(|entry| entry.hash).chain(self.seen.hashes()).collect();
        !fetch.hashes.get_or_insert_with(kept).insert(hash)
    }

    /// A message of that hash comes live, or is withheld.
    pub(super) fn note_hash(&mut self, hash: u32) {
        if let Some(hashes) = self.fetch.as_mut().and_then(|fetch| fetch.hashes.as_mut()) {
            hashes.insert(hash);
        }
    }

    /// The room has shown a message that is kept.
    fn meet(&mut self, position: usize, dated_ms: Option<i64>) {
        if let Some(entry) = self.entries.get_mut(position) {
            entry.stamp_ms = dated_ms.or(entry.stamp_ms);
        }
        if let Some(fetch) = &mut self.fetch {
            fetch.pass(position);
        }
    }

    /// Puts a message where the room has it. Without a stamp it is dated as the one before it.
    pub(super) fn place(
        &mut self,
        position: usize,
        message: &Kept,
        print: Print,
        stamp_ms: Option<i64>,
        room: &BareJid,
        now: Now,
    ) {
        let before = position.checked_sub(1).and_then(|before| self.entries.get(before));
        let stamp_ms = stamp_ms.or_else(|| before?.stamp_ms);
        let is_kept = self.insert(position, message, print, stamp_ms, room, now);
        if let Some(fetch) = self.fetch.as_mut().filter(|_| is_kept) {
            fetch.pass(position);
        }
    }

    /// The room has shown its history. Gives what of it turns out to be news.
    pub(crate) fn end_fetch(&mut self, room: &BareJid, now: Now, config: &Config) -> Vec<Kept> {
        let Some(mut fetch) = self.fetch.take() else { return Vec::new() };
        self.gap = self.gap_after(&fetch);
        if fetch.was_whole && !fetch.is_met {
            self.entries.rotate_left(fetch.cursor.min(self.entries.len())); // it stands before what had come
        }
        let mut news: Vec<Kept> = std::mem::take(&mut fetch.strangers).into_iter().collect();
        news.retain(|message| {
            let (print, stamp_ms) = (Print::of(message, room), delay::stamp(message, room));
            self.seen.note(print, stamp_ms, now, config);
            let is_newer = fetch.is_newer(stamp_ms);
            if is_newer && let Some(position) = self.position(0, print, true, stamp_ms) {
                self.move_to_end(position);
            }
            is_newer
        });
        self.newest_ms = self.entries.back().and_then(|newest| newest.stamp_ms).or(self.newest_ms);
        news
    }

    fn move_to_end(&mut self, position: usize) {
        if let Some(moved) = self.entries.remove(position) {
            self.entries.push_back(moved);
        }
    }

    /// Whether that message has come before, the room's clock being right.
    pub(crate) fn has_come(&self, message: &Stanza, room: &BareJid) -> bool {
        self.seen.knows(Print::of(message, room), delay::stamp(message, room), &mut Clock::right())
    }

    /// Where that message is kept, sought from that place on.
    fn position(&self, from: usize, print: Print, was_seen: bool, stamp_ms: Option<i64>) -> Option<usize> {
        let is_same = |entry: &Entry| {
            entry.hash == print.hash && (was_seen || print.is_certain() || entry.stamp_ms == stamp_ms)
        };
        let after = self.entries.iter().skip(from).position(is_same);
        after.map(|position| position + from).or_else(|| self.entries.iter().take(from).position(is_same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Asked = Asked { most: Some(100), since_ms: None };

    fn now() -> Now {
        Now { monotonic_ms: 0, utc_ms: 1_767_225_600_000 }
    }

    fn room() -> BareJid {
        BareJid::new("r@s")
    }

    fn config() -> Config {
        Config { history: 3, ..Config::default() }
    }

    /// A message: its text, and the seconds of its stamp if it has one. `-text` takes the other one back.
    fn message(text: &str, stamp: Option<i64>) -> Kept {
        let number = |text: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' by='r@s' id='s-{text}'/>");
        let inside = match text.strip_prefix('-') {
            Some(other) => format!("<retract xmlns='urn:xmpp:message-retract:1' id='s-{other}'/>"),
            None => format!("<body>{text}</body>"),
        };
        let delay = stamp.map(|stamp| {
            format!("<delay xmlns='urn:xmpp:delay' from='r@s' stamp='{}'/>", delay::format(stamp * 1_000))
        });
        let xml = format!(
            "<message type='groupchat' from='r@s/bob' id='{text}'>{inside}{}{}</message>",
            number(text),
            delay.unwrap_or_default()
        );
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    /// A copy that has asked for all when there was nothing, and then heard those messages.
    fn heard(texts: &str) -> History {
        let mut history = History::default();
        shows(&mut history, Asked { most: Some(3), since_ms: None }, "");
        for text in texts.split_whitespace() {
            history.keep(&message(text, None), None, &room(), now(), &config());
        }
        history
    }

    /// What of the history that the room shows is news.
    fn shows(history: &mut History, asked: Asked, texts: &str) -> String {
        history.begin_fetch(asked);
        let mut news = Vec::new();
        for text in texts.split_whitespace() {
            if history.take_in(&message(text, Some(1)), &room(), now(), &config()) {
                news.push(text.to_owned());
            }
        }
        let late = history.end_fetch(&room(), now(), &config());
        news.extend(late.iter().map(|message| message.id.as_deref().unwrap().to_owned()));
        news.join(" ")
    }

    fn kept(history: &History) -> String {
        let ids: Vec<_> = history.entries.iter().map(|entry| entry.stanza.id.as_deref().unwrap()).collect();
        ids.join(" ")
    }

    #[test]
    fn f32_what_the_room_has_more_is_shown_and_then_let_go() {
        let mut history = heard("d e f g");
        assert_eq!(kept(&history), "e f g");
        assert_eq!(shows(&mut history, ALL, "a b c d e f g"), "", "older messages are no news");
        assert_eq!(kept(&history), "a b c d e f g");
        history.trim(now(), &config());
        assert_eq!(kept(&history), "e f g");
    }

    #[test]
    fn h10_what_was_missed_is_news_once() {
        let mut history = heard("a b");
        assert_eq!(shows(&mut history, ALL, "a x b y"), "x y");
        assert_eq!(kept(&history), "a x b y");
        assert_eq!(shows(&mut history, ALL, "a x b y"), "");
        assert_eq!(kept(&history), "a x b y");
    }

    #[test]
    fn h10_what_is_unlike_all_that_came_is_news_if_the_copy_was_whole() {
        let mut history = heard("a b");
        assert_eq!(shows(&mut history, ALL, "x y"), "x y");
        assert_eq!(kept(&history), "a b x y");
        assert_eq!(shows(&mut history, ALL, "x y"), "");
    }

    #[test]
    fn h10_what_is_unlike_all_that_came_is_news_if_it_is_newer() {
        let mut history = heard("a b c d");
        history.begin_fetch(ALL);
        let newer = now().utc_ms / 1_000 + 1;
        for (text, stamp) in [("x", 1), ("y", newer), ("z", newer)] {
            assert!(!history.take_in(&message(text, Some(stamp)), &room(), now(), &config()));
        }
        let late = history.end_fetch(&room(), now(), &config());
        assert_eq!(late.len(), 2);
        assert_eq!(kept(&history), "x b c d y z");
        assert_eq!(history.newest_ms(), Some(newer * 1_000));
    }

    #[test]
    fn h10_without_anything_that_has_come_nothing_is_news() {
        let none = Config { history: 0, ..config() };
        let mut history = History::default();
        shows(&mut history, Asked { most: Some(0), since_ms: None }, "");
        history.trim(now(), &none);
        assert_eq!(shows(&mut history, ALL, "a b"), "");
    }

    #[test]
    fn f38_what_was_taken_out_is_shown_to_nobody_again() {
        let mut history = heard("a oops -oops");
        assert_eq!(kept(&history), "a");
        assert_eq!(shows(&mut history, ALL, "a oops -oops"), "");
        assert_eq!(kept(&history), "a");
        let mut history = heard("oops b c d -oops");
        assert_eq!(kept(&history), "c d -oops", "the copy knows nothing of what it takes back");
        assert_eq!(shows(&mut history, ALL, "oops b c d -oops"), "");
        assert_eq!(kept(&history), "b c d", "the room has told");
    }

    #[test]
    fn f38_a_message_that_is_not_kept_is_no_news_either() {
        let mut history = heard("a b c d e");
        let composing = "<message type='groupchat' from='r@s/bob' id='t'><body>t</body><no-store xmlns='urn:xmpp:hints'/></message>";
        let composing = Kept::own(Stanza::from_xml(composing).unwrap());
        history.keep(&composing, None, &room(), now(), &config());
        history.begin_fetch(ALL);
        assert!(!history.take_in(&composing, &room(), now(), &config()));
        history.end_fetch(&room(), now(), &config());
        assert_eq!(kept(&history), "c d e");
    }

    #[test]
    fn h1_an_undated_message_is_as_old_as_the_one_before() {
        let mut history = History::default();
        history.begin_fetch(ALL);
        for (text, stamp) in [("a", None), ("b", Some(50)), ("c", None)] {
            history.take_in(&message(text, stamp), &room(), now(), &config());
        }
        let stamps: Vec<_> = history.entries.iter().map(|entry| entry.stamp_ms).collect();
        assert_eq!(stamps, [None, Some(50_000), Some(50_000)]);
    }

    #[test]
    fn h12_what_the_room_shows_is_limited() {
        let mut history = heard("y z");
        let endless: Vec<_> = (0..2_000).map(|number| number.to_string()).collect();
        shows(&mut history, ALL, &endless.join(" "));
        assert_eq!(history.entries.len(), config().history + config().history_max);
    }
}
