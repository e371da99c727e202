//! What is stored of an account in a room: a text for each room, small, and readable by later versions.
//!
//! It is no piece of the snapshot, which holds everything for one version. Times are in UTC. Fields that this
//! version does not know survive a read and a write.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::limit;
use crate::intervals::Intervals;
use crate::push::Settings;
use crate::said::Said;
use crate::xmpp::delay;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::Departure;

/// The version of the text. A newer one is left alone.
const VERSION: u32 = 1;

/// An account in a room, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) standing: Standing,
    pub(crate) carried: Carried,
}

/// Whether the account is in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// It is in.
    In(Box<Membership>),
    /// It is out for good.
    Out(Departed),
}

/// What brings the account back into the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) nick: Nick,
    /// The password with which it joined.
    pub(crate) password: Option<Box<str>>,
    pub(crate) affiliation: Option<Box<str>>,
    /// What the room calls it (XEP-0421).
    pub(crate) occupant_id: Option<Box<str>>,
    pub(crate) news: News,
}

/// What changes all the time. It is written when something else is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// When the last session detached.
    pub(crate) detached_ms: Option<i64>,
    /// When the account last logged in, if that was later.
    pub(crate) login_ms: Option<i64>,
    /// Whether the room is shown that nobody is attached.
    pub(crate) is_away: bool,
    /// The id that the room gave its last message (XEP-0359).
    pub(crate) stanza_id: Option<Box<str>>,
    /// When that message was sent.
    pub(crate) stamp_ms: Option<i64>,
    /// What the account has said.
    pub(crate) said: Said,
}

/// Why and when the account went out for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Departed {
    pub(crate) why: Departure,
    pub(crate) at_ms: i64,
}

/// What is kept as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Carried {
    /// Whether a bookmark holds the account in the room (XEP-0402).
    #[serde(rename = "autojoin", skip_serializing_if = "is_false")]
    pub(crate) is_bookmarked: bool,
    /// Since when messages are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<String>,
    /// Of which messages the account wants to be notified.
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Value>,
    /// When the account was in, as far as it sees the log of the room.
    #[serde(
        rename = "log",
        deserialize_with = "Intervals::read",
        skip_serializing_if = "Intervals::is_empty"
    )]
    pub(crate) intervals: Intervals,
    /// What a later version has written.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Carried {
    /// What the occupancy does not know, so that it is stored again.
    pub(crate) fn unknown_to_occupancy(self) -> Self {
        Self { push: self.push, unknown: self.unknown, ..Self::default() }
    }

    /// Since when messages are missing.
    pub(crate) fn gap_ms(&self) -> Option<i64> {
        self.gap.as_deref().and_then(delay::parse)
    }

    /// Of what the account is to be notified.
    pub(crate) fn push(&self) -> Settings {
        Settings::read(self.push.as_ref())
    }

    /// It is to be notified of that.
    pub(crate) fn set_push(&mut self, settings: Settings) {
        settings.write(&mut self.push);
    }

    /// Messages are missing since then, or none are.
    pub(crate) fn set_gap(&mut self, gap_ms: Option<i64>) {
        self.gap = gap_ms.map(delay::format);
    }
}

/// Why a text can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A later version has written it.
    Newer(u32),
    /// It is broken.
    Broken(String),
}

/// The fields as they are written.
#[derive(Serialize, Deserialize)]
struct Text {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nick: Option<Nick>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    affiliation: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occupant_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detached: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    away: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stanza_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    #[serde(default, skip_serializing_if = "Said::is_empty")]
    said: Said,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    departure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    departed: Option<String>,
    #[serde(flatten)]
    carried: Carried,
}

impl Record {
    /// Whether it tells the last message of the room.
    pub(crate) fn knows_last(&self) -> bool {
        matches!(&self.standing, Standing::In(membership) if membership.news.stanza_id.is_some())
    }

    /// Reads a text that was stored.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        let broken = |why: &str| Unreadable::Broken(why.to_owned());
        if text.len() > limit::RECORD_BYTES {
            return Err(broken("too long"));
        }
        let fields: Value = serde_json::from_str(text).map_err(|error| broken(&error.to_string()))?;
        let version = fields.get("v").and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
        match version {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(Unreadable::Newer(newer)),
            Some(_) | None => return Err(broken("no version")),
        }
        let text: Text = serde_json::from_value(fields).map_err(|error| broken(&error.to_string()))?;
        text.into_record().ok_or_else(|| broken("neither in nor out"))
    }

    /// The text to store.
    pub(crate) fn write(&self) -> String {
        let text = Text::of(self);
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// The part of it whose change has to be stored soon.
    pub(crate) fn essence(&self) -> String {
        let mut essence = self.clone();
        if let Standing::In(membership) = &mut essence.standing {
            membership.news = News::default();
            essence.carried.intervals = essence.carried.intervals.begun();
        }
        essence.carried.gap = None;
        essence.write()
    }
}

impl Text {
    fn of(record: &Record) -> Self {
        let carried = record.carried.clone();
        match &record.standing {
            Standing::In(membership) => Self::of_membership(membership, carried),
            Standing::Out(departed) => Self {
                departure: Some(name(departed.why).to_owned()),
                departed: Some(delay::format(departed.at_ms)),
                ..Self::empty(carried)
            },
        }
    }

    fn of_membership(membership: &Membership, carried: Carried) -> Self {
        let news = &membership.news;
        Self {
            nick: Some(membership.nick.clone()),
            password: membership.password.clone(),
            affiliation: membership.affiliation.clone(),
            occupant_id: membership.occupant_id.clone(),
            detached: news.detached_ms.map(delay::format),
            login: news.login_ms.map(delay::format),
            away: news.is_away,
            stanza_id: news.stanza_id.clone(),
            stamp: news.stamp_ms.map(delay::format),
            said: news.said.clone(),
            ..Self::empty(carried)
        }
    }

    fn empty(carried: Carried) -> Self {
        Self {
            v: VERSION,
            nick: None,
            password: None,
            affiliation: None,
            occupant_id: None,
            detached: None,
            login: None,
            away: false,
            stanza_id: None,
            stamp: None,
            said: Said::default(),
            departure: None,
            departed: None,
            carried,
        }
    }

    fn into_record(self) -> Option<Record> {
        let time = |stamp: Option<String>| stamp.as_deref().and_then(delay::parse);
        let standing = match (self.departure, self.nick) {
            (Some(why), _) => Standing::Out(Departed {
                why: departure(&why),
                at_ms: time(self.departed).unwrap_or_default(),
            }),
            (None, Some(nick)) if is_nick(&nick) => Standing::In(Box::new(Membership {
                nick,
                password: self.password,
                affiliation: self.affiliation,
                occupant_id: self.occupant_id,
                news: News {
                    detached_ms: time(self.detached),
                    login_ms: time(self.login),
                    is_away: self.away,
                    stanza_id: self.stanza_id,
                    stamp_ms: time(self.stamp),
                    said: self.said,
                },
            })),
            (None, Some(_) | None) => return None,
        };
        Some(Record { standing, carried: self.carried })
    }
}

const NAMES: [(Departure, &str); 9] = [
    (Departure::Left, "left"),
    (Departure::Kicked, "kicked"),
    (Departure::Banned, "banned"),
    (Departure::AffiliationLost, "affiliation-lost"),
    (Departure::MembersOnly, "members-only"),
    (Departure::Destroyed, "destroyed"),
    (Departure::Shutdown, "shutdown"),
    (Departure::Technical, "technical"),
    (Departure::Unexplained, "unexplained"),
];

fn name(departure: Departure) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == departure).map_or("unexplained", |(_, name)| name)
}

fn departure(name: &str) -> Departure {
    NAMES.iter().find(|(_, known)| *known == name).map_or(Departure::Unexplained, |(departure, _)| *departure)
}

fn is_nick(nick: &Nick) -> bool {
    !nick.as_str().is_empty() && nick.as_str().len() <= limit::NICK_BYTES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "{\"v\":1,\"nick\":\"alice\",\"password\":\"secret\",\"affiliation\":\"member\",\
        \"occupant_id\":\"o1\",\"detached\":\"2026-11-25T17:00:00Z\",\"login\":\"2026-11-25T17:30:00Z\",\"away\":true,\"stanza_id\":\"s1\",\
        \"stamp\":\"2026-11-25T16:00:00Z\",\"said\":[[498713,\"0000002a\"]],\"autojoin\":true,\"gap\":\"2026-11-25T16:30:00Z\",\
        \"push\":{\"rule\":\"mention\"},\"later\":[1,{\"a\":null}]}";

    #[test]
    fn all_that_was_stored_is_written_again() {
        for text in [FULL, "{\"v\":1,\"departure\":\"banned\",\"departed\":\"2026-11-25T17:00:00Z\",\"x\":1}"]
        {
            assert_eq!(Record::read(text).unwrap().write(), text);
        }
    }

    #[test]
    fn a_newer_version_and_a_broken_text_are_told_apart() {
        assert_eq!(Record::read("{\"v\":2,\"nick\":{}}"), Err(Unreadable::Newer(2)));
        for broken in
            ["", "{", "[]", "{}", "{\"v\":1}", "{\"v\":0,\"nick\":\"a\"}", "{\"v\":1,\"nick\":\"\"}"]
        {
            assert!(matches!(Record::read(broken), Err(Unreadable::Broken(_))), "{broken}");
        }
        let long = format!("{{\"v\":1,\"nick\":\"a\",\"x\":\"{}\"}}", "x".repeat(limit::RECORD_BYTES));
        assert!(matches!(Record::read(&long), Err(Unreadable::Broken(_))));
    }

    #[test]
    fn what_changes_all_the_time_is_not_of_its_essence() {
        let record = Record::read(FULL).unwrap();
        let later = FULL
            .replace("T17:00", "T18:00")
            .replace("s1", "s2")
            .replace("002a", "002b")
            .replace("\"away\":true,", "");
        assert_eq!(Record::read(&later).unwrap().essence(), record.essence());
        let renamed = FULL.replace("\"alice\"", "\"ally\"");
        assert_ne!(Record::read(&renamed).unwrap().essence(), record.essence());
    }
}
