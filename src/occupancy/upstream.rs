//! Our presences to the room, one at a time (design decision 4, §7.6, §7.7).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::occasion::{Occasion, Overdue};
use super::phase::{In, Phase};
use super::resync::Resync;
use super::unasked::Wait;
use super::wishes::{Answered, Echo, NickWish};
use crate::config::limit;
use crate::event::SessionId;
use crate::lazy::can_be_empty;
use crate::sessions::is_nobody_there;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::{Element, PresenceType, Stanza};

/// The presence that the room has not answered yet, and what waits for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Upstream {
    pub(super) pending: Option<Box<Pending>>,
    wishes: VecDeque<NickWish>,
    pub(super) echoes: VecDeque<Echo>,
    resync_wished: bool,
    pub(super) overdue: Overdue,
    /// Until when a presence waits that no session has just sent to the room.
    #[serde(default)]
    pub(super) wait: Option<Wait>,
    /// When the last such presence went up.
    #[serde(default)]
    pub(super) told_ms: Option<u64>,
    /// Whether a session has asked the room to be shown the account otherwise, while a presence was unanswered.
    #[serde(default)]
    pub(super) is_asked: bool,
    /// The session whose presence went up last; nobody, if none was attached.
    pub(super) sent_by: Option<SessionId>,
    /// The [`Sessions::changes`] at the last comparison with the presence that the room is shown.
    compared: Option<u64>,
}

/// A presence of ours that is not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) id: Box<str>,
    /// When it counts as unanswered; a resync knows better.
    deadline_ms: u64,
    pub(super) what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// Show, status and the like.
    Update(Vec<Echo>),
    /// Another nick.
    Nick(NickWish),
    /// A nick that the room has not confirmed: a ping of it asks whether it is ours (N4).
    NickAsked { wish: NickWish, over_ms: u64 },
    /// A join, to see the room again (J8).
    Resync(Resync),
}

can_be_empty!(Upstream);

impl Upstream {
    /// The account has joined as that session, or as nobody.
    pub(super) fn begun_by(session: Option<SessionId>) -> Self {
        Self { sent_by: session, ..Self::default() }
    }

    pub(super) fn wish_resync(&mut self) {
        self.resync_wished = true;
    }

    /// Whether a presence of ours is not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the room is being shown again, or will be.
    pub(super) fn resyncs(&self) -> bool {
        self.resync_wished || self.is_resyncing()
    }

    /// Whether the room is being shown again.
    pub(super) fn is_resyncing(&self) -> bool {
        matches!(self.pending.as_deref(), Some(Pending { what: What::Resync(_), .. }))
    }

    /// Whether a join of ours has not been answered.
    pub(super) fn awaits_join(&self) -> bool {
        matches!(self.pending.as_deref(), Some(Pending { what: What::Resync(resync), .. }) if resync.entry.is_asked())
    }

    /// The resync that is under way.
    pub(super) fn resync(&self) -> Option<&Resync> {
        match self.pending.as_ref().map(|pending| &pending.what) {
            Some(What::Resync(resync)) => Some(resync),
            Some(What::Update(_) | What::Nick(_) | What::NickAsked { .. }) | None => None,
        }
    }

    pub(super) fn resync_mut(&mut self) -> Option<&mut Resync> {
        match self.pending.as_mut().map(|pending| &mut pending.what) {
            Some(What::Resync(resync)) => Some(resync),
            Some(What::Update(_) | What::Nick(_) | What::NickAsked { .. }) | None => None,
        }
    }

    /// The room has been shown again.
    pub(super) fn end_resync(&mut self) {
        self.pending = None;
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let pending = self.pending.as_ref()?;
        match &pending.what {
            What::Resync(resync) => resync.entry.unanswered_ms().or(resync.entry.silence_ms()),
            What::Update(_) | What::Nick(_) | What::NickAsked { .. } => Some(pending.deadline_ms),
        }
    }

    /// The stream to the room's service is being set up, or has been.
    pub(super) fn note_reach(&mut self, turn: &Turn<'_>, is_reached: bool) {
        let Some(pending) = &mut self.pending else { return };
        match &mut pending.what {
            What::Resync(resync) => resync.entry.note_reach(turn, is_reached),
            What::Nick(_) | What::NickAsked { .. } => {
                let patience_ms = if is_reached { limit::PRESENCE_MS } else { limit::JOIN_MOST_MS };
                pending.deadline_ms = turn.after(patience_ms);
            }
            What::Update(_) => {} // nobody is told of its silence
        }
    }

    /// Takes in a wish for another nick; gives it back if too many wait.
    pub(super) fn wish_nick(&mut self, turn: &mut Turn<'_>, wish: NickWish) -> Option<NickWish> {
        turn.line_up(&mut self.wishes, wish)
    }

    /// About how many bytes cost what waits.
    pub(super) fn cost(&self) -> usize {
        self.wishes.outside() + self.echoes.outside()
    }

    /// Takes in that a session waits to see its update; gives that back if too many wait.
    pub(super) fn wish_echo(&mut self, turn: &mut Turn<'_>, echo: Echo) -> Option<Echo> {
        turn.line_up(&mut self.echoes, echo)
    }

    fn nick_wish(&self) -> Option<&NickWish> {
        match self.pending.as_ref().map(|pending| &pending.what) {
            Some(What::Nick(wish) | What::NickAsked { wish, .. }) => Some(wish),
            Some(What::Update(_) | What::Resync(_)) | None => None,
        }
    }

    /// The nick that a session has asked for last, if that is not answered yet.
    pub(super) fn wished_by(&self, session: SessionId) -> Option<&Nick> {
        let mut wishes = self.nick_wish().into_iter().chain(&self.wishes);
        wishes.rfind(|wish| wish.session == Some(session)).map(|wish| &wish.nick)
    }

    /// Whether a presence of ours with that id is not answered yet.
    pub(super) fn awaits(&self, id: Option<&str>) -> bool {
        self.pending.as_ref().is_some_and(|pending| id == Some(&pending.id))
    }

    /// Who asked for the nick change that the room now says 303 about.
    pub(super) fn note_renamed(&mut self) -> Option<Echo> {
        if let Some(Pending { what: What::Nick(wish) | What::NickAsked { wish, .. }, .. }) =
            self.pending.as_deref_mut()
        {
            wish.renamed = true;
        }
        self.nick_wish().and_then(NickWish::echo)
    }

    /// Who asked for that nick, if the room has not answered yet.
    pub(super) fn asker_of(&self, nick: &Nick) -> Option<Echo> {
        self.nick_wish().filter(|wish| wish.nick == *nick).and_then(NickWish::echo)
    }

    /// A self-ping of the nick that was asked for is under way.
    pub(super) fn await_ping_of_nick(&mut self, id: Box<str>, wish: NickWish, turn: &Turn<'_>) {
        let deadline_ms = turn.after(limit::PRESENCE_MS);
        let what = What::NickAsked { wish, over_ms: turn.after(limit::NICK_MS) };
        self.pending = Some(Box::new(Pending { id, deadline_ms, what }));
    }

    /// Waits on for the answer to a ping of a nick, if the room has shown something meanwhile: it may be slow.
    pub(super) fn waits_on(&mut self, turn: &Turn<'_>, sign_ms: Option<u64>) -> bool {
        let Some(Pending { what: What::NickAsked { over_ms, .. }, deadline_ms, .. }) =
            self.pending.as_deref_mut()
        else {
            return false;
        };
        *deadline_ms = sign_ms.map_or(0, |sign_ms| sign_ms + limit::PRESENCE_MS).min(*over_ms);
        !turn.is_due(*deadline_ms)
    }

    /// Takes the wish whose nick was pinged, if that is the answer.
    pub(super) fn take_asked_nick(&mut self, answer: &Stanza) -> Option<NickWish> {
        let is_answer = |pending: &mut Box<Pending>| {
            matches!(&pending.what, What::NickAsked { wish, .. } if answer.sender_nick().as_ref() == Some(&wish.nick))
                && answer.id.as_deref() == Some(&pending.id)
        };
        match self.pending.take_if(is_answer).map(|pending| pending.what) {
            Some(What::NickAsked { wish, .. }) => Some(wish),
            Some(What::Nick(_) | What::Update(_) | What::Resync(_)) | None => None,
        }
    }

    /// Whether the room, when it shows the account under that id, may answer a presence of ours.
    pub(super) fn may_answer(&self, id: Option<&str>, reflects_ids: bool) -> bool {
        let Some(pending) = &self.pending else { return false };
        let is_open = !matches!(&pending.what, What::Resync(resync) if resync.entry.is_let_in());
        is_open && (!reflects_ids || self.awaits(id))
    }

    /// Why the room shows the account under that nick and id. One that reflects no ids answers in order. ejabberd
    /// answers a nick change under the id of the join.
    pub(super) fn occasion(&mut self, nick: &Nick, id: Option<&str>, reflects_ids: bool) -> Occasion {
        let is_wished = self.nick_wish().is_some_and(|wish| wish.nick == *nick);
        if is_wished || self.may_answer(id, reflects_ids) {
            return Occasion::Answer;
        }
        let is_late = |overdue: &str| !reflects_ids || id == Some(overdue);
        self.overdue.take(is_late).map_or(Occasion::OfItsOwn, Occasion::Late)
    }

    /// Takes the presence of ours that a self-presence from that nick answers. Without `is_answer` the room
    /// may have sent it of its own accord, and it answers no update.
    pub(super) fn answered(&mut self, nick: &Nick, is_answer: bool) -> Answered {
        let answers = |pending: &mut Box<Pending>| match &pending.what {
            What::Update(_) => is_answer,
            What::Nick(wish) | What::NickAsked { wish, .. } => wish.renamed || wish.nick == *nick,
            What::Resync(_) => false,
        };
        match self.pending.take_if(answers).map(|pending| pending.what) {
            Some(What::Update(echoes)) => Answered::Update(echoes),
            Some(What::Nick(wish) | What::NickAsked { wish, .. }) => Answered::Nick(Box::new(wish)),
            Some(What::Resync(_)) | None => Answered::Nothing,
        }
    }

    /// Takes what an error answers: that id, or the nick that was asked for.
    pub(super) fn refused(&mut self, error: &Stanza) -> Option<What> {
        let nick = error.sender_nick();
        let is_answer = |pending: &mut Box<Pending>| {
            let asks_nick = match &pending.what {
                What::Nick(wish) => error.id.is_none() && Some(&wish.nick) == nick.as_ref(),
                What::NickAsked { wish, .. } => Some(&wish.nick) == nick.as_ref(), // late, under the id of the change
                What::Update(_) | What::Resync(_) => false,
            };
            error.id.as_deref() == Some(&pending.id) || asks_nick
        };
        self.pending.take_if(is_answer).map(|pending| pending.what)
    }

    /// The session is gone: nothing of it waits.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.echoes.retain(|echo| echo.session != session);
        self.wishes.retain(|wish| wish.session != Some(session));
        match self.pending.as_mut().map(|pending| &mut pending.what) {
            Some(What::Update(echoes)) => echoes.retain(|echo| echo.session != session),
            Some(What::Nick(wish) | What::NickAsked { wish, .. }) => {
                wish.session = wish.session.filter(|asker| *asker != session);
            }
            Some(What::Resync(_)) | None => {}
        }
    }
}

impl Occupancy {
    /// Something has changed that every presence of the account tells: its avatar (N10).
    pub(crate) fn look_again(&mut self) {
        if let Phase::In(stay) = &mut self.phase
            && let Some(upstream) = stay.upstream.made_mut()
        {
            upstream.compared = None;
        }
    }
}

impl In<'_> {
    /// Sends the next presence, if there is one to send and none is unanswered.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        let is_its_turn = self.take_turn(turn);
        loop {
            if self.stay.upstream.is_busy() || self.stay.attendance.leave_waits() {
                return self.note_asked(turn);
            }
            if self.stay.loss.is_some() {
                break;
            }
            let Some(nick) = self.stay.upstream.wishes.front().map(|wish| wish.nick.clone()) else { break };
            let is_own = nick == self.base.me.nick;
            if !(is_own || is_its_turn || self.may_rename(turn, &nick)) {
                break;
            }
            let Some(wish) = self.stay.upstream.wishes.pop_front() else { break };
            if !is_own {
                return self.send_presence(turn, &nick, None, What::Nick(wish));
            }
            self.answer_wish(turn, wish, false);
        }
        self.advance_without_wishes(turn, is_its_turn);
    }

    /// What a session asks for while the room has not answered, it has asked for when the room answers.
    fn note_asked(&mut self, turn: &Turn<'_>) {
        if turn.is_asked() && self.may_look_different(turn) {
            self.stay.upstream.is_asked = true;
        }
    }

    fn advance_without_wishes(&mut self, turn: &mut Turn<'_>, is_its_turn: bool) {
        // ejabberd takes the update of somebody who is out for a join
        let is_surely_in = self.stay.loss.is_none() && self.stay.trust.heard_ms().is_some();
        let upstream = self.stay.upstream.made_mut();
        if upstream.is_some_and(|upstream| std::mem::take(&mut upstream.resync_wished)) {
            let (resync, asks) = self.new_resync(turn);
            let nick = self.base.me.nick.clone();
            self.send_presence(turn, &nick, Some(asks), What::Resync(resync));
        } else if is_surely_in && (!self.stay.upstream.echoes.is_empty() || self.may_look_different(turn)) {
            self.update_if_changed(turn, is_its_turn);
        }
    }

    /// Whether anything has changed since the last comparison with the presence that the room is shown. Most
    /// events change nothing.
    fn may_look_different(&self, turn: &Turn<'_>) -> bool {
        if self.stay.upstream.wait.is_some() && !turn.is_asked() {
            return false; // it is looked at when its turn comes
        }
        if self.base.sessions.is_empty() {
            return self.stay.is_away(turn) && !is_nobody_there(&self.stay.own.sent.children);
        }
        self.stay.upstream.compared != Some(self.base.sessions.changes())
    }

    fn update_if_changed(&mut self, turn: &mut Turn<'_>, is_its_turn: bool) {
        self.base.sessions.elect();
        let wanted = self.aggregate(turn).filter(|wanted| self.stay.own.differs_from(wanted));
        let goes_up = wanted.as_ref().is_some_and(|wanted| is_its_turn || self.may_tell(turn, wanted));
        self.stay.upstream.is_asked = false;
        let echoes: Vec<Echo> = std::mem::take(&mut self.stay.upstream.echoes).into();
        if wanted.is_some() && !goes_up {
            return self.show_echoes(turn, &echoes, false);
        }
        self.stay.upstream.compared = Some(self.base.sessions.changes());
        if goes_up {
            let nick = self.base.me.nick.clone();
            self.send_presence(turn, &nick, None, What::Update(echoes));
        } else {
            self.stay.upstream.sent_by = self.base.sessions.representative().or(self.stay.upstream.sent_by);
            self.show_echoes(turn, &echoes, false);
        }
    }

    fn send_presence(&mut self, turn: &mut Turn<'_>, nick: &Nick, extra: Option<Element>, what: What) {
        self.base.sessions.elect();
        let wanted = self.aggregate(turn);
        if let Some(wanted) = wanted {
            self.stay.own.note_sent(wanted);
            self.stay.upstream.compared = Some(self.base.sessions.changes());
            self.stay.upstream.sent_by = self.base.sessions.representative();
        }
        let id = turn.fresh_id();
        let mut presence =
            self.base.me.presence(PresenceType::Available, &id).to(self.base.me.room.occupant(nick));
        presence.attributes.clone_from(&self.stay.own.sent.attributes);
        presence.children.clone_from(&self.stay.own.sent.children);
        presence.children.extend(extra);
        let deadline_ms = turn.after(limit::PRESENCE_MS);
        self.stay.upstream.pending = Some(Box::new(Pending { id, deadline_ms, what }));
        turn.send(presence);
    }
}
