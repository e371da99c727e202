//! A join of ours until the room is known: the first one, and each that asks the room to show itself again.
//!
//! The room shows its occupants, the account itself as the last, then its history, and then its subject
//! (§7.1). A room without a subject falls silent instead (J31).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use crate::config::limit;
use crate::room::Room;
use crate::turn::Turn;
use crate::xmpp::stanza::Kept;

/// How far the room has shown itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Entry {
    /// Nothing says yet that the account is in.
    #[default]
    Asked,
    /// The account's presence came with the id of an older join: it counts after a silence (design decision 13).
    Older(Shown),
    /// The account's presence came: what follows is history.
    LetIn(Shown),
}

/// What the room has shown of the account, and when it last showed anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shown {
    own: Kept,
    last_ms: u64,
}

impl Entry {
    /// Whether nothing says yet that the account is in.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked)
    }

    /// Whether the room has let this join in.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(self, Self::LetIn(_))
    }

    /// The account's presence as the room last showed it.
    pub(super) fn own(&self) -> Option<&Kept> {
        match self {
            Self::Asked => None,
            Self::Older(shown) | Self::LetIn(shown) => Some(&shown.own),
        }
    }

    /// The room shows the account, in answer to this join or perhaps to an older one.
    pub(super) fn own_came(&mut self, turn: &Turn<'_>, own: &Kept, is_answer: bool) {
        let shown = Shown { own: own.clone(), last_ms: turn.now.monotonic_ms };
        *self = if is_answer || self.is_let_in() { Self::LetIn(shown) } else { Self::Older(shown) };
    }

    /// The room has shown something.
    pub(super) fn touch(&mut self, turn: &Turn<'_>) {
        match self {
            Self::Asked => {}
            Self::Older(shown) | Self::LetIn(shown) => shown.last_ms = turn.now.monotonic_ms,
        }
    }

    /// When a silence says that the room has shown all of itself.
    pub(super) fn silence_ms(&self) -> Option<u64> {
        match self {
            Self::Asked => None,
            Self::Older(shown) | Self::LetIn(shown) => Some(shown.last_ms + limit::JOIN_SILENCE_MS),
        }
    }
}

impl Occupancy {
    /// Keeps a message of the past; false if it was known (H10).
    pub(super) fn take_in_history(&mut self, turn: &Turn<'_>, message: &Kept) -> bool {
        let stamp_ms = Room::stamp(message, &self.me.room, turn.now);
        let is_new = !self.room.history.knows(message, stamp_ms, &self.me.room);
        if is_new {
            self.room.history.keep(message, stamp_ms, &self.me.room, turn.config);
        }
        is_new
    }
}
