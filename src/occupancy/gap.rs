//! Messages of the room may be missing, after a start or a loss. The archive is asked once the account is known to be in:
//! after a resync, or when a message of the room is heard. What comes live meanwhile waits. If there is no archive, the
//! history that a resync brings has to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::last::Last;
use super::missed::Prints;
use super::phase::{In, Stay};
use super::stored::utc_of;
use crate::config::limit;
use crate::pending::backlog::Backlog;
use crate::room::history::History;
use crate::room::request::Asked;
use crate::room::seen::stanza_id;
use crate::turn::Turn;
use crate::xmpp::archive::Wanted;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Kept, Stanza};

/// Whether messages of the room may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Gap {
    /// None are.
    #[default]
    Closed,
    /// Some may be. A resync, or a message of the room, begins to fill the gap.
    Open(Hole),
    /// The room is asked for them.
    Filling(Box<Filling>),
}

/// What may be missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hole {
    /// Since when, by our clock.
    since_ms: i64,
    last: Option<Arc<Last>>,
    pub(super) brought: Option<Box<Brought>>,
    /// The archive could not be asked, and is asked again no sooner than then.
    pub(super) not_before_ms: u64,
}

/// The history that the room has shown meanwhile. It ends after what is missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Brought {
    /// What a resync has asked for, if it was a resync.
    pub(super) asked: Option<Asked>,
    pub(super) messages: Backlog,
}

/// A gap that is being filled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Filling {
    pub(super) hole: Hole,
    pub(super) source: Source,
    until_ms: u64,
    /// How many messages the archive has shown.
    pub(super) received: usize,
    /// What has come live since.
    pub(super) live: Backlog,
}

/// From where the messages come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Source {
    /// From the archive, by a query of that id. It had shown so many before.
    Archive { id: Box<str>, before: usize },
    /// From a resync: the archive does not answer.
    Resync,
}

impl Gap {
    /// After a start, messages may be missing since then. What is stored of the last one may be much older, and the
    /// account has seen what came since.
    pub(super) fn since_start(since_ms: i64, last: Option<&Arc<Last>>) -> Self {
        let oldest_ms = since_ms.saturating_sub(limit::GAP_SLACK_MS);
        let last = last.filter(|last| last.stamp_ms().is_some_and(|stamp_ms| stamp_ms >= oldest_ms));
        Self::Open(Hole { since_ms, last: last.cloned(), brought: None, not_before_ms: 0 })
    }

    /// About how many bytes wait for it to be filled.
    pub(super) fn cost(&self) -> usize {
        let brought = self.hole().and_then(|hole| hole.brought.as_ref());
        let live = match self {
            Self::Filling(filling) => filling.live.cost(),
            Self::Closed | Self::Open(_) => 0,
        };
        live + brought.map_or(0, |brought| brought.messages.cost())
    }

    /// Whether the room is being asked.
    pub(super) fn is_filling(&self) -> bool {
        matches!(self, Self::Filling(_))
    }

    /// When it is given up.
    pub(super) fn until_ms(&self) -> Option<u64> {
        match self {
            Self::Filling(filling) => Some(filling.until_ms),
            Self::Closed | Self::Open(_) => None,
        }
    }

    fn hole(&self) -> Option<&Hole> {
        match self {
            Self::Closed => None,
            Self::Open(hole) => Some(hole),
            Self::Filling(filling) => Some(&filling.hole),
        }
    }

    /// What is being filled.
    pub(super) fn filling_mut(&mut self) -> Option<&mut Filling> {
        match self {
            Self::Filling(filling) => Some(filling),
            Self::Closed | Self::Open(_) => None,
        }
    }

    /// Closes the gap, if it is being filled.
    pub(super) fn take_filling(&mut self) -> Option<Filling> {
        if !self.is_filling() {
            return None;
        }
        match std::mem::take(self) {
            Self::Filling(filling) => Some(*filling),
            Self::Closed | Self::Open(_) => None,
        }
    }

    pub(super) fn hole_mut(&mut self) -> Option<&mut Hole> {
        match self {
            Self::Closed => None,
            Self::Open(hole) => Some(hole),
            Self::Filling(filling) => Some(&mut filling.hole),
        }
    }
}

impl Hole {
    /// What the archive is asked for.
    pub(super) fn wanted(&self) -> Wanted {
        self.last_id().map_or_else(|| Wanted::Since(self.start_ms()), |id| Wanted::After(id.into()))
    }

    pub(super) fn last_id(&self) -> Option<&str> {
        self.last.as_ref().and_then(|last| last.id.as_deref())
    }

    pub(super) fn last_ms(&self) -> Option<i64> {
        self.last.as_ref().and_then(|last| last.stamp_ms())
    }

    /// The archive has shown that message, or ended a page with it. Without an id it goes on by time.
    pub(super) fn note_last(&mut self, id: Option<Box<str>>, stamp_ms: Option<i64>) {
        self.last = Some(Arc::new(Last::new(id, stamp_ms)));
    }

    /// From when on all is wanted.
    pub(super) fn start_ms(&self) -> i64 {
        self.last_ms().unwrap_or_else(|| self.since_ms.saturating_sub(limit::GAP_SLACK_MS))
    }

    fn brought_mut(&mut self) -> &mut Brought {
        self.brought.get_or_insert_default()
    }

    /// Whether a resync has shown the history.
    pub(super) fn has_history(&self) -> bool {
        self.brought.as_ref().is_some_and(|brought| brought.asked.is_some())
    }

    /// Whether that history reaches back to a message that is no news: then it is all that was missing.
    pub(super) fn reaches_back(&self, history: &History, room: &BareJid) -> bool {
        let is_known = |message: &Kept| {
            let is_last = self.last_id().is_some() && stanza_id(message, room) == self.last_id();
            is_last || history.has_come(message, room)
        };
        self.has_history() && self.brought.iter().any(|brought| brought.messages.iter().any(is_known))
    }
}

impl Filling {
    fn begun(turn: &Turn<'_>, hole: Hole) -> Self {
        let until_ms = turn.after(limit::GAP_MS);
        Self { hole, source: Source::Resync, until_ms, received: 0, live: Backlog::default() }
    }

    pub(super) fn is_asked_as(&self, query: &str) -> bool {
        matches!(&self.source, Source::Archive { id, .. } if **id == *query)
    }

    /// Whether that message of the past has also come live, and is shown with what has.
    pub(super) fn has_live(&self, message: &Stanza, room: &BareJid) -> bool {
        Prints::of(&self.live, room).have(message, room)
    }

    /// Whether the archive has shown anything since it was last asked.
    pub(super) fn goes_on(&self) -> bool {
        matches!(&self.source, Source::Archive { before, .. } if *before < self.received)
    }
}

impl Stay {
    /// Whether sessions have to wait until a gap is filled.
    pub(super) fn is_filling_gap(&self) -> bool {
        self.gap.is_filling()
    }

    /// Since when messages may be missing, by our clock.
    pub(super) fn gap_since_ms(&self) -> Option<i64> {
        self.gap.hole().map(|hole| hole.since_ms)
    }
}

/// What others call.
impl In<'_> {
    /// Messages may be missing from now on. If that is known already, the gap only becomes larger.
    pub(super) fn open_gap(&mut self, turn: &mut Turn<'_>) {
        self.stop_filling(turn);
        let known = self.base.room.history.last(&self.base.me.room);
        let newest_ms = self.base.room.history.newest_ms();
        if matches!(self.stay.gap, Gap::Closed) {
            let heard_ms = self.stay.trust.heard_ms().unwrap_or(turn.now.monotonic_ms);
            let last = Some(Arc::new(Last::new(known.0, known.1.or(newest_ms))));
            let since_ms = utc_of(turn.now, heard_ms);
            self.stay.gap = Gap::Open(Hole { since_ms, last, brought: None, not_before_ms: 0 });
        }
    }

    /// The account is in: the room is asked for what is missing, unless that is under way.
    pub(super) fn fill_gap(&mut self, turn: &mut Turn<'_>) {
        match std::mem::take(&mut self.stay.gap) {
            Gap::Closed => {}
            Gap::Open(hole) => {
                self.base.room.history.begin_sequel(hole.start_ms());
                self.stay.gap = Gap::Filling(Box::new(Filling::begun(turn, hole)));
                self.ask_archive(turn);
            }
            Gap::Filling(filling) => {
                let is_over = matches!(filling.source, Source::Resync);
                self.stay.gap = Gap::Filling(filling);
                if is_over {
                    self.close_gap(turn, false);
                }
            }
        }
    }

    /// All that can be had of a gap has been shown: all that was missing, if it came to its end.
    pub(super) fn gap_filled(&mut self, turn: &mut Turn<'_>, to_its_end: bool) {
        let end = if to_its_end { "to its end" } else { "as far as it could be" };
        log::debug!("the gap of {} in {} is filled {end}", self.base.me.account, self.base.me.room);
        self.send_again(turn, to_its_end);
    }

    /// Keeps a live message until the gap before it is filled; false if there is none, or if too much waits already.
    pub(super) fn waits_behind_gap(&mut self, turn: &mut Turn<'_>, message: &Kept) -> bool {
        !matches!(self.stay.gap, Gap::Closed) && self.keep_live(turn, message)
    }

    /// The room begins to show its history. If messages may be missing before it, it waits.
    pub(super) fn begin_fetch(&mut self, asked: Asked) {
        match self.stay.gap.hole_mut() {
            Some(hole) => hole.brought_mut().asked = Some(asked),
            None => self.base.room.history.begin_fetch(asked),
        }
    }

    /// Keeps history until the gap before it is filled; false if there is none. Of too much the oldest is lost.
    pub(super) fn keep_brought(&mut self, turn: &mut Turn<'_>, message: &Kept) -> bool {
        let Some(hole) = self.stay.gap.hole_mut() else { return false };
        let messages = &mut hole.brought_mut().messages;
        if !turn.keep_newest(messages, limit::GAP_COST, message.share(), |_| true) {
            log::debug!("a message of the history of {} is too large to be kept", self.base.me.room);
        }
        true
    }

    /// The room has not shown in time what was missing.
    pub(super) fn gap_unanswered(&mut self, turn: &mut Turn<'_>) {
        self.close_gap(turn, false);
    }
}

impl In<'_> {
    /// Who waited when it came is shown it after the subject; to who joins later it is history.
    fn keep_for_those_who_wait(&mut self, turn: &mut Turn<'_>, message: &Kept) {
        if self.hides(message) {
            return;
        }
        for ask in self.base.sessions.asks_mut() {
            ask.keep_for_later(turn, message);
        }
    }

    /// Keeps a live message, and begins to fill the gap. If too much waits, all is shown.
    fn keep_live(&mut self, turn: &mut Turn<'_>, message: &Kept) -> bool {
        let may_ask = |hole: &mut Hole| turn.is_due(hole.not_before_ms);
        if !self.stay.is_filling_gap() && self.stay.gap.hole_mut().is_some_and(may_ask) {
            self.fill_gap(turn);
        }
        let Some(filling) = self.stay.gap.filling_mut() else { return false };
        let has_space = filling.live.len() < limit::GAP_LIVE;
        if has_space && turn.keep(&mut filling.live, limit::GAP_COST, message.share()) {
            self.keep_for_those_who_wait(turn, message);
            return true;
        }
        self.close_gap(turn, false);
        false
    }
}
