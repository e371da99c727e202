//! What came before all that is kept, from the log of the room (design decision 22).

use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::Config;
use crate::event::Now;
use crate::room::history::{Entry, History};
use crate::room::request::HistoryRequest;
use crate::room::seen::Print;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Kept;

impl History {
    /// Whether the log may have messages for that request that the copy has not. So many of the messages are not for the
    /// history of that session.
    pub(crate) fn lacks_logged(
        &self,
        request: &HistoryRequest,
        others: usize,
        now: Now,
        config: &Config,
    ) -> bool {
        !self.reaches(self.gap.logged_up_to_ms, request, others, now, config)
    }

    /// The account sees nothing of the log yet.
    pub(crate) fn note_log_begins(&mut self) {
        self.gap.logged_up_to_ms = None;
    }

    /// The log has shown all that came since then, if it reaches so far; it may have more before that other time.
    pub(crate) fn note_logged(&mut self, covered_ms: Option<i64>, more_before_ms: Option<i64>) {
        if covered_ms.is_some() {
            self.gap.note_archived(covered_ms);
        }
        self.gap.logged_up_to_ms = more_before_ms.map(|before_ms| before_ms.saturating_sub(1));
    }

    /// Takes in messages of the log in the order of receipt, each with its stamp, and in the order of those. The clocks of the
    /// room and of the log may differ, so of those that are alike as many are the same as are kept, the newest.
    pub(crate) fn add_logged(
        &mut self,
        mut logged: Vec<(i64, Kept)>,
        room: &BareJid,
        now: Now,
        config: &Config,
    ) {
        logged.sort_by_key(|(stamp_ms, _)| stamp_ms.div_euclid(1_000)); // stamps of rooms have no fractions
        let prints: Vec<Print> = logged.iter().map(|(_, message)| Print::of(message, room)).collect();
        let is_kept = self.are_kept(&prints);
        let in_log: FxHashSet<u32> = prints.iter().map(|print| print.hash).collect();
        self.put_earlier(|history| {
            for (((stamp_ms, message), print), is_kept) in logged.iter().zip(prints).zip(is_kept) {
                if is_kept {
                    history.pass_kept(print.hash);
                } else if !history.seen.is_withheld(print.hash) {
                    let position = history.place_by(*stamp_ms, &in_log);
                    history.place(position, message, print, Some(*stamp_ms), room, now);
                }
            }
        });
        self.trim(now, config);
    }

    /// Which messages of those prints are kept.
    fn are_kept(&self, prints: &[Print]) -> Vec<bool> {
        let mut kept: FxHashMap<u32, usize> = FxHashMap::default();
        for entry in &self.entries {
            *kept.entry(entry.hash).or_default() += 1;
        }
        let mut are_kept: Vec<bool> = prints
            .iter()
            .rev()
            .map(|print| match kept.get_mut(&print.hash) {
                Some(left @ 1..) => {
                    *left -= 1;
                    true
                }
                Some(0) | None => false,
            })
            .collect();
        are_kept.reverse();
        are_kept
    }

    /// The next message of the log is kept.
    fn pass_kept(&mut self, hash: u32) {
        let Some(fetch) = &mut self.fetch else { return };
        let passed = self.entries.iter().skip(fetch.cursor).position(|entry| entry.hash == hash);
        if let Some(passed) = passed {
            fetch.pass(fetch.cursor + passed);
        }
    }

    /// Where the next message of the log belongs: after those that were sent before it, and are not in the log.
    fn place_by(&self, stamp_ms: i64, in_log: &FxHashSet<u32>) -> usize {
        let cursor = self.fetch.as_ref().map_or(0, |fetch| fetch.cursor);
        let is_before = |entry: &&Entry| entry.stamp_ms <= Some(stamp_ms) && !in_log.contains(&entry.hash);
        cursor + self.entries.iter().skip(cursor).take_while(is_before).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::stanza::Stanza;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 100_000 };

    fn room() -> BareJid {
        BareJid::new("r@s")
    }

    fn said(id: &str, inside: &str) -> Kept {
        let xml = format!("<message type='groupchat' from='r@s/bob' id='{id}'>{inside}</message>");
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    /// Messages, each `text@seconds`.
    fn messages(texts: &str) -> Vec<(i64, Kept)> {
        let read = |word: &str| {
            let (text, seconds) = word.split_once('@').unwrap();
            (seconds.parse::<i64>().unwrap() * 1_000, said(text, &format!("<body>{text}</body>")))
        };
        texts.split_whitespace().map(read).collect()
    }

    /// What is kept of messages that came live, and then in the log.
    fn kept(came: &str, logged: &str) -> String {
        let mut history = History::default();
        for (stamp_ms, message) in messages(came) {
            history.keep(&message, Some(stamp_ms), &room(), NOW, &Config::default());
        }
        history.add_logged(messages(logged), &room(), NOW, &Config::default());
        let told = history.entries.iter().map(|entry| {
            format!("{}@{}", entry.stanza.id.as_deref().unwrap(), entry.stamp_ms.unwrap() / 1_000)
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn h13_the_log_is_put_before_what_is_kept_and_between_it() {
        assert_eq!(kept("c@30 d@40", "a@10 b@20 c@30 d@40"), "a@10 b@20 c@30 d@40");
        assert_eq!(kept("a@10 d@40", "a@10 b@20 c@30 d@40"), "a@10 b@20 c@30 d@40");
        assert_eq!(kept("", "b@20 a@10"), "a@10 b@20");
        assert_eq!(kept("c@30", ""), "c@30");
    }

    #[test]
    fn h13_what_the_log_lacks_stays_where_it_belongs() {
        assert_eq!(kept("x@15 d@40", "a@10 b@20 d@40"), "a@10 x@15 b@20 d@40");
        assert_eq!(kept("x@15 y@50", "a@10 b@20"), "a@10 x@15 b@20 y@50");
    }

    #[test]
    fn h13_clocks_may_differ() {
        assert_eq!(kept("c@3030 d@3040", "a@10 b@20 c@30 d@40"), "a@10 b@20 c@3030 d@3040");
        assert_eq!(kept("c@3 d@4", "a@10 b@20 c@30 d@40 e@50"), "a@10 b@20 c@3 d@4 e@50");
    }

    #[test]
    fn h10_of_those_that_are_alike_as_many_are_shown_as_there_are() {
        assert_eq!(kept("ok@30", "ok@10 ok@20 ok@30"), "ok@10 ok@20 ok@30");
        assert_eq!(kept("ok@10 ok@20", "ok@10"), "ok@10 ok@20");
    }

    #[test]
    fn h9_what_is_taken_back_is_not_shown() {
        let mut history = History::default();
        let oops = said("1", "<body>oops</body><stanza-id xmlns='urn:xmpp:sid:0' by='r@s' id='s'/>");
        let retraction = said("2", "<retract xmlns='urn:xmpp:message-retract:1' id='s'/>");
        history.add_logged(vec![(1, oops.clone()), (2, retraction)], &room(), NOW, &Config::default());
        assert!(history.entries.is_empty());
        history.add_logged(vec![(1, oops)], &room(), NOW, &Config::default());
        assert!(history.entries.is_empty(), "nor later");
    }
}
