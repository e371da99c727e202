//! What is known of the logs of rooms: one for each room, whichever accounts are in (design decision 22). The messages
//! themselves are written behind, and read from the store.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::Now;
use crate::room::seen::stanza_id;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Stanza;

/// The logs of all rooms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Logs(BTreeMap<BareJid, Log>);

/// The log of a room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Log {
    /// Whether the room has an archive of its own, as far as it has told.
    has_archive: Option<bool>,
    /// When the room was last asked for that, and by which query.
    asked: Option<(u64, Box<str>)>,
    /// The last messages, oldest first.
    recent: VecDeque<Entry>,
    /// When the last one was received.
    last_ms: i64,
}

/// A message in a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    print: u64,
    at_ms: i64,
    id: Box<str>,
    /// If nobody has given it an id: who has received it. If one of them receives it again, it is another.
    receivers: Vec<u64>,
}

/// A message that has come, as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) id: Box<str>,
    pub(crate) print: u64,
    /// When it was received, in UTC, by the first of the accounts.
    pub(crate) at_ms: i64,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

impl Logs {
    /// Whether the room has an archive of its own, if it has told.
    pub(crate) fn has_archive(&self, room: &BareJid) -> Option<bool> {
        self.0.get(room).and_then(|log| log.has_archive)
    }

    /// Whether the room has to be asked for that.
    pub(crate) fn wants_kind(&self, now: Now, room: &BareJid) -> bool {
        let is_long_ago =
            |asked: &(u64, Box<str>)| now.monotonic_ms.saturating_sub(asked.0) >= limit::ROOM_KIND_MS;
        self.0
            .get(room)
            .is_none_or(|log| log.has_archive.is_none() && log.asked.as_ref().is_none_or(is_long_ago))
    }

    /// The room is asked for that, by a query of that id.
    pub(crate) fn note_asked(&mut self, now: Now, room: &BareJid, id: Box<str>) {
        self.log(room).asked = Some((now.monotonic_ms, id));
    }

    /// Takes in what the room has answered to the query of that id; false if it has not been asked so.
    pub(crate) fn note_kind(&mut self, room: &BareJid, id: &str, has_archive: bool) -> bool {
        let Some(log) = self.0.get_mut(room) else { return false };
        let is_answer = log.asked.as_ref().is_some_and(|(_, asked)| **asked == *id);
        if is_answer {
            log.has_archive = Some(has_archive);
        }
        is_answer
    }

    /// The room is configured anew: it may have an archive since, or no longer. All its occupants are told.
    pub(crate) fn note_configured(&mut self, now: Now, room: &BareJid) {
        let Some(log) = self.0.get_mut(room) else { return };
        let is_asked = log.asked.as_ref().is_some_and(|(asked_ms, _)| {
            now.monotonic_ms.saturating_sub(*asked_ms) < limit::ROOM_KIND_ANSWER_MS
        });
        if !is_asked || log.has_archive.is_some() {
            (log.has_archive, log.asked) = (None, None);
        }
    }

    /// Takes in that an account has received a message. The fresh id is for one that is not there yet.
    pub(crate) fn take_in(
        &mut self,
        now: Now,
        room: &BareJid,
        account: &BareJid,
        message: &Stanza,
        fresh_id: &str,
    ) -> Logged {
        let (print, is_named) = print_of(message, room);
        let receiver = number_of(account.as_str());
        let log = self.log(room);
        let known = log
            .recent
            .iter_mut()
            .rev()
            .find(|entry| entry.print == print && (is_named || !entry.receivers.contains(&receiver)));
        if let Some(known) = known {
            if !is_named {
                known.receivers.push(receiver);
            }
            return Logged { id: known.id.clone(), print, at_ms: known.at_ms, is_new: false };
        }
        let at_ms = now.utc_ms.max(log.last_ms); // in order of receipt, though the clock is put back
        let id: Box<str> = format!("{at_ms:011x}-{fresh_id}").into();
        let receivers = if is_named { Vec::new() } else { vec![receiver] };
        log.last_ms = at_ms;
        log.recent.push_back(Entry { print, at_ms, id: id.clone(), receivers });
        if log.recent.len() > limit::LOG_RECENT {
            log.recent.pop_front();
        }
        Logged { id, print, at_ms, is_new: true }
    }

    fn log(&mut self, room: &BareJid) -> &mut Log {
        if self.0.len() >= limit::LOGS && !self.0.contains_key(room) {
            let quietest = self.0.iter().min_by_key(|(_, log)| log.last_ms).map(|(room, _)| room.clone());
            if let Some(quietest) = quietest {
                self.0.remove(&quietest);
            }
        }
        self.0.entry(room.clone()).or_default()
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
        logs.take_in(NOW, &room(), &BareJid::new(account), message, fresh_id)
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
    fn a1_what_the_room_repeats_is_there_once() {
        let numbered = |id: &str, body: &str| {
            message(&format!(
                "id='{id}'><body>{body}</body><stanza-id xmlns='urn:xmpp:sid:0' by='lounge@rooms.example' id='s'/>"
            ))
        };
        assert_eq!(are_new(&["alice@a"], &[numbered("1", "a"), numbered("2", "b")]), [true, false]);
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
        let logged = logs.take_in(earlier, &room(), &BareJid::new("alice@a"), &message("id='2'>"), "y");
        assert_eq!((logged.at_ms, &*logged.id), (1_000, "000000003e8-y"));
    }

    #[test]
    fn r7_the_logs_are_limited_in_number() {
        let mut logs = Logs::default();
        for number in 0..=limit::LOGS {
            let now = Now { utc_ms: i64::try_from(number).unwrap(), ..NOW };
            let room = BareJid::new(&format!("{number}@rooms.example"));
            logs.take_in(now, &room, &BareJid::new("alice@a"), &message("id='1'>"), "x");
        }
        assert_eq!(logs.0.len(), limit::LOGS);
        assert!(!logs.0.contains_key("0@rooms.example"));
    }
}
