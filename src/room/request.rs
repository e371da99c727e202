//! How much of the history a session wants to see, and the account asks for (XEP-0045 §7.2.14).

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Now;
use crate::xmpp::delay;
use crate::xmpp::muc::NS_MUC;
use crate::xmpp::stanza::{Element, Stanza};

/// What a session wants to see of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryRequest {
    maxstanzas: Option<usize>,
    pub(super) maxchars: Option<usize>,
    seconds: Option<usize>,
    since_ms: Option<i64>,
    /// Whether the session says nothing of it.
    is_unsaid: bool,
}

impl HistoryRequest {
    /// Reads the request of a join. What cannot be read counts as absent. A join that asks for nothing gets what
    /// the operator chose.
    pub(crate) fn read(join: &Stanza, config: &Config) -> Self {
        let history = join.find("x", NS_MUC).and_then(|x| x.find("history"));
        let asked = history.map(Self::read_element).unwrap_or_default();
        if asked == Self::default() {
            return Self { maxstanzas: Some(config.history_default), is_unsaid: true, ..asked };
        }
        asked
    }

    fn read_element(history: &Element) -> Self {
        let count = |name| history.attribute(name).and_then(number);
        Self {
            maxstanzas: count("maxstanzas"),
            maxchars: count("maxchars"),
            seconds: count("seconds"),
            since_ms: history.attribute("since").and_then(delay::parse),
            is_unsaid: false,
        }
    }

    /// Whether the session says how much it wants.
    pub(super) fn is_said(&self) -> bool {
        !self.is_unsaid
    }

    /// How many messages it wants at most.
    pub(crate) fn most(&self, config: &Config) -> usize {
        self.maxstanzas.map_or(config.history_max, |most| most.min(config.history_max))
    }

    /// The oldest stamp that is wanted, if there is one: `seconds` and `since`, whichever is later.
    pub(crate) fn oldest_ms(&self, now: Now) -> Option<i64> {
        let milliseconds = |seconds: usize| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
        let by_seconds = self.seconds.map(|seconds| now.utc_ms.saturating_sub(milliseconds(seconds)));
        by_seconds.into_iter().chain(self.since_ms).max()
    }
}

/// What a join of ours asks of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// How many messages at most, if that is said.
    pub(crate) most: Option<usize>,
    pub(crate) since_ms: Option<i64>,
}

impl Asked {
    /// Whether that many of the newest messages were asked for.
    pub(crate) fn is_enough_for(self, wanted: usize) -> bool {
        self.since_ms.is_none() && self.most.is_none_or(|most| wanted <= most)
    }

    /// What the room is asked.
    pub(crate) fn element(self) -> Element {
        let history = Element::build("history", NS_MUC);
        let history = match self.most {
            Some(most) => history.attribute("maxstanzas", &most.to_string()),
            None => history,
        };
        match self.since_ms {
            Some(since_ms) => history.attribute("since", &delay::format(since_ms)).done(),
            None => history.done(),
        }
    }
}

/// Reads a number that is not negative. One that is too large is the largest.
fn number(text: &str) -> Option<usize> {
    let digits = text.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 100_000 };

    fn read(history: &str) -> HistoryRequest {
        let xml = format!("<presence><x xmlns='{NS_MUC}'>{history}</x></presence>");
        HistoryRequest::read(&Stanza::from_xml(&xml).unwrap(), &Config::default())
    }

    #[test]
    fn f32_what_cannot_be_read_counts_as_absent() {
        for absent in [
            "",
            "<history/>",
            "<history maxstanzas='many'/>",
            "<history maxstanzas='-1' maxchars='1.5' seconds='' since='yesterday'/>",
        ] {
            assert_eq!(read(absent).most(&Config::default()), 20, "{absent}");
            assert_eq!(read(absent).oldest_ms(NOW), None, "{absent}");
        }
        assert_eq!(read("<history maxstanzas='many' maxchars='9'/>").maxchars, Some(9));
    }

    #[test]
    fn h13_no_more_is_wanted_than_may_be_had() {
        let config = Config::default();
        assert_eq!(read("<history maxstanzas='100'/>").most(&config), 100);
        assert_eq!(read("<history maxstanzas=' 0 '/>").most(&config), 0);
        assert_eq!(read("<history maxstanzas='99999999999999999999'/>").most(&config), 1_000);
        assert_eq!(read("<history seconds='99999999999999999999'/>").most(&config), 1_000);
    }

    #[test]
    fn h3_the_later_of_two_moments_counts() {
        let both = |seconds| {
            read(&format!("<history since='1970-01-01T00:00:40Z' seconds='{seconds}'/>")).oldest_ms(NOW)
        };
        assert_eq!(both(90), Some(40_000));
        assert_eq!(both(10), Some(90_000));
        assert_eq!(
            read("<history seconds='99999999999999999999'/>").oldest_ms(NOW),
            Some(100_000 - i64::MAX)
        );
    }
}
