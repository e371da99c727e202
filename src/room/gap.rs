//! What the room may have of its history and the copy has not (F32).

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Now;
use crate::room::fetch::Fetch;
use crate::room::history::History;
use crate::room::request::HistoryRequest;

/// What the room may have and the copy has not.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Gap {
    /// Messages that the room dates up to then. Nothing, if the copy has all that the room has.
    pub(super) up_to_ms: Option<i64>,
    /// How many messages the room itself keeps, if it has shown that it keeps no more.
    pub(super) room_keeps: Option<usize>,
    /// Messages that came while the account was in, up to then. The archive may have them, though the room does not
    /// show them again.
    pub(super) archived_up_to_ms: Option<i64>,
    /// Messages that came while the account was in, up to then, which the log may have.
    #[serde(default)]
    pub(super) logged_up_to_ms: Option<i64>,
}

impl Default for Gap {
    fn default() -> Self {
        Self {
            up_to_ms: Some(i64::MAX),
            room_keeps: None,
            archived_up_to_ms: None,
            logged_up_to_ms: Some(i64::MAX),
        }
    }
}

impl History {
    /// The room may keep more messages from now on.
    pub(crate) fn forget_room_limit(&mut self) {
        self.gap.room_keeps = None;
    }

    /// Whether the copy has all that the room could answer to that request. So many of its messages are not for
    /// the history of that session.
    pub(crate) fn answers(&self, request: &HistoryRequest, others: usize, now: Now, config: &Config) -> bool {
        let kept = self.entries.len();
        self.gap.room_keeps.is_some_and(|room_keeps| room_keeps <= kept)
            || self.reaches(self.gap.up_to_ms, request, others, now, config)
    }

    /// Whether the copy is enough for that request, if messages up to then are missing.
    pub(super) fn reaches(
        &self,
        gap_ms: Option<i64>,
        request: &HistoryRequest,
        others: usize,
        now: Now,
        config: &Config,
    ) -> bool {
        let Some(gap_ms) = gap_ms else { return true };
        let wanted = request.most(config);
        wanted == 0
            || wanted <= self.entries.len().saturating_sub(others)
            || request.oldest_ms(now).is_some_and(|oldest_ms| oldest_ms > gap_ms)
            || request.maxchars.is_some_and(|maxchars| self.has_characters(maxchars))
    }

    /// Whether the messages have more characters than that.
    fn has_characters(&self, maxchars: usize) -> bool {
        let mut left = Some(maxchars);
        let mut newest = self.entries.iter().rev();
        while let Some(rest) = left {
            let Some(entry) = newest.next() else { return false };
            left = rest.checked_sub(entry.stanza.character_count());
        }
        true
    }

    /// What the room may have that the copy has not, after that answer.
    pub(super) fn gap_after(&self, fetch: &Fetch) -> Gap {
        let oldest_ms = self.entries.front().map_or(i64::MAX, |oldest| oldest.stamp_ms.unwrap_or(i64::MAX));
        let has_older = fetch.has_older.unwrap_or(!self.entries.is_empty());
        // what the room shows, it shows without a hole
        let is_oldest = !has_older && !fetch.is_cut;
        let archived_up_to_ms =
            self.gap.archived_up_to_ms.map(|gap_ms| if is_oldest { gap_ms.min(oldest_ms) } else { gap_ms });
        let is_all = fetch.asked.most.is_none_or(|most| fetch.received < most);
        match (is_all, fetch.asked.since_ms) {
            _ if fetch.is_cut => Gap { up_to_ms: Some(oldest_ms), ..self.gap },
            (true, since_ms) => Gap {
                up_to_ms: since_ms.and_then(|since_ms| Some(self.gap.up_to_ms?.min(since_ms - 1))),
                room_keeps: if has_older && since_ms.is_none() {
                    Some(fetch.received)
                } else {
                    self.gap.room_keeps
                },
                archived_up_to_ms,
                ..self.gap
            },
            (false, _) if has_older => self.gap,
            (false, _) => Gap { up_to_ms: Some(oldest_ms), archived_up_to_ms, ..self.gap },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::request::Asked;
    use crate::xmpp::jid::BareJid;
    use crate::xmpp::muc::NS_MUC;
    use crate::xmpp::stanza::{Kept, Stanza};

    const NOW: Now = Now { monotonic_ms: 100_000, utc_ms: 100_000 };

    fn room() -> BareJid {
        BareJid::new("r@s")
    }

    fn keeps(history: usize) -> Config {
        Config { history, ..Config::default() }
    }

    fn message(number: i64) -> Kept {
        let xml = format!(
            "<message type='groupchat' from='r@s/bob' id='{number}'><body>{number}</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='r@s' id='{number}'/></message>"
        );
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    /// The room, asked for so many messages, shows those.
    fn shows(history: &mut History, most: usize, numbers: std::ops::Range<i64>, config: &Config) {
        history.begin_fetch(Asked { most: Some(most), since_ms: None });
        for number in numbers {
            history.take_in(&message(number), &room(), NOW, config);
        }
        history.end_fetch(&room(), NOW, config);
    }

    /// What the copy has that heard those messages live, each at as many seconds.
    fn heard(config: &Config, numbers: std::ops::Range<i64>) -> History {
        let mut history = History::default();
        shows(&mut history, config.history, 0..0, config);
        for number in numbers {
            let now = Now { utc_ms: number * 1_000, ..NOW };
            history.keep(&message(number), None, &room(), now, config);
        }
        history
    }

    #[track_caller]
    fn answers(history: &History, attributes: &str, config: &Config, expected: bool) {
        let xml = format!("<presence><x xmlns='{NS_MUC}'><history {attributes}/></x></presence>");
        let request = HistoryRequest::read(&Stanza::from_xml(&xml).unwrap(), config);
        assert_eq!(history.answers(&request, 0, NOW, config), expected, "{attributes}");
    }

    #[test]
    fn f32_a_copy_of_which_nothing_went_answers_all() {
        let config = keeps(3);
        let history = heard(&config, 10..13);
        answers(&history, "maxstanzas='100'", &config, true);
        answers(&history, "since='1970-01-01T00:00:00Z'", &config, true);
    }

    #[test]
    fn f32_a_copy_answers_what_it_can() {
        let config = keeps(2);
        let history = heard(&config, 10..13);
        for (attributes, expected) in [
            ("maxstanzas='100'", false),
            ("maxstanzas='2'", true),
            ("maxstanzas='0'", true),
            ("maxchars='9'", true),
            ("maxchars='9000'", false),
            ("seconds='10'", true),
            ("since='1970-01-01T00:00:10Z'", false),
            ("since='1970-01-01T00:00:11Z'", true),
        ] {
            answers(&history, attributes, &config, expected);
        }
    }

    #[test]
    fn f32_the_room_is_not_asked_for_what_it_does_not_have() {
        let config = keeps(3);
        let mut history = heard(&config, 10..14);
        answers(&history, "maxstanzas='4'", &config, false);
        shows(&mut history, 100, 9..14, &config);
        answers(&history, "maxstanzas='100'", &config, true);
        history.trim(NOW, &config);
        answers(&history, "maxstanzas='4'", &config, false);
        shows(&mut history, 100, 12..14, &config);
        history.keep(&message(14), None, &room(), NOW, &config);
        answers(&history, "maxstanzas='100'", &config, true); // the room keeps two, the copy three
        history.forget_room_limit();
        answers(&history, "maxstanzas='100'", &config, false);
    }

    #[test]
    fn f32_as_many_as_were_asked_for_may_not_be_all() {
        let config = keeps(3);
        for (most, expected) in [(2, false), (3, true)] {
            let mut history = History::default();
            shows(&mut history, most, 0..2, &config);
            answers(&history, "maxstanzas='2'", &config, true);
            answers(&history, "maxstanzas='3'", &config, expected);
        }
    }
}
