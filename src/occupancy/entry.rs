//! A join of ours until the room is known: the first one, and each that asks the room to show itself again.
//!
//! The room shows its occupants, the account itself as the last, then its history, and then its subject
//! (§7.1). A room without a subject falls silent instead (J31).

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::phase::In;
use crate::config::limit;
use crate::event::SessionId;
use crate::room::shown::within_means;
use crate::sessions::{Ask, Attachment};
use crate::turn::Turn;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Kept;

/// How far the room has shown itself, and since when it is silent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    progress: Progress,
    asked_ms: u64,
    /// Since when the room is silent: since it was asked, came within reach, or last showed anything.
    silent_since_ms: u64,
    /// When it last showed something that only the answer to a join has: our presence, or history.
    answered_ms: u64,
    /// Whether it has shown the account anything at all.
    has_shown: bool,
    /// Whether the stream to its service is only being set up, so that its silence says nothing.
    is_out_of_reach: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Progress {
    /// Nothing says yet that the account is in.
    Asked,
    /// The account's presence came with the id of an older join: it counts after a silence (design decision 13).
    Older(Kept),
    /// The account's presence came: what follows is history.
    LetIn(Kept),
}

impl Entry {
    /// The account has just asked to join.
    pub(super) fn asked(turn: &Turn<'_>, room: &BareJid) -> Self {
        Self {
            progress: Progress::Asked,
            asked_ms: turn.now.monotonic_ms,
            silent_since_ms: turn.now.monotonic_ms,
            answered_ms: turn.now.monotonic_ms,
            has_shown: false,
            is_out_of_reach: turn.services.is_out_of_reach(room.domain()),
        }
    }

    /// Whether nothing says yet that the account is in.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.progress, Progress::Asked)
    }

    /// Whether the room has let this join in.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(self.progress, Progress::LetIn(_))
    }

    /// Whether all that says that the account is in may answer an older join.
    pub(super) fn is_older(&self) -> bool {
        matches!(self.progress, Progress::Older(_))
    }

    /// Whether the room has not shown the account anything.
    pub(super) fn is_unseen(&self) -> bool {
        !self.has_shown
    }

    /// The account's presence as the room last showed it.
    pub(super) fn own(&self) -> Option<&Kept> {
        match &self.progress {
            Progress::Asked => None,
            Progress::Older(own) | Progress::LetIn(own) => Some(own),
        }
    }

    /// The room shows the account, in answer to this join or perhaps to an older one.
    pub(super) fn own_came(&mut self, turn: &Turn<'_>, own: &Kept, is_answer: bool) {
        let own = within_means(own, turn.has_space());
        self.progress =
            if is_answer || self.is_let_in() { Progress::LetIn(own) } else { Progress::Older(own) };
        self.answer_came(turn);
    }

    /// The room has shown something.
    pub(super) fn touch(&mut self, turn: &Turn<'_>) {
        self.silent_since_ms = turn.now.monotonic_ms;
        self.has_shown = true;
    }

    /// The room has shown something that belongs to its answer.
    pub(super) fn answer_came(&mut self, turn: &Turn<'_>) {
        self.touch(turn);
        self.answered_ms = turn.now.monotonic_ms;
    }

    /// All that has been shown belonged to an earlier stay.
    pub(super) fn start_over(&mut self) {
        self.progress = Progress::Asked;
    }

    /// The silence has had another cause.
    pub(super) fn forgive_silence(&mut self, turn: &Turn<'_>) {
        self.silent_since_ms = turn.now.monotonic_ms;
    }

    /// The stream to the room's service is being set up, or has been.
    pub(super) fn note_reach(&mut self, turn: &Turn<'_>, is_reached: bool) {
        if std::mem::replace(&mut self.is_out_of_reach, !is_reached) {
            self.forgive_silence(turn);
        }
    }

    /// When a room that has shown nothing at all is asked whether the account is in unseen.
    pub(super) fn unseen_ms(&self) -> Option<u64> {
        let is_silent = self.is_unseen() && !self.is_out_of_reach;
        is_silent.then_some(self.silent_since_ms + limit::JOIN_PROBE_MS)
    }

    /// When a room that has not let the account in is given up.
    pub(super) fn unanswered_ms(&self) -> Option<u64> {
        let patience_ms = if self.is_out_of_reach { limit::JOIN_MOST_MS } else { limit::JOIN_MS };
        self.is_asked().then(|| self.over_ms().min(self.silent_since_ms + patience_ms))
    }

    /// When the room has shown all of itself, though no subject says so.
    pub(super) fn silence_ms(&self) -> Option<u64> {
        let silent_ms = self.silent_since_ms + limit::JOIN_SILENCE_MS;
        let rest_ms = self.answered_ms + limit::JOIN_MS; // what else happens in the room has no end
        (!self.is_asked()).then(|| self.over_ms().min(silent_ms).min(rest_ms))
    }

    /// When no join is under way any more.
    fn over_ms(&self) -> u64 {
        self.asked_ms + limit::JOIN_MOST_MS
    }
}

impl In<'_> {
    /// Takes in a message of the past. True if it is news for the sessions that have been shown the room (H10). Behind
    /// a gap it waits.
    pub(super) fn take_in_history(&mut self, turn: &mut Turn<'_>, message: &Kept) -> bool {
        if message.sender_nick().as_ref() == Some(&self.base.me.nick) {
            self.note_said(message);
        }
        !self.keep_brought(turn, message) && self.base.take_in_history(turn, message)
    }

    /// The room has shown its history. What turns out to be news is shown.
    pub(super) fn end_fetch(&mut self, turn: &mut Turn<'_>) {
        for news in self.base.room.history.end_fetch(&self.base.me.room, turn.now, turn.config) {
            self.show_past(turn, &news);
        }
    }
}

impl Base {
    /// Takes in a message of the past. True if it is news.
    pub(super) fn take_in_history(&mut self, turn: &Turn<'_>, message: &Kept) -> bool {
        self.room.history.take_in(message, &self.me.room, turn.now, turn.config)
    }

    /// How many messages the session that waits wants at most.
    pub(super) fn wanted_history(&self, turn: &Turn<'_>, session: SessionId) -> usize {
        let ask = self.sessions.get(session).and_then(Attachment::ask);
        ask.map_or(0, |ask| ask.history.most(turn.config))
    }

    /// Whether that session waits for more history than the copy has, and the room may have it (F32).
    pub(super) fn lacks_history(&self, turn: &Turn<'_>, session: SessionId) -> bool {
        let ask = self.sessions.get(session).and_then(Attachment::ask);
        ask.is_some_and(|ask| !self.has_history(turn, ask))
    }

    /// Whether the copy has the history that the session asks for.
    pub(super) fn has_history(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        self.room.history.answers(&ask.history, ask.later.len(), turn.now, turn.config)
    }
}
