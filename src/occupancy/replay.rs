//! Showing the room to a session: the one way (XEP-0045 §7.2.2, §7.1).

use std::collections::VecDeque;

use super::Occupancy;
use super::base::Base;
use super::news::News;
use super::phase::In;
use super::versions::strip_version;
use crate::config::limit;
use crate::event::{Id, SessionId};
use crate::room::Aside;
use crate::room::self_presence::{add_code, retain_codes};
use crate::sessions::{Ask, Attachment, ResyncFor, SearchFor, Stage};
use crate::turn::Turn;
use crate::xmpp::muc::status;
use crate::xmpp::stanza::{Kept, Stanza};

impl In<'_> {
    /// Shows waiting sessions the room. If the room is not trusted, a check goes first. If the copy is outdated, a resync
    /// does. If it lacks what a session asks for, the log of the room is read, and then the room is asked (J8, J29, F32).
    pub(super) fn serve(&mut self, turn: &mut Turn<'_>) {
        for session in self.base.sessions.waiting() {
            if self.is_servable(turn, session) {
                self.start_replay(turn, session);
            }
        }
    }

    /// Whether a waiting session may be shown the room from the copy. What has to come first is asked for.
    fn is_servable(&mut self, turn: &mut Turn<'_>, session: SessionId) -> bool {
        let Some(ask) = self.base.sessions.get(session).and_then(Attachment::ask) else { return false };
        let asks_versions = self.base.room.versioned && ask.asks_versions();
        let is_current = self.base.room.is_current;
        let needs_log = self.needs_log(turn, ask);
        let needs_search = || !needs_log && self.needs_search(turn, ask);
        let (lacks, is_searched) = match ask.resync {
            ResyncFor::Wished | ResyncFor::Asked => return false,
            ResyncFor::Answered => (asks_versions, needs_search()),
            ResyncFor::Unanswered => (!is_current, false),
            ResyncFor::Nothing => {
                let is_searched = needs_search();
                let has_all =
                    || needs_log || ask.search == SearchFor::Found || self.base.has_history(turn, ask);
                (asks_versions || !is_current || !(is_searched || has_all()), is_searched)
            }
        };
        let is_answered = ask.resync == ResyncFor::Answered || ask.search == SearchFor::Found;
        if self.stay.loss.is_some() {
            self.wish_resync_for(session);
            return false;
        }
        let is_filling = self.stay.gap.is_filling();
        if !is_answered && !self.stay.trust.is_fresh(turn) {
            if !self.stay.upstream.resyncs() {
                self.stay.check(turn, &self.base.me);
            }
            return false;
        }
        if lacks {
            self.wish_resync_for(session);
        }
        if lacks || is_filling {
            return false;
        }
        if needs_log {
            self.read_log(turn);
        } else if is_searched {
            self.search_older(turn);
        }
        !needs_log && !is_searched
    }

    /// Shows a waiting session the whole room, after what has to come first.
    pub(super) fn start_replay(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let Some(attachment) = self.base.sessions.get(session) else { return };
        let Some(ask) = attachment.ask() else { return };
        // what has come since it asked is no history, however little of that it wants
        let news = News::of(&self.base.me.account, ask.first.iter().chain(ask.later.iter()));
        let room = self.whole_room(turn, attachment, ask, |message| news.has(message));
        let all = ask.first.iter().cloned().chain(room).chain(ask.later.iter().cloned());
        let mut queue: VecDeque<Kept> = all.filter(|stanza| !self.hides(stanza)).collect();
        queue.extend(self.base.queries.take_unasked(session));
        let alias = self.base.alias_for(&ask.nick);
        if let Some(attachment) = self.base.sessions.get_mut(session) {
            attachment.begin_replay(queue, alias);
        }
        self.base.withdraw(turn, session);
        self.base.hand_out(turn, session, limit::REPLAY_BATCH);
    }

    /// Others, the room itself, the session's self-presence, history, subject (J1).
    fn whole_room(
        &self,
        turn: &Turn<'_>,
        attachment: &Attachment,
        ask: &Ask,
        is_news: impl Fn(&Stanza) -> bool,
    ) -> Vec<Kept> {
        let room = &self.base.room;
        // Swift takes an `unavailable` that comes first for a failed join (J21).
        let nobody_before = room.roster.is_empty();
        let is_late = |aside: &Aside| aside.after_self || (nobody_before && aside.is_absence());
        let aside = |late: bool| {
            let wanted = move |aside: &&Aside| is_late(aside) == late;
            room.aside.iter().filter(wanted).map(|aside| aside.presence.clone())
        };
        let mut shown: Vec<Kept> = room.roster.iter().cloned().collect();
        shown.extend(aside(false));
        shown.push(Kept::without_to(self.join_presence(turn, attachment, ask)));
        shown.extend(aside(true));
        shown.extend(room.history.select(&ask.history, is_news, &self.base.me.room, turn.now, turn.config));
        shown.push(room.subject_message(&self.base.me.room, |subject| self.hides(subject)));
        shown
    }

    /// The self-presence that ends the occupants of a join (J4, J5, J7, J8, J9).
    fn join_presence(&self, turn: &Turn<'_>, attachment: &Attachment, ask: &Ask) -> Stanza {
        let flags = self.base.room.flags;
        let other_nick = ask.nick != self.base.me.nick;
        let mut shown = self.personal(turn, attachment).id(ask.join.id.as_deref());
        retain_codes(&mut shown, |code| match code {
            status::CREATED => ask.created,
            status::NICK_ASSIGNED => other_nick,
            status::NON_ANONYMOUS => flags.non_anonymous,
            status::LOGGED => flags.logged,
            _ => true,
        });
        let codes = [
            (status::NON_ANONYMOUS, flags.non_anonymous),
            (status::LOGGED, flags.logged),
            (status::SELF, true),
            (status::NICK_ASSIGNED, other_nick),
        ];
        for (code, _) in codes.iter().filter(|(_, is_true)| *is_true) {
            add_code(&mut shown, *code);
        }
        if !ask.versions_told {
            strip_version(&mut shown); // it would tell what was asked for another session
        }
        shown
    }

    /// The room's self-presence as that session has to see it (N13).
    pub(super) fn personal(&self, turn: &Turn<'_>, attachment: &Attachment) -> Stanza {
        let presence = self.base.sessions.presence_of(attachment, turn.profile);
        let shown = self.stay.own.personal(&self.base.me.account, &attachment.jid, &presence);
        shown.from(self.base.me.occupant()) // after a 303 the room has not shown us under the new nick yet
    }

    /// Relays the stanza in hand to the live sessions. A replaying session gets it at the end of its replay.
    /// A waiting session gets a live message after its subject (J2). False if none gets it or keeps it.
    pub(super) fn relay(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        self.relay_to_shown(turn, stanza, true)
    }

    /// Relays history that is news. To a waiting session it is history.
    pub(super) fn relay_news(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        self.relay_to_shown(turn, stanza, false);
    }

    fn relay_to_shown(&mut self, turn: &mut Turn<'_>, stanza: &Kept, is_live: bool) -> bool {
        if self.hides(stanza) {
            return true;
        }
        let mut live = Vec::new();
        let mut crowded = Vec::new();
        let mut copy = None;
        let mut is_kept = false;
        for (session, attachment) in self.base.sessions.iter_mut() {
            match &mut attachment.stage {
                Stage::Live => live.push((session, Id::Keep)),
                Stage::Replaying(replay) => {
                    let copy = copy.get_or_insert_with(|| stanza.share());
                    is_kept = true;
                    if !replay.add(turn, copy.clone()) {
                        crowded.push(session);
                    }
                }
                Stage::Waiting(ask) if is_live => is_kept |= ask.keep_for_later(turn, stanza),
                Stage::Waiting(_) => {}
            }
        }
        is_kept |= !live.is_empty();
        turn.relay(live);
        for session in crowded {
            self.base.finish_replay(turn, session);
        }
        is_kept
    }

    /// Relays the stanza in hand to the session that it answers, in its place.
    pub(super) fn relay_to(&mut self, turn: &mut Turn<'_>, session: SessionId, id: Id, stanza: &Stanza) {
        if self.hides(stanza) {
            return;
        }
        match self.base.sessions.get(session).map(|attachment| &attachment.stage) {
            Some(Stage::Live) => turn.relay(vec![(session, id)]),
            Some(Stage::Replaying(_) | Stage::Waiting(_)) => {
                self.answer(turn, session, id.put_on(stanza.clone()));
            }
            None => {}
        }
    }

    /// Answers what a session sent, in its place: a session that has asked to join since is answered that first.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, session: SessionId, answer: Stanza) {
        match self.base.sessions.get_mut(session).map(|attachment| &mut attachment.stage) {
            Some(Stage::Waiting(ask)) => ask.keep_answer(turn, answer),
            Some(Stage::Replaying(_) | Stage::Live) | None => self.show(turn, session, answer),
        }
    }

    /// Shows a session a stanza made for it alone, in its place. A waiting session will be shown what it means.
    pub(super) fn show(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: Stanza) {
        if self.hides(&stanza) {
            return;
        }
        match self.base.sessions.get_mut(session).map(|attachment| &mut attachment.stage) {
            Some(Stage::Live) => turn.deliver(session, stanza),
            Some(Stage::Replaying(replay)) => {
                replay.add(turn, Kept::without_to(stanza));
            }
            Some(Stage::Waiting(_)) | None => {}
        }
    }
}

impl Base {
    /// Lets go of what has been kept for too long to be shown to sessions that wait. False if none waits.
    pub(super) fn trim_for_waiting(&mut self, turn: &Turn<'_>) -> bool {
        let any_waits = self.sessions.any_waits();
        if let Some(room) = self.room.made_mut().filter(|_| any_waits) {
            room.history.trim(turn.now, turn.config);
        }
        any_waits
    }

    /// Relays the stanza in hand to a session that does not wait, whoever it is of.
    pub(super) fn hand_to(&mut self, turn: &mut Turn<'_>, session: SessionId, id: Id, stanza: &Stanza) {
        match self.sessions.get_mut(session).map(|attachment| &mut attachment.stage) {
            Some(Stage::Live) => turn.relay(vec![(session, id)]),
            Some(Stage::Replaying(replay)) => {
                replay.add(turn, Kept::without_to(id.put_on(stanza.clone())));
            }
            Some(Stage::Waiting(_)) | None => {}
        }
    }

    /// Hands out the next part of a replay.
    fn hand_out(&mut self, turn: &mut Turn<'_>, session: SessionId, most: usize) {
        let Some(attachment) = self.sessions.get_mut(session) else { return };
        let Stage::Replaying(replay) = &mut attachment.stage else { return };
        let (shown, is_complete) = replay.take(most);
        if is_complete {
            attachment.stage = Stage::Live;
        }
        for stanza in shown {
            let archived = self.as_archived(turn, &stanza);
            turn.deliver_kept(session, archived.unwrap_or(stanza));
        }
    }

    /// Shows a session the rest of the room at once.
    pub(super) fn finish_replay(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.hand_out(turn, session, usize::MAX);
    }

    pub(super) fn go_on_replaying(&mut self, turn: &mut Turn<'_>) {
        let replaying: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, attachment)| matches!(attachment.stage, Stage::Replaying(_)))
            .map(|(session, _)| session)
            .collect();
        for session in replaying {
            self.hand_out(turn, session, limit::REPLAY_BATCH);
        }
    }

    /// The sessions that have been shown the room, or are being shown it.
    pub(super) fn shown_sessions(&self) -> Vec<SessionId> {
        self.sessions.iter().filter(|(_, a)| a.ask().is_none()).map(|(session, _)| session).collect()
    }
}

impl Occupancy {
    /// The sessions that get a live message which can't be taken in: all that have been shown the room, or none
    /// if somebody there is blocked. Nothing else is looked at, because a panic may have left it half done.
    pub(crate) fn fallback_receivers(&self) -> impl Iterator<Item = SessionId> {
        let is_live = |attachment: &Attachment| self.base.blocked.is_empty() && attachment.is_live();
        self.base
            .sessions
            .iter()
            .filter(move |(_, attachment)| is_live(attachment))
            .map(|(session, _)| session)
    }
}
