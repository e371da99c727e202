//! Every option, with its default. All times are in milliseconds.

pub mod limit;

use serde::{Deserialize, Serialize};

/// One second.
pub const SECOND_MS: u64 = 1_000;
/// One minute.
pub const MINUTE_MS: u64 = 60 * SECOND_MS;
/// One hour.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// One day.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// 1024 times 1024 bytes.
pub const MEBIBYTE: usize = 1024 * 1024;

/// The options that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How many messages the account's own join asks of the room at least, and how many are kept (H13).
    pub history: usize,
    /// How many messages a join is shown at most. Those beyond the kept ones are asked of the room (H13).
    pub history_max: usize,
    /// How many messages a join without `<history/>` is shown (H13).
    pub history_default: usize,
    /// How much the messages may cost that are kept for a room (H12).
    pub history_bytes: usize,
    /// How much may cost what is kept of a room (R7).
    pub room_memory: usize,
    /// How much may cost what an account keeps and what waits for it, as if it shared nothing with others (R7).
    pub account_memory: usize,
    /// How much may cost what the process keeps of one domain, or more where it has many rooms: see
    /// `limit::DOMAIN_COST_OF_ROOM` (R7).
    pub domain_memory: usize,
    /// How much may cost what the process keeps (R7).
    pub memory: usize,
    /// How long a message is kept (H12).
    pub history_age_ms: u64,
    /// How long after a sign of life sessions are answered without asking the room (J29, I2).
    pub trust_ms: u64,
    /// For how long the account stays in a room after its last session detached; `None` is for ever.
    pub linger_ms: Option<u64>,
    /// The same where the account has an affiliation above none.
    pub linger_affiliated_ms: Option<u64>,
    /// How long after its last session detached the account is shown as `xa`.
    pub away_delay_ms: u64,
    /// How long after its last sign of life a room is asked whether the account is in (K10); `None` is never.
    pub check_ms: Option<u64>,
    /// Whether bookmarks have accounts join rooms, and hold them there (B5).
    pub autojoin: bool,
    /// How long after the last login of an account it leaves its rooms, also those of bookmarks; `None` is never.
    pub dormant_ms: Option<u64>,
    /// Whether the passwords of rooms are stored.
    pub store_passwords: bool,
    /// In how many rooms one account may be (J25).
    pub rooms_per_account: usize,
    /// Which rooms are logged for their accounts' archives (XEP-0313, design decision 22).
    pub archive: Archive,
    /// How long a message stays in the log; `None` is for ever.
    pub archive_expires_ms: Option<u64>,
    /// Rooms and services that are left alone, as `room@service`, `service` or `*.domain`.
    pub exclude: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history: 50,
            history_max: 1_000,
            history_default: 20,
            history_bytes: 256 * 1024,
            room_memory: 32 * MEBIBYTE,
            account_memory: 64 * MEBIBYTE,
            domain_memory: 64 * MEBIBYTE,
            memory: 256 * MEBIBYTE,
            history_age_ms: 7 * DAY_MS,
            trust_ms: 15 * MINUTE_MS,
            linger_ms: Some(DAY_MS),
            linger_affiliated_ms: Some(14 * DAY_MS),
            away_delay_ms: 2 * MINUTE_MS,
            check_ms: Some(HOUR_MS),
            autojoin: true,
            dormant_ms: Some(90 * DAY_MS),
            store_passwords: true,
            rooms_per_account: 500,
            archive: Archive::Off,
            archive_expires_ms: Some(7 * DAY_MS),
            exclude: Vec::new(),
        }
    }
}

/// Which rooms are logged for their accounts' archives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Archive {
    /// None: whoever drives the core keeps no log. The wrapper keeps one unless the operator says otherwise.
    #[default]
    Off,
    /// Those without an archive of their own.
    Needed,
    /// All.
    All,
}

impl Archive {
    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "needed" => Some(Self::Needed),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

impl Config {
    /// Whether the operator wants that room or service left alone.
    pub fn excludes(&self, room: &crate::xmpp::jid::BareJid) -> bool {
        let domain = room.domain();
        self.exclude.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
            None => pattern == room.as_str() || pattern == domain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::jid::BareJid;

    #[test]
    fn an_exclusion_names_a_room_a_service_or_all_below_a_domain() {
        let exclude = ["lounge@rooms.example", "irc.example", "*.games.example"].map(String::from).to_vec();
        let config = Config { exclude, ..Config::default() };
        let excluded = |room: &str| config.excludes(&BareJid::new(room));
        assert!(excluded("lounge@rooms.example") && !excluded("den@rooms.example"));
        assert!(excluded("#c%net@irc.example"));
        assert!(excluded("a@chess.games.example"));
        assert!(!excluded("a@games.example") && !excluded("a@badgames.example"));
    }
}
