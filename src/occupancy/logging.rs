//! What of a room is logged for the archives of its accounts, and since when an account sees it (design decision 22).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::from_log::Reading;
use super::phase::In;
use crate::config::{Archive, limit};
use crate::event::Action;
use crate::intervals::Intervals;
use crate::moment::Stamp;
use crate::room::history::is_historic;
use crate::room::recent::Logged;
use crate::room::seen::stanza_id;
use crate::turn::Turn;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::cost::Cost;
use crate::xmpp::delay;
use crate::xmpp::jid::BareJid;
use crate::xmpp::muc::{NS_MUC_USER, sets_subject};
use crate::xmpp::stanza::{Element, Kept, Kind, MessageType, Stanza};

/// What an account sees of the log of the room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct View {
    /// When it was in.
    intervals: Intervals,
    /// Since when a message has come while its leave waits: if it leaves, it is out since then (L3).
    leaving: Option<Stamp>,
    /// Until when it surely was in, if nothing has come since a start. The first message tells that it was all the time.
    #[serde(default)]
    unsure_from: Option<Stamp>,
    /// Since when messages are logged of a room that may have an archive of its own. If it has none, the account sees the log
    /// since then.
    #[serde(default)]
    doubtful_from: Option<Stamp>,
    /// The log is being read.
    #[serde(default)]
    pub(super) reading: Option<Box<Reading>>,
}

impl View {
    /// Whether the account sees what came, or was said, at that time.
    fn covers(&self, at_ms: i64) -> bool {
        self.unsure_from.is_none_or(|unsure| at_ms <= unsure.ms()) && self.intervals.cover(at_ms)
    }
}

impl In<'_> {
    /// Logs a live message. Gives it back as sessions are shown it, with the id that it has in the account's archive, unless
    /// the room itself may have an archive.
    pub(super) fn log_live(&mut self, turn: &mut Turn<'_>, message: &Kept) -> Option<Kept> {
        if !self.base.is_logged(turn, message) {
            return None;
        }
        let said_ms = delay::stamp_by_room(message, &self.base.me.room);
        let logged = self.log(turn, message, said_ms)?;
        if self.base.may_be_archived(turn, message) {
            return None;
        }
        let shown = || Kept::own(with_id(Stanza::clone(message), &self.base.me.account, &logged.id));
        logged.is_settled.then(shown)
    }

    /// Logs a message of the past that is news.
    pub(super) fn log_past(&mut self, turn: &mut Turn<'_>, message: &Stanza) {
        if self.base.is_logged(turn, message) {
            let said_ms = delay::stamp(message, &self.base.me.room);
            self.log(turn, message, said_ms);
        }
    }

    /// Logs a message, if a room would keep it. The account sees the log from then on, unless the room may have an archive.
    fn log(&mut self, turn: &mut Turn<'_>, message: &Stanza, said_ms: Option<i64>) -> Option<Logged> {
        let logged = self.base.log(turn, message, said_ms)?;
        let may_be_archived = self.base.may_be_archived(turn, message);
        let view = self.base.view.get_or_insert_default();
        view.unsure_from = None;
        if self.stay.attendance.leave_waits() {
            view.leaving.get_or_insert(Stamp::at(logged.at_ms.saturating_sub(1)));
            return Some(logged);
        }
        view.leaving = None;
        // not since it was said: whoever speaks may say when, and another account may have had it logged long ago
        let from_ms = logged.at_ms.max(turn.now.utc_ms.saturating_sub(limit::LOGGED_APART_MS));
        if view.intervals.open_since_ms().is_none() && may_be_archived {
            view.doubtful_from.get_or_insert(Stamp::at(from_ms));
        } else {
            self.base.see_log(from_ms);
        }
        Some(logged)
    }

    /// The account has been let in. It sees the log from then on. A room whose history has ids may have an archive: it sees
    /// nothing until that is known.
    pub(super) fn begin_interval(&mut self, turn: &Turn<'_>) {
        let is_logged = match turn.config.archive {
            Archive::Off => false,
            Archive::All => true,
            Archive::Needed => {
                let room = &self.base.me.room;
                turn.kinds
                    .has_archive(room)
                    .map_or_else(|| !self.base.gives_ids(), |has_archive| !has_archive)
            }
        };
        if is_logged {
            self.base.see_log(turn.now.utc_ms);
        }
    }

    /// Since when the log surely has all that the account has been told. A record without a last message may be older than
    /// what the room has told of its archive.
    pub(super) fn surely_covered_ms(&self, turn: &Turn<'_>) -> Option<i64> {
        let is_heard = self.base.view.as_ref().is_some_and(|view| view.unsure_from.is_none());
        let is_sure = is_heard
            || self.stay.last.is_some()
            || turn.config.archive == Archive::All
            || turn.kinds.has_archive(&self.base.me.room) == Some(false);
        self.base.covered_ms().filter(|_| is_sure)
    }
}

impl Base {
    /// Whether the room is logged. It is if it has no archive of its own, and until it has told that. A room with an
    /// archive gives its messages ids (XEP-0359), so only such a one is asked.
    fn is_logged(&mut self, turn: &mut Turn<'_>, message: &Stanza) -> bool {
        match turn.config.archive {
            Archive::Off => return false,
            Archive::All => return true,
            Archive::Needed => {}
        }
        let has_archive = turn.kinds.has_archive(&self.me.room);
        if has_archive.is_none() && stanza_id(message, &self.me.room).is_some() {
            self.ask_kind(turn);
        }
        if has_archive == Some(true)
            && let Some(view) = &mut self.view
        {
            view.intervals.end(turn.now.utc_ms); // what comes from now on is not in the log
            view.doubtful_from = None;
        }
        has_archive != Some(true)
    }

    /// Whether the room may still tell that it has an archive: it gives its messages ids as such rooms do.
    fn may_be_archived(&self, turn: &Turn<'_>, message: &Stanza) -> bool {
        let room = &self.me.room;
        turn.config.archive == Archive::Needed
            && turn.kinds.has_archive(room).is_none()
            && stanza_id(message, room).is_some()
            && turn.kinds.may_answer(turn.now, room)
    }

    /// The room has told what it is. If it has no archive, the account sees what has been logged meanwhile.
    pub(super) fn decide_view(&mut self, turn: &Turn<'_>) {
        let doubtful = self.view.as_ref().and_then(|view| view.doubtful_from);
        if let Some(from) = doubtful.filter(|_| turn.kinds.has_archive(&self.me.room) == Some(false)) {
            self.see_log(from.ms());
        }
    }

    /// The account sees the log since then at least.
    fn see_log(&mut self, from_ms: i64) {
        let view = self.view.get_or_insert_default();
        if view.intervals.is_empty() {
            self.room.history.note_log_begins();
        }
        let doubtful = view.doubtful_from.take();
        view.intervals.begin(doubtful.map_or(from_ms, |doubtful| doubtful.ms().min(from_ms)));
    }

    /// Logs a message, if a room would keep it, and no account has had it logged.
    fn log(&self, turn: &mut Turn<'_>, message: &Stanza, said_ms: Option<i64>) -> Option<Logged> {
        if sets_subject(message) || !is_historic(message) || !may_be_logged(message) {
            return None;
        }
        let fresh_id = turn.fresh_id();
        let (room, account) = (&self.me.room, &self.me.account);
        let logged = turn.logs.take_in(turn.now, [room, account], message, said_ms, &fresh_id);
        if logged.is_new {
            let stanza = Kept::without_to(as_logged(message, room.as_str()));
            let (room, id, print, at_ms) = (room.clone(), logged.id.clone(), logged.print, logged.at_ms);
            turn.act(Action::Log { room, id, print, at_ms, said_ms, stanza });
        }
        Some(logged)
    }

    /// A message as sessions are shown it that is not live, with the id that it has in the account's archive; nothing if it
    /// has none there, or has it already.
    pub(super) fn as_archived(&self, turn: &Turn<'_>, message: &Stanza) -> Option<Kept> {
        let view = self.view.as_deref()?;
        let may_have_id = self.may_have_log(turn) && message.kind == Kind::Message(MessageType::Groupchat);
        if !may_have_id
            || self.may_be_archived(turn, message)
            || stanza_id(message, &self.me.account).is_some()
        {
            return None;
        }
        let (at_ms, id) = turn.logs.find(&self.me.room, message)?;
        let said_ms = delay::stamp_by_room(message, &self.me.room);
        let covers = |said_ms: i64| view.covers(said_ms) || view.covers(said_ms.saturating_add(999)); // a stamp may tell the second only
        let is_seen = view.covers(at_ms) && said_ms.is_none_or(covers);
        is_seen.then(|| Kept::own(with_id(message.clone(), &self.me.account, id)))
    }

    /// Whether the log may have what sessions ask for. Of a room that has an archive, or may have one, it has little or nothing.
    pub(super) fn has_log(&self, turn: &Turn<'_>) -> bool {
        let Some(intervals) = self.intervals().filter(|intervals| !intervals.is_empty()) else {
            return false;
        };
        let has_little = || intervals.open_since_ms().is_none() && self.gives_ids();
        self.may_have_log(turn) && (turn.config.archive == Archive::All || !has_little())
    }

    /// Whether the room is logged, as far as is known: it is not if it has told that it has an archive of its own.
    fn may_have_log(&self, turn: &Turn<'_>) -> bool {
        match turn.config.archive {
            Archive::Off => false,
            Archive::Needed => turn.kinds.has_archive(&self.me.room) != Some(true),
            Archive::All => true,
        }
    }

    /// Whether the room gives its messages ids, as one does that has an archive (XEP-0359).
    fn gives_ids(&self) -> bool {
        self.room.history.last(&self.me.room).0.is_some()
    }

    /// Since when the log has all that the account has been told.
    pub(super) fn covered_ms(&self) -> Option<i64> {
        self.intervals().and_then(Intervals::open_since_ms)
    }

    /// When the account was in, as far as it sees the log.
    pub(super) fn intervals(&self) -> Option<&Intervals> {
        self.view.as_ref().map(|view| &view.intervals)
    }
}

impl Occupancy {
    /// The account is not in: it does not see what is logged meanwhile.
    pub(super) fn end_interval(&mut self, turn: &Turn<'_>) {
        if let Some(view) = &mut self.base.view {
            let ended = view.unsure_from.take().or(view.leaving.take());
            let has_no_archive = turn.kinds.has_archive(&self.base.me.room) == Some(false);
            if let Some(from) = view.doubtful_from.take().filter(|_| has_no_archive) {
                view.intervals.begin(from.ms());
            }
            view.intervals.end(ended.map_or(turn.now.utc_ms, Stamp::ms));
        }
    }

    /// When the account was in, as far as it sees the log.
    pub(crate) fn intervals(&self) -> Option<&Intervals> {
        self.base.intervals()
    }

    /// Whether it sees of the log what came, or was said, at that time.
    pub(crate) fn sees_logged(&self, at_ms: i64) -> bool {
        self.base.view.as_ref().is_some_and(|view| view.covers(at_ms))
    }

    /// The first and the last time of which it sees something. If it sees what is logged next, there is no last.
    pub(crate) fn logged_span(&self) -> Option<(i64, Option<i64>)> {
        let view = self.base.view.as_ref()?;
        let (first_ms, last_ms) = view.intervals.span()?;
        Some((first_ms, last_ms.or(view.unsure_from.map(Stamp::ms))))
    }

    /// From when to when it was in, as far as it sees the log, oldest first.
    pub(crate) fn logged_intervals(&self) -> Option<Vec<(i64, Option<i64>)>> {
        self.base.view.as_ref().map(|view| view.intervals.apart(view.unsure_from.map(Stamp::ms)))
    }

    /// When the account was in, as it was stored. Until a message comes it may be out.
    pub(crate) fn restore_intervals(&mut self, intervals: Intervals, now_ms: i64) {
        if !intervals.is_empty() {
            let view = View { intervals, unsure_from: Some(Stamp::at(now_ms)), ..View::default() };
            self.base.view = Some(Box::new(view));
        }
    }

    /// A number that changes when one begins.
    pub(super) fn intervals_number(&self) -> u32 {
        self.base.intervals().map_or(0, Intervals::number)
    }
}

/// The message with the id that it has in the account's archive.
pub(super) fn with_id(message: Stanza, account: &BareJid, id: &str) -> Stanza {
    let by = account.as_str();
    message.child(Element::build("stanza-id", NS_STANZA_ID).attribute("by", by).attribute("id", id).done())
}

/// Whether a message is not too large to be logged. Much structure is a burden to the server's storage, however short it is.
fn may_be_logged(message: &Stanza) -> bool {
    let weight = message.weight();
    weight <= limit::LOGGED_BYTES && message.cost().saturating_sub(weight) <= limit::LOGGED_STRUCTURE
}

/// The message as all accounts are shown it: without what the room has told one of them (A6), and without ids that
/// nobody but an account's own server may give (A5).
fn as_logged(message: &Stanza, room: &str) -> Stanza {
    let mut logged = message.clone();
    logged.children.retain(|child| {
        let is_of_others = child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") != Some(room);
        !is_of_others && !child.is("x", NS_MUC_USER)
    });
    logged
}
