//! Why the room shows the account: to answer a presence of ours, in time or late, or of its own accord.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::phase::Stay;
use crate::config::limit;
use crate::room::shown::within_means;
use crate::turn::Turn;
use crate::xmpp::stanza::Kept;

/// Why the room shows the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It answers the presence of ours that it had not answered yet.
    Answer,
    /// It answers that presence of ours, which was given up.
    Late(Kept),
    /// It answers none.
    OfItsOwn,
}

/// Presences that the room has not answered in time, by their ids: it may still do so.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Overdue(VecDeque<(Box<str>, Kept)>);

impl Overdue {
    pub(super) fn note(&mut self, id: Box<str>, sent: &Kept) {
        if self.0.len() >= limit::OVERDUE {
            self.0.pop_front();
        }
        self.0.push_back((id, sent.clone()));
    }

    /// Takes out the oldest one whose id is wanted.
    pub(super) fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Kept> {
        let position = self.0.iter().position(|(id, _)| wanted(id))?;
        self.0.remove(position).map(|(_, sent)| sent)
    }
}

impl Stay {
    /// The room shows the account on that occasion.
    pub(super) fn note_own(&mut self, turn: &Turn<'_>, shown: &Kept, occasion: &Occasion) {
        let candidates = self.own.candidates(!self.upstream.is_busy() || *occasion == Occasion::Answer);
        let [last, _] = &candidates;
        let reflected = match occasion {
            Occasion::Answer if self.own.reflects_ids => std::slice::from_ref(last),
            Occasion::Late(sent) => std::slice::from_ref(sent),
            Occasion::Answer | Occasion::OfItsOwn => &candidates,
        };
        self.own.came(within_means(shown, turn.has_space()), reflected);
    }
}
