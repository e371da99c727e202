//! What is known of the logs of rooms: one for each room, whichever accounts are in (design decision 22). The messages
//! themselves are written behind, and read from the store.

use std::hash::Hasher;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize, Serializer};

use super::latest::Latest;
use super::recent::{Entry, Logged, Recent};
use super::seen::stanza_id;
use crate::config::limit;
use crate::event::Now;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Stanza;

/// With how many digits an id begins, which tell when the message was received.
const TIME_DIGITS: usize = 11;

/// The logs of all rooms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Latest<Log>")]
pub(crate) struct Logs {
    rooms: Latest<Log>,
    /// How many messages are known in all of them.
    entries: usize,
}

/// The log of a room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Log {
    recent: Recent,
    /// Since when it is known what comes.
    #[serde(default)]
    begun_ms: i64,
    /// When the last message was received.
    last_ms: i64,
    /// Whether a room without an archive has been asked for its history since the start of the server.
    #[serde(default)]
    has_past: bool,
}

impl Logs {
    /// Whether none of its accounts has asked the room for what was said while the server was down. One of them does.
    pub(crate) fn needs_past(&mut self, room: &BareJid) -> bool {
        !std::mem::replace(&mut self.log(room).has_past, true)
    }

    /// Takes in that an account has received a message, which was said then if it is of the past. The fresh id is for one
    /// that is not there yet.
    pub(crate) fn take_in(
        &mut self,
        now: Now,
        [room, account]: [&BareJid; 2],
        message: &Stanza,
        said_ms: Option<i64>,
        fresh_id: &str,
    ) -> Logged {
        let (print, is_named) = print_of(message, room);
        let receiver = (!is_named).then(|| number_of(account.as_str()));
        let log = self.log(room);
        if let Some(known) = log.recent.receive(print, receiver) {
            return known.logged(false);
        }
        if log.last_ms == 0 {
            log.begun_ms = now.utc_ms;
        }
        let at_ms = now.utc_ms.max(log.last_ms); // in order of receipt, though the clock is put back
        let id: Box<str> = format!("{at_ms:011x}-{fresh_id}").into();
        log.last_ms = at_ms;
        let certain_ms = log.begun_ms.saturating_add(limit::GAP_SLACK_MS); // clocks differ
        let is_settled = said_ms.is_none_or(|said_ms| said_ms > certain_ms);
        let before = log.recent.len();
        let entry = Entry { print, at_ms, id, is_settled, receivers: receiver.into_iter().collect() };
        let logged = entry.logged(true);
        log.recent.add(entry);
        self.entries += log.recent.len() - before;
        while self.entries > limit::LOG_ENTRIES {
            self.forget_quietest();
        }
        logged
    }

    /// What has been logged under an id is in the log under that one.
    pub(crate) fn settle(&mut self, room: &BareJid, id: &str, known_as: &str) {
        let Some(at_ms) = known_as.get(..TIME_DIGITS).and_then(|time| i64::from_str_radix(time, 16).ok())
        else {
            return;
        };
        if let Some(entry) = self.rooms.change(room).and_then(|log| log.recent.find_mut(id)) {
            (entry.at_ms, entry.id, entry.is_settled) = (at_ms, known_as.into(), true);
        }
    }

    /// When a message was received, and its id, if both are known for certain: of several that nobody can tell apart they are
    /// not.
    pub(crate) fn find(&self, room: &BareJid, message: &Stanza) -> Option<(i64, &str)> {
        let recent = &self.rooms.get(room)?.recent;
        let (print, true) = print_of(message, room) else { return None };
        let entry = recent.newest(print)?;
        entry.is_settled.then_some((entry.at_ms, &*entry.id))
    }

    fn log(&mut self, room: &BareJid) -> &mut Log {
        let (log, forgotten) = self.rooms.make(room, limit::LOGS);
        self.entries -= forgotten.map_or(0, |log| log.recent.len());
        log
    }

    /// What was in the log of the room that has been quiet for longest is known no more.
    fn forget_quietest(&mut self) {
        let gone = self.rooms.take_oldest().map_or(self.entries, |log| log.recent.len());
        self.entries -= gone;
    }
}

impl Serialize for Logs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rooms.serialize(serializer)
    }
}

impl From<Latest<Log>> for Logs {
    fn from(rooms: Latest<Log>) -> Self {
        let entries = rooms.values().map(|log| log.recent.len()).sum();
        Self { rooms, entries }
    }
}

/// By what a message is known when it comes again, and whether the room or its author have given it an id.
fn print_of(message: &Stanza, room: &BareJid) -> (u64, bool) {
    if let Some(id) = stanza_id(message, room) {
        return (number_of(id), true);
    }
    let mut hasher = FxHasher::default();
    hasher.write(message.from.as_ref().map_or(&[], |from| from.as_str().as_bytes()));
    hasher.write_u8(0);
    hasher.write(message.id.as_deref().unwrap_or_default().as_bytes());
    hasher.write_u8(0);
    hasher.write(message.text_of("body").unwrap_or_default().as_bytes());
    (hasher.finish(), message.id.is_some())
}

fn number_of(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 1_000 };

    fn room() -> BareJid {
        BareJid::new("lounge@rooms.example")
    }

    fn message(inside: &str) -> Stanza {
        Stanza::from_xml(&format!(
            "<message type='groupchat' from='lounge@rooms.example/bob' {inside}</message>"
        ))
        .unwrap()
    }

    fn take_in(logs: &mut Logs, account: &str, message: &Stanza, fresh_id: &str) -> Logged {
        logs.take_in(NOW, [&room(), &BareJid::new(account)], message, None, fresh_id)
    }

    fn are_new(accounts: &[&str], messages: &[Stanza]) -> Vec<bool> {
        let mut logs = Logs::default();
        let all = messages.iter().flat_map(|message| accounts.iter().map(move |account| (account, message)));
        all.map(|(account, message)| take_in(&mut logs, account, message, "x").is_new).collect()
    }

    #[test]
    fn a1_all_accounts_share_one_copy() {
        let named = message("id='1'><body>a</body>");
        let nameless = message("><body>a</body>");
        assert_eq!(are_new(&["alice@a", "ann@a"], &[named]), [true, false]);
        assert_eq!(are_new(&["alice@a", "ann@a"], &[nameless.clone(), nameless]), [true, false, true, false]);
    }

    #[test]
    fn a1_what_nobody_can_tell_apart_is_there_as_often_as_each_receives_it() {
        let mut logs = Logs::default();
        let nameless = message("><body>a</body>");
        let mut are_new = |account, times| -> Vec<bool> {
            (0..times).map(|_| take_in(&mut logs, account, &nameless, "x").is_new).collect()
        };
        assert_eq!(are_new("alice@a", 3), [true; 3]);
        assert_eq!(are_new("ann@a", 4), [false, false, false, true]);
        assert_eq!(are_new("alice@a", 2), [false, true]);
    }

    #[test]
    fn g7_what_was_received_before_a_reload_is_known() {
        let mut logs = Logs::default();
        let said = [message("id='1'><body>a</body>"), message("><body>a</body>")];
        let first = said.each_ref().map(|said| take_in(&mut logs, "alice@a", said, "x").id);
        let mut logs: Logs = serde_json::from_str(&serde_json::to_string(&logs).unwrap()).unwrap();
        let again = said.each_ref().map(|said| take_in(&mut logs, "ann@a", said, "y"));
        assert_eq!(again.each_ref().map(|logged| logged.id.clone()), first);
        assert!(take_in(&mut logs, "ann@a", &said[1], "y").is_new);
    }

    #[test]
    fn a1_a_message_that_a_hundred_accounts_receive_is_appended_once() {
        let accounts: Vec<String> = (0..100).map(|number| format!("account{number}@a")).collect();
        let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
        for inside in ["id='1'><body>a</body>", "><body>a</body>"] {
            let are_new = are_new(&accounts, &[message(inside)]);
            assert_eq!(are_new.iter().filter(|is_new| **is_new).count(), 1, "{inside}");
        }
    }

    #[test]
    fn a1_what_the_room_repeats_is_there_once() {
        let numbered = |id: &str, body: &str| {
            message(&format!(
                "id='{id}'><body>{body}</body><stanza-id xmlns='urn:xmpp:sid:0' by='lounge@rooms.example' id='s'/>"
            ))
        };
        assert_eq!(are_new(&["alice@a"], &[numbered("1", "a"), numbered("2", "b")]), [true, false]);
    }

    #[test]
    fn a4_what_is_of_the_past_has_an_id_once_the_log_tells_that_it_was_not_there_before() {
        let mut logs = Logs::default();
        let past = message("id='1'><body>a</body>");
        let log = |logs: &mut Logs, message: &Stanza, said_ms, fresh_id| {
            logs.take_in(NOW, [&room(), &BareJid::new("alice@a")], message, said_ms, fresh_id)
        };
        let id = log(&mut logs, &past, Some(900), "x").id;
        assert_eq!(logs.find(&room(), &past), None);
        logs.settle(&room(), "000000003e8-other", "000000003e9-other");
        logs.settle(&room(), &id, "tomorrow");
        assert_eq!(logs.find(&room(), &past), None);
        logs.settle(&room(), &id, "000000003e7-before");
        assert_eq!(logs.find(&room(), &past), Some((999, "000000003e7-before")));
        let later = message("id='2'><body>a</body>");
        log(&mut logs, &later, Some(NOW.utc_ms + limit::GAP_SLACK_MS + 1), "y");
        assert_eq!(logs.find(&room(), &later), Some((1_000, "000000003e8-y")), "the log was known by then");
    }

    #[test]
    fn a4_of_messages_that_nobody_can_tell_apart_no_id_is_known() {
        let mut logs = Logs::default();
        let nameless = message("><body>a</body>");
        take_in(&mut logs, "alice@a", &nameless, "x");
        assert_eq!(logs.find(&room(), &nameless), None);
    }

    #[test]
    fn r7_the_last_messages_are_known() {
        let mut logs = Logs::default();
        let said = |number: usize| message(&format!("id='{number}'><body>a</body>"));
        for number in 0..=limit::LOG_RECENT {
            assert!(take_in(&mut logs, "alice@a", &said(number), "x").is_new);
        }
        assert!(!take_in(&mut logs, "alice@a", &said(1), "x").is_new);
        assert!(take_in(&mut logs, "alice@a", &said(0), "x").is_new);
    }

    #[test]
    fn a4_the_order_is_that_of_receipt_though_the_clock_is_put_back() {
        let mut logs = Logs::default();
        take_in(&mut logs, "alice@a", &message("id='1'>"), "x");
        let earlier = Now { utc_ms: 500, ..NOW };
        let logged =
            logs.take_in(earlier, [&room(), &BareJid::new("alice@a")], &message("id='2'>"), None, "y");
        assert_eq!((logged.at_ms, &*logged.id), (1_000, "000000003e8-y"));
    }

    #[test]
    fn r7_as_many_messages_are_known_in_all_as_may_be() {
        let mut logs = Logs::default();
        let rooms: Vec<BareJid> = (0..=limit::LOG_ENTRIES / limit::LOG_RECENT)
            .map(|number| BareJid::new(&format!("{number}@rooms.example")))
            .collect();
        let said: Vec<Stanza> =
            (0..limit::LOG_RECENT).map(|number| message(&format!("id='{number}'>"))).collect();
        for (room, message) in rooms.iter().flat_map(|room| said.iter().map(move |message| (room, message))) {
            logs.take_in(NOW, [room, &BareJid::new("alice@a")], message, None, "x");
        }
        let known = |logs: &Logs| logs.rooms.values().map(|log| log.recent.len()).sum::<usize>();
        assert_eq!((logs.entries, known(&logs)), (limit::LOG_ENTRIES, limit::LOG_ENTRIES));
        assert!(logs.rooms.get(&rooms[0]).is_none() && logs.rooms.get(&rooms[1]).is_some());
        let read: Logs = serde_json::from_str(&serde_json::to_string(&logs).unwrap()).unwrap();
        assert_eq!(read.entries, logs.entries);
    }

    #[test]
    fn r7_the_logs_are_limited_in_number() {
        let mut logs = Logs::default();
        for number in 0..=limit::LOGS {
            let now = Now { utc_ms: i64::try_from(number).unwrap(), ..NOW };
            let room = BareJid::new(&format!("{number}@rooms.example"));
            logs.take_in(now, [&room, &BareJid::new("alice@a")], &message("id='1'>"), None, "x");
        }
        assert_eq!((logs.rooms.values().count(), logs.entries), (limit::LOGS, limit::LOGS));
        assert!(logs.rooms.get(&BareJid::new("0@rooms.example")).is_none());
    }
}
