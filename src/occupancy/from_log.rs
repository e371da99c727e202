//! Sessions ask for more history than is kept. If the room is logged, its log is read for all who wait, before the room is
//! asked for anything (design decisions 17, 22).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::logging::with_id;
use super::phase::In;
use crate::config::limit;
use crate::event::{Action, InLog, SessionId, Verdict};
use crate::pending::backlog::Backlog;
use crate::sessions::{Ask, Attachment, LogFor};
use crate::turn::Turn;
use crate::xmpp::stanza::{Kept, Stanza};

/// The log is being read, from its end backwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The id of the order.
    id: Box<str>,
    until_ms: u64,
    /// How many messages are wanted.
    most: usize,
    /// From when on they are wanted.
    since_ms: Option<i64>,
    /// When the last message that has been told was received.
    at_ms: Option<i64>,
    /// The newest first.
    found: Backlog,
    /// When each of them was sent.
    stamps_ms: Vec<i64>,
    /// Whether there was no space for more.
    is_cut: bool,
}

impl Reading {
    /// Takes in a message that was received and sent then.
    fn take_in(&mut self, turn: &mut Turn<'_>, at_ms: i64, stamp_ms: i64, message: Stanza) {
        self.is_cut |= !turn.keep(&mut self.found, limit::GAP_COST, Kept::without_to(message));
        if !self.is_cut {
            self.at_ms = Some(at_ms);
            self.stamps_ms.push(stamp_ms);
        }
    }

    /// Whether nothing that is wanted was received before. What was received late had been said before.
    fn is_enough(&self) -> bool {
        let Some(at_ms) = self.at_ms else { return self.is_cut };
        let is_before = self.since_ms.is_some_and(|since_ms| at_ms < since_ms);
        let after = self.stamps_ms.iter().filter(|stamp_ms| **stamp_ms >= at_ms).count();
        self.is_cut || is_before || after >= self.most
    }

    /// What has been found, the oldest first.
    fn into_found(self) -> Vec<(i64, Kept)> {
        let mut found: Vec<(i64, Kept)> = self.stamps_ms.into_iter().zip(self.found).collect();
        found.reverse();
        found
    }
}

impl In<'_> {
    /// Whether the log has to be read for that session, or is being read.
    pub(super) fn needs_log(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        match ask.log {
            LogFor::Read => false,
            LogFor::Asked if self.is_reading_log() => true,
            LogFor::Asked | LogFor::Nothing => self.base.has_log(turn) && self.base.lacks_logged(turn, ask),
        }
    }

    pub(super) fn session_needs_log(&self, turn: &Turn<'_>, session: SessionId) -> bool {
        let ask = self.base.sessions.get(session).and_then(Attachment::ask);
        ask.is_some_and(|ask| self.needs_log(turn, ask))
    }

    /// Whether the log is to be read for that session, and goes as far back as it asks.
    pub(super) fn expects_from_log(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        let covers =
            |oldest_ms| self.surely_covered_ms(turn).is_some_and(|covered_ms| covered_ms <= oldest_ms);
        self.needs_log(turn, ask) && ask.history.oldest_ms(turn.now).is_none_or(covers)
    }

    pub(super) fn is_reading_log(&self) -> bool {
        self.base.view.as_ref().is_some_and(|view| view.reading.is_some())
    }

    /// Has the log read for all who wait, unless it is being read.
    pub(super) fn read_log(&mut self, turn: &mut Turn<'_>) {
        if self.is_reading_log() {
            return;
        }
        let (most, since_ms) = self.note_read_for(turn);
        let since_ms = since_ms.map(|since_ms| since_ms.saturating_sub(limit::GAP_SLACK_MS)); // clocks differ
        let id = turn.fresh_id();
        let Some(view) = &mut self.base.view else { return };
        view.reading = Some(Box::new(Reading {
            id: id.clone(),
            until_ms: turn.after(limit::LOG_READ_MS),
            most,
            since_ms,
            at_ms: None,
            found: Backlog::default(),
            stamps_ms: Vec::new(),
            is_cut: false,
        }));
        self.base.room.history.hold(true);
        let (account, room) = (self.base.me.account.clone(), self.base.me.room.clone());
        turn.act(Action::ReadLog { account, room, id, since_ms });
    }

    /// Notes for whom the log is read: how many messages they want at most, and since when.
    fn note_read_for(&mut self, turn: &Turn<'_>) -> (usize, Option<i64>) {
        let (mut most, mut since_ms) = (1, Some(i64::MAX));
        let history = &self.base.room.history;
        for ask in self.base.sessions.asks_mut() {
            let lacks = history.lacks_logged(&ask.history, ask.later.len(), turn.now, turn.config);
            if lacks && ask.log != LogFor::Read {
                ask.log = LogFor::Asked;
                most = most.max(ask.history.most(turn.config).saturating_add(ask.later.len()));
                since_ms = since_ms.min(ask.history.oldest_ms(turn.now)); // none is the least
            }
        }
        (most, since_ms)
    }

    /// Takes in what is found in the log; false if nobody waits for it.
    fn log_read(&mut self, turn: &mut Turn<'_>, id: &str, found: InLog) -> bool {
        let is_wanted = self.base.sessions.asks().any(|ask| ask.log == LogFor::Asked);
        let reading = self.base.view.as_mut().and_then(|view| view.reading.as_deref_mut());
        let Some(reading) = reading.filter(|reading| *reading.id == *id) else { return false };
        match found {
            InLog::Message { id, at_ms, said_ms, stanza } => {
                let message = with_id(stanza, &self.base.me.account, &id);
                reading.take_in(turn, at_ms, said_ms.unwrap_or(at_ms), message);
            }
            InLog::Pause if is_wanted && !reading.is_enough() => {}
            InLog::Pause => self.end_reading(turn, Some(false)),
            InLog::End => self.end_reading(turn, Some(true)),
            InLog::Unreadable => self.end_reading(turn, None),
        }
        true
    }

    /// The log has not been read in time: what has been read is shown.
    pub(super) fn log_unread(&mut self, turn: &mut Turn<'_>) {
        log::debug!("the log of {} is not read in time", self.base.me.room);
        self.end_reading(turn, None);
    }

    /// Takes in what has been found: all that there is, or a part, or as much as could be read. The sessions that have waited
    /// are shown the room, or it is asked for the rest.
    fn end_reading(&mut self, turn: &mut Turn<'_>, is_all: Option<bool>) {
        let Some(reading) = self.base.view.as_mut().and_then(|view| view.reading.take()) else { return };
        let (at_ms, is_cut) = (reading.at_ms, reading.is_cut);
        let covered_ms =
            self.surely_covered_ms(turn).zip(at_ms).map(|(covered_ms, at_ms)| covered_ms.max(at_ms));
        let history = &mut self.base.room.history;
        history.add_logged(reading.into_found(), &self.base.me.room, turn.now, turn.config);
        if let Some(is_all) = is_all {
            history.note_logged(covered_ms, at_ms.filter(|_| !is_all || is_cut));
        }
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.log == LogFor::Asked) {
            ask.log = LogFor::Read;
        }
        self.serve(turn);
    }
}

impl Base {
    fn lacks_logged(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        self.room.history.lacks_logged(&ask.history, ask.later.len(), turn.now, turn.config)
    }

    /// Nobody waits for the log any more.
    pub(super) fn stop_reading_log(&mut self) {
        if let Some(view) = &mut self.view {
            view.reading = None;
        }
    }

    /// Until when the log is being read.
    pub(super) fn log_until_ms(&self) -> Option<u64> {
        self.view.as_ref()?.reading.as_ref().map(|reading| reading.until_ms)
    }

    /// About how many bytes wait for its end.
    pub(super) fn log_cost(&self) -> usize {
        let reading = self.view.as_ref().and_then(|view| view.reading.as_ref());
        reading.map_or(0, |reading| reading.found.cost())
    }
}

impl Occupancy {
    /// The log of the room is read.
    pub(crate) fn log_read(&mut self, turn: &mut Turn<'_>, id: &str, found: InLog) -> Verdict {
        let is_awaited = self.inside().is_some_and(|mut inside| inside.log_read(turn, id, found));
        if is_awaited { Verdict::Handled } else { Verdict::Pass("nobody waits for the log") }
    }

    /// Whether more of the log is wanted for that order.
    pub(crate) fn reads_log(&self, id: &str) -> bool {
        let reading = self.base.view.as_ref().and_then(|view| view.reading.as_ref());
        reading.is_some_and(|reading| *reading.id == *id)
    }
}
