//! The bookmarks that have an account join rooms (XEP-0402).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::xmpp::jid::{BareJid, Nick};

/// A bookmark that has the account join its room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// As which occupant; a join uses it, and nothing else does.
    pub nick: Option<Nick>,
    /// The password of the room.
    pub password: Option<Box<str>>,
}

impl Bookmark {
    /// Reads what a bookmark says; nothing if it does not have the account join, or is too long.
    pub fn read(autojoin: Option<&str>, nick: Option<&str>, password: Option<&str>) -> Option<Self> {
        let bytes = nick.map_or(0, str::len) + password.map_or(0, str::len);
        let joins = matches!(autojoin, Some("true" | "1")); // XML Schema has two names for it
        if !joins || bytes > limit::BOOKMARK_BYTES {
            return None;
        }
        let nick = nick.filter(|nick| !nick.is_empty() && nick.len() <= limit::NICK_BYTES);
        Some(Self { nick: nick.map(Nick::new), password: password.map(Into::into) })
    }

    /// Whether another differs in the nick at most.
    fn differs_in_nick_at_most(&self, other: &Self) -> bool {
        self.password == other.password
    }
}

/// All bookmarks that have an account join rooms.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bookmarks(BTreeMap<BareJid, Bookmark>);

/// What a bookmark was before it was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It had the account join nothing.
    Absent,
    /// It differed in the nick at most.
    SameButNick,
    /// It differed.
    Other,
}

impl Bookmarks {
    /// What the bookmark of that room says.
    pub(crate) fn get(&self, room: &BareJid) -> Option<&Bookmark> {
        self.0.get(room)
    }

    /// Whether the account is to be in that room.
    pub(crate) fn holds(&self, room: &BareJid) -> bool {
        self.0.contains_key(room)
    }

    /// The rooms that the account is to be in.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &BareJid> {
        self.0.keys()
    }

    /// Takes in a bookmark. One too many is not kept (R7).
    pub(crate) fn publish(&mut self, room: &BareJid, bookmark: Bookmark) -> Before {
        let before = match self.0.get(room) {
            None => Before::Absent,
            Some(known) if known.differs_in_nick_at_most(&bookmark) => Before::SameButNick,
            Some(_) => Before::Other,
        };
        if before != Before::Absent || self.0.len() < limit::BOOKMARKS {
            self.0.insert(room.clone(), bookmark);
        }
        before
    }

    /// A bookmark is gone, or does not have the account join any more; false if there was none.
    pub(crate) fn retract(&mut self, room: &BareJid) -> bool {
        self.0.remove(room).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b5_a_bookmark_says_autojoin_in_two_ways() {
        for (autojoin, joins) in [
            (Some("true"), true),
            (Some("1"), true),
            (Some("false"), false),
            (Some("0"), false),
            (None, false),
        ] {
            assert_eq!(Bookmark::read(autojoin, None, None).is_some(), joins, "{autojoin:?}");
        }
    }

    #[test]
    fn r7_a_bookmark_has_a_length_and_their_number_a_limit() {
        let long = "x".repeat(limit::NICK_BYTES + 1);
        assert_eq!(Bookmark::read(Some("1"), Some(&long), None), Some(Bookmark::default()));
        assert_eq!(Bookmark::read(Some("1"), None, Some(&"x".repeat(limit::BOOKMARK_BYTES + 1))), None);
        let mut bookmarks = Bookmarks::default();
        for number in 0..limit::BOOKMARKS + 10 {
            bookmarks.publish(&BareJid::new(&format!("r{number}@rooms.example")), Bookmark::default());
        }
        assert_eq!(bookmarks.rooms().count(), limit::BOOKMARKS);
    }
}
