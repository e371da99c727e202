//! What an account has said in a room, so that an answer to it is known as one (XEP-0461).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::limit;

const HOUR_MS: i64 = 3_600_000;
/// How many digits tell a print.
const DIGITS: usize = 8;

/// The prints of the ids of its messages, each with the hour (UTC, since 1970) in which it was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Vec<(u32, String)>")]
pub(crate) struct Said(VecDeque<(u32, u32)>);

impl Said {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// It has said that. Beyond the limit the oldest is forgotten (U4).
    pub(crate) fn note(&mut self, print: u32, at_ms: i64) {
        self.0.push_back((hour_of(at_ms), print));
        self.forget_old(at_ms);
        while self.0.len() > limit::OWN_MESSAGES {
            self.0.pop_front();
        }
    }

    /// Whether it has said that, and not too long ago.
    pub(crate) fn has(&self, print: u32, now_ms: i64) -> bool {
        self.0.iter().any(|(hour, said)| *said == print && !is_old(*hour, now_ms))
    }

    /// What is too old is forgotten.
    pub(crate) fn forget_old(&mut self, now_ms: i64) {
        while self.0.front().is_some_and(|(hour, _)| is_old(*hour, now_ms)) {
            self.0.pop_front();
        }
    }
}

fn hour_of(at_ms: i64) -> u32 {
    u32::try_from(at_ms / HOUR_MS).unwrap_or_default()
}

fn is_old(hour: u32, now_ms: i64) -> bool {
    hour_of(now_ms).saturating_sub(hour) >= limit::OWN_MESSAGE_HOURS
}

/// They are written by hours, the prints in hexadecimal digits.
impl From<Said> for Vec<(u32, String)> {
    fn from(said: Said) -> Self {
        let mut hours: Self = Vec::new();
        for (hour, print) in said.0 {
            let digits = format!("{print:0DIGITS$x}");
            match hours.last_mut() {
                Some((last, prints)) if *last == hour => prints.push_str(&digits),
                Some(_) | None => hours.push((hour, digits)),
            }
        }
        hours
    }
}

/// What can't be read counts as absent.
impl From<Value> for Said {
    fn from(stored: Value) -> Self {
        let hours: Vec<(u32, String)> = serde_json::from_value(stored).unwrap_or_default();
        let prints = |(hour, digits): (u32, String)| -> Vec<(u32, u32)> {
            let prints = digits.as_bytes().chunks_exact(DIGITS);
            let number = |print| u32::from_str_radix(std::str::from_utf8(print).ok()?, 16).ok();
            prints.filter_map(number).map(|print| (hour, print)).collect()
        };
        let mut said: VecDeque<(u32, u32)> = hours.into_iter().flat_map(prints).collect();
        said.drain(..said.len().saturating_sub(limit::OWN_MESSAGES));
        Self(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

    fn known(said: &Said, now_ms: i64) -> usize {
        (0..2 * limit::OWN_MESSAGES).filter(|print| said.has(u32::try_from(*print).unwrap(), now_ms)).count()
    }

    #[test]
    fn u4_own_messages_are_limited_in_number_and_time() {
        let mut said = Said::default();
        for print in 0..limit::OWN_MESSAGES + 10 {
            said.note(u32::try_from(print).unwrap(), 1_000);
        }
        assert_eq!((said.0.len(), known(&said, 1_000)), (limit::OWN_MESSAGES, limit::OWN_MESSAGES));
        assert!(!said.has(9, 1_000) && said.has(10, 1_000));
        assert_eq!(known(&said, WEEK_MS - 1), limit::OWN_MESSAGES);
        assert_eq!(known(&said, WEEK_MS), 0);
        said.note(0, WEEK_MS);
        assert_eq!(said.0.len(), 1);
    }

    #[test]
    fn u4_they_are_stored_by_hours_and_read_again() {
        let mut said = Said::default();
        for (print, at_ms) in [(1, HOUR_MS), (0xdead_beef, HOUR_MS + 1), (2, 3 * HOUR_MS)] {
            said.note(print, at_ms);
        }
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(text, "[[1,\"00000001deadbeef\"],[3,\"00000002\"]]");
        assert_eq!(serde_json::from_str::<Said>(&text).unwrap(), said);
    }

    #[test]
    fn u4_what_is_stored_of_them_is_short() {
        let mut said = Said::default();
        for print in 0..limit::OWN_MESSAGES {
            said.note(u32::MAX, i64::try_from(print).unwrap() * (WEEK_MS / 1_001));
        }
        let stored = serde_json::to_string(&said).unwrap();
        assert!(stored.len() <= limit::RECORD_BYTES / 4, "{}", stored.len());
    }

    #[test]
    fn r7_of_what_is_stored_no_more_is_read_than_may_be() {
        let many = "0000000a".repeat(limit::OWN_MESSAGES + 5);
        let said: Said = serde_json::from_value(serde_json::json!([[1, many]])).unwrap();
        assert_eq!(said.0.len(), limit::OWN_MESSAGES);
        for broken in ["1", "[[1]]", "[[-1,\"\"]]", "[[1,\"xyzxyzxyzé\"]]", "[[1,\"0000\"]]", "null"] {
            assert!(serde_json::from_str::<Said>(broken).unwrap().is_empty(), "{broken}");
        }
    }
}
