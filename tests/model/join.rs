//! A session's join, as long as it is not complete.

use std::collections::BTreeMap;

use minimix_core::xmpp::muc::{MucUser, status};

use crate::belief::Known;
use crate::stanzas::Occupant;

/// A join that is not complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) id: String,
    pub(crate) nick: String,
    pub(crate) most: Option<usize>,
    pub(crate) stage: Stage,
    pub(crate) history: Vec<u64>,
    /// Who has been shown since it asked.
    pub(crate) roster: BTreeMap<String, Occupant>,
    /// It was in already, and asked for another nick: a nick change, and the room is shown after it.
    pub(crate) renames: bool,
    /// The room has said 303.
    pub(crate) renamed: bool,
    /// How many live messages there were when it asked, and in which stay; and when it was answered.
    pub(crate) asked_at: (u64, usize),
    pub(crate) answered_at: usize,
    pub(crate) non_anonymous: bool,
}

/// How much of the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Nothing,
    Others,
    Own,
}

impl Join {
    pub(crate) fn new(id: &str, nick: &str, most: Option<usize>) -> Self {
        Self {
            id: id.to_owned(),
            nick: nick.to_owned(),
            most,
            stage: Stage::Nothing,
            history: Vec::new(),
            roster: BTreeMap::new(),
            renames: false,
            renamed: false,
            asked_at: (0, 0),
            answered_at: 0,
            non_anonymous: false,
        }
    }

    /// Whether a strict client would ask again now: not while it is shown the room.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.stage == Stage::Nothing && !self.renames
    }

    /// The first stanza of the answer comes.
    pub(crate) fn begins(&mut self, known: &Known) {
        if self.stage == Stage::Nothing {
            self.answered_at = known.live.len();
            self.non_anonymous = known.non_anonymous;
        }
    }

    /// Whether the history is right if it ends before that live message.
    pub(crate) fn is_history_until(&self, live: usize, known: &Known) -> bool {
        let limit = known.live.get(live).copied().unwrap_or(u64::MAX);
        let past: Vec<_> = known.historic.iter().copied().filter(|number| *number < limit).collect();
        let most = self.most.unwrap_or(20).min(past.len());
        self.history == past[past.len() - most..]
    }
}

/// A join says of the room what the room is.
pub(crate) fn check_codes(occupant: &MucUser, non_anonymous: bool, other_nick: bool) {
    let wanted = [(status::NON_ANONYMOUS, non_anonymous), (status::NICK_ASSIGNED, other_nick)];
    for (code, is_wanted) in wanted {
        assert_eq!(occupant.has(code), is_wanted, "code {code} of a join (J7, J8)");
    }
}
