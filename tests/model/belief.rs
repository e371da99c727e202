//! What is known of the room: by the account, and by each session.

use std::collections::BTreeMap;

use crate::stanzas::Occupant;

/// What the account has been told of its present stay; a session can have been told no more.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The messages that a join may show, by their numbers.
    pub(crate) historic: Vec<u64>,
    /// The oldest message that is known but for those that a session asked for: what is older was not missed.
    pub(crate) first: Option<u64>,
    /// All groupchat messages as they came.
    pub(crate) live: Vec<u64>,
    /// The nick under which the account is in.
    pub(crate) nick: String,
    pub(crate) subject: String,
    pub(crate) non_anonymous: bool,
    /// The room has been shown once; what it tells of the past from now on was missed.
    pub(crate) is_shown: bool,
    /// The private messages that came with nobody there and were not stored: a leave waits.
    pub(crate) meanwhile: Vec<u64>,
    /// The stream was lost: the next live message waits until the archive has been asked.
    pub(crate) is_lossy: bool,
    /// How many live messages there were before one that may wait; whoever joins then may be shown it after the subject.
    pub(crate) waits_from: Option<usize>,
    /// The messages that may have waited when the last stay ended: they are shown before its end is.
    pub(crate) waited: Vec<u64>,
    /// Counts the stays.
    pub(crate) stay: u64,
}

/// The room as a session sees it.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) roster: BTreeMap<String, Occupant>,
    pub(crate) own: Option<(String, Occupant)>,
    pub(crate) asked_nick: String,
    /// The nick that the room has told, which may be another than the one that it asked for and goes by.
    pub(crate) real_nick: String,
    pub(crate) subject: String,
    /// How many of the live messages it is past; more than one number as long as it can't be told.
    pub(crate) live: Vec<usize>,
}

impl View {
    /// The nick by which it goes means somebody else by now, if it is not the real one.
    pub(crate) fn forget_alias(&mut self) {
        if let Some((nick, _)) = &mut self.own {
            self.real_nick.clone_into(nick);
        }
    }
}

/// What has been sent that expects an answer.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) kind: OwedKind,
    pub(crate) answers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwedKind {
    /// Exactly one answer.
    Query,
    /// Exactly one answer as long as the session stays in.
    Echo,
    /// One at most.
    Other,
}
