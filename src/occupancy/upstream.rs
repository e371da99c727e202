//! What we tell the room about the account: one presence at a time (design decision 4, §7.6, §7.7).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::resync::Resync;
use super::{Occupancy, Phase};
use crate::config::limit;
use crate::error::StanzaError;
use crate::event::{Id, SessionId};
use crate::jid::Nick;
use crate::sessions::{Ask, nobody_there};
use crate::stanza::{Element, Kept, Kind, PresenceType, Stanza};
use crate::turn::Turn;

/// The presence that the room has not answered yet, and what waits for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Upstream {
    pending: Option<Pending>,
    wishes: VecDeque<NickWish>,
    echoes: Vec<Echo>,
    resync_wished: bool,
}

/// A presence of ours that is not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    id: Box<str>,
    deadline_ms: u64,
    what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum What {
    /// Show, status and the like.
    Update(Vec<Echo>),
    /// Another nick.
    Nick(NickWish),
    /// The same nick; the room has not said which, so it is asked by a self-ping (N4).
    NickAsked(NickWish),
    /// A join, to see the room again (J8).
    Resync(Resync),
}

/// A session that wants to see its own presence reflected (N7).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Echo {
    pub(super) session: SessionId,
    pub(super) id: Option<Box<str>>,
}

/// A session's wish for another nick (N1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NickWish {
    pub(super) session: SessionId,
    pub(super) id: Option<Box<str>>,
    pub(super) nick: Nick,
    /// It came as a join, as mcabber sends it: the session is then shown the room.
    pub(super) ask: Option<Ask>,
    /// The room has said 303.
    renamed: bool,
}

/// What the room's self-presence answers.
#[derive(Debug)]
pub(super) enum Answer {
    Nothing,
    Update(Vec<Echo>),
    Nick(NickWish),
}

impl Upstream {
    pub(super) fn wish_resync(&mut self) {
        self.resync_wished = true;
    }

    /// Whether a presence of ours is not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the room is being shown again, or will be.
    pub(super) fn resyncs(&self) -> bool {
        self.resync_wished || matches!(&self.pending, Some(Pending { what: What::Resync(_), .. }))
    }

    pub(super) fn resync_mut(&mut self) -> Option<&mut Resync> {
        match self.pending.as_mut().map(|pending| &mut pending.what) {
            Some(What::Resync(resync)) => Some(resync),
            _ => None,
        }
    }

    /// The room has been shown again.
    pub(super) fn end_resync(&mut self) {
        self.pending = None;
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let pending = self.pending.as_ref()?;
        let silence = match &pending.what {
            What::Resync(resync) => resync.last_ms.map(|last_ms| last_ms + limit::JOIN_SILENCE_MS),
            What::Update(_) | What::Nick(_) | What::NickAsked(_) => None,
        };
        silence.into_iter().chain([pending.deadline_ms]).min()
    }

    /// The session that asked for the nick change that the room now says 303 about.
    pub(super) fn note_renamed(&mut self) -> Option<SessionId> {
        match self.pending.as_mut().map(|pending| &mut pending.what) {
            Some(What::Nick(wish) | What::NickAsked(wish)) => {
                wish.renamed = true;
                Some(wish.session)
            }
            Some(What::Update(_) | What::Resync(_)) | None => None,
        }
    }

    /// Whether a presence of ours with that id is not answered yet.
    pub(super) fn awaits(&self, id: Option<&str>) -> bool {
        self.pending.as_ref().is_some_and(|pending| id == Some(&pending.id))
    }

    /// Takes what a self-presence from that nick answers; `is_answer` says that it may answer any presence of
    /// ours, and is not something that the room says of its own accord.
    pub(super) fn answered(&mut self, nick: &Nick, is_answer: bool) -> Answer {
        match self.pending.take() {
            Some(Pending { what: What::Update(echoes), .. }) if is_answer => Answer::Update(echoes),
            Some(Pending { what: What::Nick(wish) | What::NickAsked(wish), .. })
                if wish.renamed || wish.nick == *nick =>
            {
                Answer::Nick(wish)
            }
            other => {
                self.pending = other;
                Answer::Nothing
            }
        }
    }

    /// Takes what an error answers: that id, or the nick that was asked for.
    fn refused(&mut self, error: &Stanza) -> Option<What> {
        let nick = error.sender_nick();
        let is_answer = |pending: &mut Pending| {
            let asks_nick = match &pending.what {
                What::Nick(wish) | What::NickAsked(wish) => Some(&wish.nick) == nick.as_ref(),
                What::Update(_) | What::Resync(_) => false,
            };
            error.id.as_deref() == Some(&pending.id) || asks_nick
        };
        self.pending.take_if(is_answer).map(|pending| pending.what)
    }

    /// The session is gone: nothing of it waits.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.echoes.retain(|echo| echo.session != session);
        self.wishes.retain(|wish| wish.session != session);
        if let Some(Pending { what: What::Update(echoes), .. }) = &mut self.pending {
            echoes.retain(|echo| echo.session != session);
        }
    }
}

impl Occupancy {
    /// Takes in that a session wants to be seen otherwise, and wants to see that it is.
    pub(super) fn wish_echo(&mut self, turn: &mut Turn<'_>, session: SessionId, id: Option<Box<str>>) {
        if let Some(stay) = self.stay_mut()
            && stay.upstream.echoes.len() < limit::PINGERS
        {
            stay.upstream.echoes.push(Echo { session, id });
        }
        self.advance(turn);
    }

    /// Takes in that a session wants another nick.
    pub(super) fn wish_nick(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        nick: Nick,
        id: Option<Box<str>>,
        ask: Option<Ask>,
    ) {
        if let Some(ask) = &ask {
            self.sessions.update(session, super::join::shown_presence(&ask.join));
        }
        if let Some(stay) = self.stay_mut()
            && stay.upstream.wishes.len() < limit::NICK_CHANGES
        {
            stay.upstream.wishes.push_back(NickWish { session, id, nick, ask, renamed: false });
        }
        self.advance(turn);
    }

    /// Sends the next presence, if there is one to send and none is unanswered.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        let Some(stay) = self.stay_mut() else { return };
        if stay.upstream.pending.is_some() || stay.held_leave.is_some() {
            return;
        }
        if let Some(wish) = stay.upstream.wishes.pop_front() {
            let nick = wish.nick.clone();
            self.send_presence(turn, &nick, None, What::Nick(wish), limit::PRESENCE_MS);
        } else if std::mem::take(&mut stay.upstream.resync_wished) {
            let nick = self.me.nick.clone();
            let asks = self.join_again(turn);
            self.send_presence(turn, &nick, Some(asks), What::Resync(Resync::default()), limit::JOIN_MS);
        } else {
            self.update_if_changed(turn);
        }
    }

    /// Takes in the avatar that the account has published; the room is told once (N10).
    pub(crate) fn avatar_published(&mut self, turn: &mut Turn<'_>, hash: &str) {
        self.sessions.avatar.publish(hash);
        self.advance(turn);
    }

    fn update_if_changed(&mut self, turn: &mut Turn<'_>) {
        let changed = self.aggregate(turn).children != self.room.sent_payload();
        let Some(stay) = self.stay_mut() else { return };
        let echoes = std::mem::take(&mut stay.upstream.echoes);
        if changed {
            let nick = self.me.nick.clone();
            self.send_presence(turn, &nick, None, What::Update(echoes), limit::PRESENCE_MS);
        } else {
            self.show_echoes(turn, &echoes);
        }
    }

    fn send_presence(
        &mut self,
        turn: &mut Turn<'_>,
        nick: &Nick,
        extra: Option<Element>,
        what: What,
        patience_ms: u64,
    ) {
        let id = turn.fresh_id();
        let aggregate = self.aggregate(turn);
        let mut presence = self.me.presence(PresenceType::Available, &id).to(self.me.room.occupant(nick));
        presence.attributes.clone_from(&aggregate.attributes);
        presence.children.clone_from(&aggregate.children);
        presence.children.extend(extra);
        self.room.sent = Some(aggregate);
        let pending = Pending { id, deadline_ms: turn.after(patience_ms), what };
        if let Some(stay) = self.stay_mut() {
            stay.upstream.pending = Some(pending);
        }
        turn.send(presence);
    }

    /// The presence that the room has to be shown: the best of the attached sessions, or that nobody is there.
    fn aggregate(&mut self, turn: &Turn<'_>) -> Kept {
        if let Some(shown) = self.sessions.shown() {
            return shown;
        }
        let is_away = match &self.phase {
            Phase::In(stay) => {
                stay.detached_ms.is_some_and(|since| turn.since(since) >= turn.config.away_delay_ms)
            }
            Phase::Out(_) | Phase::Joining(_) => false,
        };
        let unchanged = self.room.sent.clone().filter(|_| !is_away);
        unchanged.unwrap_or_else(|| {
            Kept::own(Stanza::new(Kind::Presence(PresenceType::Available)).children(nobody_there()))
        })
    }

    /// The room answers a presence of ours with an error: only the session that caused it is told (N4). False
    /// if it answers none.
    pub(super) fn presence_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let Some(stay) = self.stay_mut() else { return false };
        let known_as = |id: Option<Box<str>>| id.map_or(Id::Remove, Id::Set);
        let mut expected = true;
        match stay.upstream.refused(error) {
            Some(What::Nick(wish) | What::NickAsked(wish)) => {
                turn.relay(vec![(wish.session, known_as(wish.id))]);
            }
            Some(What::Update(echoes)) => {
                turn.relay(echoes.into_iter().map(|echo| (echo.session, known_as(echo.id))).collect());
                expected = false;
            }
            Some(What::Resync(_)) => {
                self.time_out_waiting(turn);
                expected = false;
            }
            None => return false,
        }
        self.advance(turn);
        expected
    }

    pub(super) fn expire_upstream(&mut self, turn: &mut Turn<'_>) {
        let Some(stay) = self.stay_mut() else { return };
        if stay.upstream.deadline().is_none_or(|deadline_ms| !turn.is_due(deadline_ms)) {
            return;
        }
        match stay.upstream.pending.take().map(|pending| pending.what) {
            Some(What::Update(echoes)) => self.show_echoes(turn, &echoes),
            Some(What::Nick(wish)) => return self.ask_for_nick(turn, wish),
            Some(What::NickAsked(wish)) => self.nick_unanswered(turn, &wish),
            Some(What::Resync(Resync { last_ms: Some(_), .. })) => self.resynced(turn),
            Some(What::Resync(_)) => {
                self.time_out_waiting(turn);
                self.suspect(turn);
            }
            None => return,
        }
        self.advance(turn);
    }

    /// No answer to a nick change: a self-ping of the new nick tells whether it is ours, unless somebody else
    /// has it (N4).
    fn ask_for_nick(&mut self, turn: &mut Turn<'_>, wish: NickWish) {
        if self.room.roster.has(&wish.nick) {
            self.nick_unanswered(turn, &wish);
            return self.advance(turn);
        }
        let id = turn.fresh_id();
        turn.send(super::check::self_ping(&self.me, &wish.nick, &id));
        let pending =
            Pending { id, deadline_ms: turn.after(limit::PRESENCE_MS), what: What::NickAsked(wish) };
        if let Some(stay) = self.stay_mut() {
            stay.upstream.pending = Some(pending);
        }
    }

    /// Takes the answer to a self-ping of a nick that was asked for; false if it is none.
    pub(super) fn nick_asked_answered(
        &mut self,
        turn: &mut Turn<'_>,
        answer: &Stanza,
        is_ours: bool,
    ) -> bool {
        let Some(stay) = self.stay_mut() else { return false };
        let is_answer = |pending: &mut Pending| {
            matches!(pending.what, What::NickAsked(_)) && answer.id.as_deref() == Some(&pending.id)
        };
        let Some(What::NickAsked(wish)) =
            stay.upstream.pending.take_if(is_answer).map(|pending| pending.what)
        else {
            return false;
        };
        if is_ours && !self.room.roster.has(&wish.nick) {
            self.adopt_nick(turn, wish);
        } else {
            self.nick_unanswered(turn, &wish);
        }
        self.advance(turn);
        true
    }

    /// The nick stays; only the session that asked for another is told, and the old one is verified.
    fn nick_unanswered(&mut self, turn: &mut Turn<'_>, wish: &NickWish) {
        let error = Stanza::new(Kind::Presence(PresenceType::Error))
            .from(self.me.room.occupant(&wish.nick))
            .id(wish.id.as_deref())
            .child(StanzaError::JOIN_TIMEOUT.element(self.me.room.as_str()));
        self.show(turn, wish.session, error);
        self.suspect(turn);
    }
}
