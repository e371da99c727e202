//! What may have been missed, from the room's archive (XEP-0313), or from a resync if there is none.

use super::base::Base;
use super::gap::{Gap, Hole, Source};
use super::phase::In;
use crate::config::limit;
use crate::pending::backlog::Backlog;
use crate::room::history::delayed;
use crate::room::seen::{Print, stanza_id, with_stanza_id};
use crate::turn::Turn;
use crate::xmpp::archive::{self, Archived, Page};
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::muc::sets_subject;
use crate::xmpp::stanza::{IqType, Kept, Kind, MessageType, Stanza};

impl In<'_> {
    /// Asks for the next page.
    pub(super) fn ask_archive(&mut self, turn: &mut Turn<'_>) {
        let Some(filling) = self.stay.gap.filling_mut() else { return };
        let id = turn.fresh_id();
        let query = archive::query(&id, &filling.hole.wanted(), limit::GAP_PAGE);
        filling.source = Source::Archive { id: id.clone(), before: filling.received };
        turn.send(self.base.me.question(IqType::Set, &id, query));
    }

    /// Takes in a result of the archive; false if it is none that a gap waits for.
    pub(super) fn missed_came(&mut self, turn: &mut Turn<'_>, message: &Stanza) -> bool {
        let Some(filling) = self.stay.gap.filling_mut() else { return false };
        let Source::Archive { id, .. } = &filling.source else { return false };
        let Some(result) = archive::result(message, id) else { return false };
        filling.received = filling.received.saturating_add(1);
        if filling.received > limit::GAP_MESSAGES {
            return true;
        }
        let archived = Archived::read(result);
        let Some(missed) = archived.and_then(|archived| self.as_missed(archived)) else { return true };
        if self.has_come_live(&missed) {
            return true;
        }
        if missed.sender_nick().as_ref() == Some(&self.base.me.nick) {
            self.base.senders.reflected(missed.id.as_deref());
            self.note_said(&missed);
            self.base.note_own_missed(turn, &missed);
        }
        if self.base.room.history.take_in(&missed, &self.base.me.room, turn.now, turn.config) {
            self.show_past(turn, &missed);
        }
        true
    }

    fn has_come_live(&mut self, missed: &Stanza) -> bool {
        let room = self.base.me.room.clone();
        self.stay.gap.filling_mut().is_some_and(|filling| filling.has_live(missed, &room))
    }

    /// A message of the archive as the room would show it again; nothing if it does not belong there. The subject is
    /// told by the resync.
    fn as_missed(&mut self, archived: Archived) -> Option<Kept> {
        if !self.base.may_be_of_room(&archived.message) {
            return None;
        }
        let hole = self.stay.gap.hole_mut()?;
        let stamp_ms = archived.stamp_ms.or(hole.last_ms());
        hole.note_last(Some(archived.id.clone()), stamp_ms);
        Some(self.base.as_past(Archived { stamp_ms, ..archived }))
    }

    /// Takes in an answer of the archive; false if it is none.
    pub(super) fn gap_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let is_from_room = answer.from.as_ref().map(Jid::as_str) == Some(self.base.me.room.as_str());
        let id = answer.id.as_deref().unwrap_or_default();
        let Some(filling) =
            self.stay.gap.filling_mut().filter(|filling| is_from_room && filling.is_asked_as(id))
        else {
            return false;
        };
        let shows_nothing = filling.received == 0 && filling.hole.last_id().is_none();
        let has_more = filling.goes_on() && filling.received < limit::GAP_MESSAGES;
        let page = Page::read(answer);
        match page {
            // a Prosody answers so for a room that is not to be archived
            Some(Page { is_last: true, .. }) if shows_nothing && self.base.covered_ms().is_some() => {
                self.archive_fails(turn);
            }
            Some(Page { is_last: true, .. }) => self.close_gap(turn, true),
            Some(Page { last, .. }) if has_more => {
                let last = last.or_else(|| filling.hole.last_id().map(Into::into));
                filling.hole.note_last(last, filling.hole.last_ms());
                self.ask_archive(turn);
            }
            Some(_) => self.close_gap(turn, false),
            None if is_unknown_id(answer, &filling.hole) && filling.received == 0 => {
                filling.hole.note_last(None, filling.hole.last_ms());
                self.ask_archive(turn);
            }
            None if is_unreachable(answer) => {
                self.stop_filling(turn); // the archive is asked again when the room is heard, but not each time
                if let Some(hole) = self.stay.gap.hole_mut() {
                    hole.not_before_ms = turn.after(limit::STUCK_ASK_MS);
                }
                self.stay.outbox.ask_later(turn);
            }
            None => self.archive_fails(turn),
        }
        true
    }

    /// There is no archive, or it says no more: a resync brings what the room has of its history. A room that is to be
    /// shown again anyway need not show itself for that, unless its log lacks what was said while the server was down.
    fn archive_fails(&mut self, turn: &mut Turn<'_>) {
        self.stay.older.note_refused();
        let needs_past = self.base.has_log(turn) && turn.logs.needs_past(&self.base.me.room);
        let Gap::Filling(filling) = &mut self.stay.gap else { return };
        let is_under_way = self.stay.upstream.resyncs();
        if !is_under_way && (filling.hole.has_history() || (self.stay.is_unknown && !needs_past)) {
            return self.close_gap(turn, false);
        }
        filling.source = Source::Resync;
        if !is_under_way {
            self.stay.upstream.wish_resync();
        }
    }
}

impl Base {
    /// Whether the archive of the room may have that message, and it is no subject.
    pub(super) fn may_be_of_room(&self, message: &Stanza) -> bool {
        message.from.as_ref().map(Jid::bare) == Some(self.me.room.as_str())
            && message.kind == Kind::Message(MessageType::Groupchat)
            && !sets_subject(message)
    }

    /// A message of the archive as the room would show it again.
    pub(super) fn as_past(&self, archived: Archived) -> Kept {
        let Archived { id, stamp_ms, message } = archived;
        let message = Kept::without_to(with_stanza_id(message, &id, &self.me.room));
        let message = self.as_shown(&message).unwrap_or(message);
        delayed(&message, stamp_ms, &self.me.room)
    }
}

/// Whether the question has not reached the room.
pub(super) fn is_unreachable(error: &Stanza) -> bool {
    error.error_condition().is_some_and(|condition| condition.starts_with("remote-server-"))
}

/// Whether the archive does not know the message after which it was asked.
fn is_unknown_id(error: &Stanza, hole: &Hole) -> bool {
    hole.last_id().is_some() && error.error_condition() == Some("item-not-found")
}

/// By what messages that wait are known: their stanza-ids, or without one their senders, ids and texts.
pub(super) struct Prints(Vec<Print>);

impl Prints {
    pub(super) fn of(waiting: &Backlog, room: &BareJid) -> Self {
        Self(waiting.iter().map(|waiting| Print::of(waiting, room)).collect())
    }

    /// Whether one of them is that message.
    pub(super) fn have(&self, message: &Stanza, room: &BareJid) -> bool {
        let is_named = message.id.is_some() || stanza_id(message, room).is_some();
        is_named && self.0.contains(&Print::of(message, room))
    }
}
