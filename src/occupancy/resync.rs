//! The account joins while it is in, to see the room again (J8, H10).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::entry::Entry;
use super::phase::In;
use crate::config::limit;
use crate::event::SessionId;
use crate::room::history::is_historic;
use crate::room::request::Asked;
use crate::sessions::{Ask, Attachment, ResyncFor, Stage};
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::muc::{MucUser, NS_MUC, sets_subject};
use crate::xmpp::stanza::{Element, Kept, Stanza};

/// Messages as much older than the newest one are asked for again: stamps have no fractions, and clocks differ.
const STAMP_SLACK_MS: i64 = 5_000;

/// A join while the account is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Resync {
    /// The occupants that have been shown again.
    seen: BTreeSet<Nick>,
    /// Whether the other occupants are known to be gone.
    is_compared: bool,
    pub(super) entry: Entry,
    /// The session for which it asks for affiliation versions (J22).
    versions_for: Option<SessionId>,
    /// What it asks of the history.
    history: Asked,
}

/// What the room has answered to a resync with the account's own presence.
struct Answer {
    /// What has been asked of the history, which follows.
    history: Asked,
    /// Whether it has shown any occupants before.
    shows_any: bool,
}

impl Resync {
    fn asked(turn: &Turn<'_>, room: &BareJid, history: Asked, versions_for: Option<SessionId>) -> Self {
        let entry = Entry::asked(turn, room);
        Self { seen: BTreeSet::new(), is_compared: false, entry, versions_for, history }
    }

    /// The session for which the room may still say what it has been asked of versions.
    fn awaits_versions_for(&self) -> Option<SessionId> {
        self.versions_for.filter(|_| self.entry.is_asked())
    }

    /// Notes that the room has shown an occupant again; true while it shows only those.
    fn note_seen(&mut self, turn: &Turn<'_>, nick: Option<&Nick>) -> bool {
        let is_asked = self.entry.is_asked();
        if is_asked {
            self.entry.touch(turn);
            if self.seen.len() < limit::OCCUPANTS {
                self.seen.extend(nick.cloned());
            }
        }
        is_asked
    }

    /// The room shows the account. If it had not done so, that answers what it was asked.
    fn own_came(&mut self, turn: &Turn<'_>, own: &Kept) -> Option<Answer> {
        if !self.entry.is_asked() {
            return None;
        }
        self.entry.own_came(turn, own, true);
        Some(Answer { history: self.history, shows_any: !self.seen.is_empty() })
    }

    /// The occupants that have been shown again, once.
    fn take_seen(&mut self) -> Option<BTreeSet<Nick>> {
        let is_compared = std::mem::replace(&mut self.is_compared, true);
        (!is_compared).then(|| std::mem::take(&mut self.seen))
    }

    /// Whether a groupchat message is history or subject that answers it: what comes between our 110 and the subject
    /// (H10), but for notices that no room would repeat.
    fn takes(&mut self, turn: &Turn<'_>, message: &Stanza) -> bool {
        if self.entry.is_asked() {
            return false;
        }
        let is_delayed = delay::is_delayed(message);
        if is_delayed {
            self.entry.answer_came(turn);
        } else {
            self.entry.touch(turn);
        }
        is_delayed || sets_subject(message) || is_historic(message)
    }
}

impl In<'_> {
    /// A resync for all who wish one, and the payload by which the room is asked.
    pub(super) fn new_resync(&mut self, turn: &Turn<'_>) -> (Resync, Element) {
        let history = self.asks_history_again(turn);
        let versions_for = self.base.asks_versions();
        let mut x = Element::build("x", NS_MUC).child(history.element());
        if let Some(password) = self.stay.loss.as_ref().and(self.stay.password.as_deref()) {
            x = x.child(Element::build("password", NS_MUC).text(password).done());
        }
        let asks = match versions_for.and_then(|session| self.base.version_asked(session)) {
            Some(version) => x.child(version).done(),
            None => x.done(),
        };
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.resync == ResyncFor::Wished) {
            ask.resync = ResyncFor::Asked;
        }
        if let Some(session) = versions_for {
            self.base.note_versions_asked(session);
        }
        (Resync::asked(turn, &self.base.me.room, history, versions_for), asks)
    }

    /// What a resync asks for: the messages since the newest one, and all that waiting sessions want (F32).
    fn asks_history_again(&self, turn: &Turn<'_>) -> Asked {
        let newest_ms = self.base.room.history.newest_ms().filter(|_| !self.stay.is_unknown);
        let newest_ms = newest_ms.or_else(|| self.stay.missing_since_ms(turn));
        let newest_ms = newest_ms.map(|newest_ms| newest_ms.saturating_sub(STAMP_SLACK_MS));
        let is_lacking = |ask: &&Ask| {
            !ask.search.is_for_archive()
                && !self.expects_from_log(turn, ask)
                && !self.base.has_history(turn, ask)
        };
        let lacking = || self.base.sessions.asks().filter(is_lacking);
        let Some(most) = lacking().map(|ask| ask.history.most(turn.config)).max() else {
            let most = newest_ms.is_none().then_some(turn.config.history);
            return Asked { most, since_ms: newest_ms };
        };
        let oldest_ms = lacking().map(|ask| ask.history.oldest_ms(turn.now)).min().flatten(); // none is the least
        let since_ms = oldest_ms.and_then(|oldest_ms| Some(oldest_ms.min(newest_ms?)));
        Asked { most: Some(most), since_ms }
    }

    /// Only the room can answer the join of that session.
    pub(super) fn wish_resync_for(&mut self, session: SessionId) {
        if self.stay.upstream.is_resyncing() {
            return; // what it brings may be enough
        }
        self.stay.upstream.wish_resync();
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = self.base.sessions.get_mut(session) {
            ask.resync = ResyncFor::Wished;
            ask.search.forget_found();
        }
    }

    /// Keeps what the room says of versions to the session that the resync asks for; false if it says none.
    pub(super) fn versions_resynced(&mut self, turn: &mut Turn<'_>, stanza: &Stanza) -> bool {
        match self.stay.upstream.resync().and_then(Resync::awaits_versions_for) {
            Some(session) if super::versions::tells_versions(stanza) => {
                self.base.keep_versions_for(turn, session, stanza);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Notes that the room has shown an occupant again; true while it shows only those.
    pub(super) fn note_seen(&mut self, turn: &Turn<'_>, nick: Option<&Nick>) -> bool {
        self.stay.upstream.resync_mut().is_some_and(|resync| resync.note_seen(turn, nick))
    }

    /// The room has shown its occupants again, and the account as the last. A service that takes a join for an
    /// update shows nobody else: then the subject decides whether there is nobody else.
    pub(super) fn note_all_seen(&mut self, turn: &mut Turn<'_>, own: &Kept) {
        let answered = self.stay.upstream.resync_mut().and_then(|resync| resync.own_came(turn, own));
        if let Some(Answer { history, shows_any }) = answered {
            self.begin_fetch(history);
            if shows_any {
                self.tell_unseen_gone(turn);
            }
        }
    }

    /// Occupants that the room has not shown again are gone (H10).
    fn tell_unseen_gone(&mut self, turn: &mut Turn<'_>) {
        let seen = self.stay.upstream.resync_mut().and_then(Resync::take_seen);
        let nicks = self.base.room.roster.iter().filter_map(|presence| presence.sender_nick());
        let is_gone = |nick: &Nick| seen.as_ref().is_some_and(|seen| !seen.contains(nick));
        let gone: Vec<Nick> = nicks.filter(is_gone).collect();
        for nick in gone {
            let presence = crate::room::roster::gone(&self.base.me.room, &nick);
            self.base.room.fold_unavailable(&Kept::own(presence.clone()), &MucUser::default());
            for session in self.base.shown_sessions() {
                self.show(turn, session, presence.clone());
            }
            self.base.note_gone(turn, &presence, &MucUser::default());
        }
    }

    /// The room has not shown itself again. A copy that is not what a join would show is shown to nobody. Else a check
    /// decides whether it may be shown as it is: the room has nothing more for those who wait.
    pub(super) fn resync_unanswered(&mut self, turn: &mut Turn<'_>) {
        if !self.base.room.is_current {
            return self.base.time_out_waiting(turn, Some(&mut *self.stay));
        }
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.resync == ResyncFor::Asked) {
            ask.resync = ResyncFor::Unanswered;
        }
    }

    /// The copy of the room is right again: waiting sessions are shown the room.
    pub(super) fn resynced(&mut self, turn: &mut Turn<'_>) {
        self.stay.upstream.end_resync();
        if std::mem::take(&mut self.stay.is_unknown) {
            self.base.room.history.note_lost();
        }
        self.recovered();
        self.base.room.is_current = true;
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.resync == ResyncFor::Asked) {
            ask.resync = ResyncFor::Answered;
        }
        self.fill_gap(turn);
        if !self.stay.is_filling_gap() {
            self.show_the_rest(turn);
        }
    }

    /// Shows sessions what is news, and those that wait the room.
    pub(super) fn show_the_rest(&mut self, turn: &mut Turn<'_>) {
        self.end_fetch(turn);
        self.serve(turn);
        self.base.room.history.trim(turn.now, turn.config);
        self.forget_versions();
    }

    /// Takes in history and subject of a resync: what comes between our 110 and the subject (H10). False if the
    /// message belongs to none.
    pub(super) fn groupchat_resynced(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        if !self.stay.upstream.resync_mut().is_some_and(|resync| resync.takes(turn, stanza)) {
            return false;
        }
        if sets_subject(stanza) {
            self.tell_unseen_gone(turn);
            if !self.base.knows_subject(stanza) {
                self.base.room.fold_subject(stanza, delay::stamp(stanza, &self.base.me.room));
                self.relay_news(turn, stanza);
            }
            self.resynced(turn);
        } else if self.take_in_history(turn, stanza) {
            self.log_past(turn, stanza);
            self.relay_news(turn, stanza);
        }
        true
    }

    /// A delayed message comes outside of a join. Before the subject it is history, however late it comes (H10).
    /// After the subject all is live, but what the room repeats: that answers a resync that was given up.
    pub(super) fn late_history_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        if self.base.room.subject.is_some() {
            return delay::is_by_room(stanza, &self.base.me.room) && self.base.is_told_again(stanza);
        }
        if sets_subject(stanza) {
            return false;
        }
        if self.take_in_history(turn, stanza) {
            self.log_past(turn, stanza);
            self.relay_news(turn, stanza);
        }
        true
    }
}

impl Base {
    fn is_told_again(&self, stanza: &Stanza) -> bool {
        if sets_subject(stanza) {
            return self.knows_subject(stanza);
        }
        self.room.history.has_come(stanza, &self.me.room)
    }

    fn knows_subject(&self, stanza: &Stanza) -> bool {
        let text = |message: &Stanza| message.text_of("subject");
        self.room.subject.as_ref().is_some_and(|known| text(&known.message) == text(stanza))
    }
}
