//! No more of what was missing will come: what has waited is shown.

use super::gap::{Brought, Filling, Gap, Hole};
use super::missed::Prints;
use super::phase::In;
use crate::pending::backlog::Backlog;
use crate::room::seen::stanza_id;
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::stanza::Stanza;

impl In<'_> {
    /// The account goes out of the room: what has waited is shown before that.
    pub(super) fn give_up_gap(&mut self, turn: &mut Turn<'_>) {
        let Some(Filling { hole, live, .. }) = self.take_filling(turn, false) else { return };
        self.show_brought(turn, hole, &live);
        self.end_fetch(turn);
        self.show_live(turn, live);
    }

    /// What is missing can't be shown: what has waited is. The archive is asked again later, after the last that it has shown.
    pub(super) fn stop_filling(&mut self, turn: &mut Turn<'_>) {
        let Some(filling) = self.stay.gap.filling_mut() else { return };
        let mut hole = filling.hole.clone();
        hole.brought = None;
        self.end_filling(turn, false);
        self.stay.gap = Gap::Open(hole);
    }

    /// No more of what was missing will come: what has waited is shown.
    pub(super) fn close_gap(&mut self, turn: &mut Turn<'_>, is_whole: bool) {
        if let Some(to_its_end) = self.end_filling(turn, is_whole) {
            self.gap_filled(turn, to_its_end);
        }
    }

    /// Shows what has waited; says whether all that was missing has been shown.
    fn end_filling(&mut self, turn: &mut Turn<'_>, is_whole: bool) -> Option<bool> {
        let Filling { hole, live, .. } = self.take_filling(turn, is_whole)?;
        let to_its_end = is_whole || hole.reaches_back(&self.base.room.history, &self.base.me.room);
        self.show_brought(turn, hole, &live);
        self.end_fetch(turn);
        self.base.room.history.begin_sequel(turn.now.utc_ms); // nothing is let go until those who wait have been shown it
        self.show_live(turn, live);
        self.show_the_rest(turn);
        Some(to_its_end)
    }

    fn take_filling(&mut self, turn: &Turn<'_>, is_whole: bool) -> Option<Filling> {
        let filling = self.stay.gap.take_filling()?;
        self.base.room.history.end_sequel(is_whole, &self.base.me.room, turn.now, turn.config);
        Some(filling)
    }

    /// Shows what of the history is news, and has not come live. The log lacks what has been said since the account was last
    /// heard of, though after a start it is nobody's news.
    fn show_brought(&mut self, turn: &mut Turn<'_>, hole: Hole, live: &Backlog) {
        let start_ms = hole.start_ms();
        let Some(Brought { asked, messages }) = hole.brought.map(|brought| *brought) else { return };
        if let Some(asked) = asked {
            self.base.room.history.begin_fetch(asked);
        }
        let came_live = Prints::of(live, &self.base.me.room);
        for message in messages {
            if came_live.have(&message, &self.base.me.room) {
                continue;
            }
            if self.base.room.history.take_in(&message, &self.base.me.room, turn.now, turn.config) {
                self.show_past(turn, &message);
            } else if delay::stamp(&message, &self.base.me.room) >= Some(start_ms) {
                self.log_past(turn, &message);
            }
        }
    }

    /// Shows the sessions that have been shown the room a message of its past.
    pub(super) fn show_past(&mut self, turn: &mut Turn<'_>, message: &Stanza) {
        self.log_past(turn, message);
        let archived = self.base.as_archived(turn, message);
        let shown = archived.as_deref().unwrap_or(message);
        for session in self.base.shown_sessions() {
            self.show(turn, session, shown.clone());
        }
    }

    /// Shows what has come live, unless it was part of what was missing. It may have the id that it has in the account's
    /// archive: sessions are shown that, and the copy has it without.
    fn show_live(&mut self, turn: &mut Turn<'_>, live: Backlog) {
        for shown in live {
            let message = self.base.as_shown(&shown).unwrap_or_else(|| shown.share());
            let is_named = message.id.is_some() || stanza_id(&message, &self.base.me.room).is_some();
            if !is_named || !self.base.room.history.has_come(&message, &self.base.me.room) {
                let is_delayed = delay::is_delayed(&message);
                self.base.take_in_live(turn, &message, is_delayed);
                turn.about_shown(shown.clone(), |turn| self.relay_news(turn, &shown));
            }
        }
    }
}
