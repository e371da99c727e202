//! The account's join is under way: the room is taken in and shown to nobody until it is complete (J31).

use serde::{Deserialize, Serialize};

use super::held::Orphans;
use super::versions::tells_versions;
use super::{Occupancy, Past, Phase, Stay};
use crate::config::limit;
use crate::event::{SessionId, Verdict};
use crate::history::History;
use crate::jid::Nick;
use crate::muc::{Departure, MucUser, status};
use crate::room::Room;
use crate::sessions::{Ask, Attachment, Stage};
use crate::stanza::{IqType, Kept, Kind, PresenceType, Stanza};
use crate::turn::Turn;

/// A join of the account that is not complete.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Joining {
    /// The id of the join.
    id: Box<str>,
    /// The session whose join went up.
    asked_by: SessionId,
    /// The nick and the password that went up.
    nick: Nick,
    password: Option<String>,
    deadline_ms: u64,
    /// When a self-ping asks whether the account is in unseen, or under which id it has (J26).
    probe: Probe,
    awaits: Awaits,
    /// Whether the room wants an answer from a human first (J27).
    pub(super) wants_answer: bool,
    /// Whether the presences that have come are no longer what a join would show (J8).
    pub(super) outdated: bool,
    /// Messages that came before the occupants (J23).
    early: Vec<Kept>,
    /// What sessions have sent that left or ended meanwhile (M3).
    pub(super) orphans: Orphans,
    /// What is remembered if nothing comes of it.
    pub(super) past: Past,
}

/// What the join waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Awaits {
    /// The account's own presence; when one with an older id came last, it counts after a silence.
    SelfPresence { older_ms: Option<u64> },
    /// The subject; when the last stanza came.
    Subject { last_ms: u64 },
}

/// The question whether the account is in unseen.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Probe {
    Due(u64),
    Sent(Box<str>),
    /// It is, and leaves, so that its sessions can join by themselves.
    Retreating(u64),
    Over,
}

impl Joining {
    pub(super) fn new(id: Box<str>, asked_by: SessionId, ask: &Ask, past: Past, turn: &Turn<'_>) -> Self {
        Self {
            id,
            asked_by,
            nick: ask.nick.clone(),
            password: ask.password(),
            deadline_ms: turn.after(limit::JOIN_MS),
            probe: Probe::Due(turn.after(limit::JOIN_PROBE_MS)),
            awaits: Awaits::SelfPresence { older_ms: None },
            wants_answer: false,
            outdated: false,
            early: Vec::new(),
            orphans: Orphans::default(),
            past,
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let silent_since = match self.awaits {
            Awaits::SelfPresence { older_ms } => older_ms,
            Awaits::Subject { last_ms } => Some(last_ms),
        };
        let probe = match self.probe {
            Probe::Due(due_ms) | Probe::Retreating(due_ms) if silent_since.is_none() => Some(due_ms),
            Probe::Due(_) | Probe::Retreating(_) | Probe::Sent(_) | Probe::Over => None,
        };
        let silence = silent_since.map(|since_ms| since_ms + limit::JOIN_SILENCE_MS);
        silence.into_iter().chain(probe).chain([self.deadline_ms]).min()
    }

    pub(super) fn touch(&mut self, now_ms: u64) {
        match &mut self.awaits {
            Awaits::Subject { last_ms } | Awaits::SelfPresence { older_ms: Some(last_ms) } => {
                *last_ms = now_ms;
            }
            Awaits::SelfPresence { older_ms: None } => {}
        }
    }

    /// Whether nothing has come yet that says that the account is in.
    pub(super) fn is_unseen(&self) -> bool {
        matches!(self.awaits, Awaits::SelfPresence { older_ms: None })
    }

    /// Keeps a message that came before the occupants (J23).
    pub(super) fn keep_early(&mut self, message: &Kept) {
        if self.early.len() < limit::EARLY_MESSAGES {
            self.early.push(message.share());
        }
    }

    /// The room wants an answer from a human first (J27). To ask again gives no more time.
    pub(super) fn await_human(&mut self, turn: &Turn<'_>) {
        if !self.wants_answer {
            self.deadline_ms = turn.after(limit::CAPTCHA_MS);
        }
        self.wants_answer = true;
        self.probe = Probe::Over;
    }

    /// The room says that the account is in: in answer to this join, or perhaps to an earlier one.
    fn let_in(&mut self, turn: &Turn<'_>, reflects_id: bool) {
        let now_ms = turn.now.monotonic_ms;
        if self.past.is_stale() && !reflects_id {
            self.awaits = Awaits::SelfPresence { older_ms: Some(now_ms) };
            return;
        }
        self.awaits = Awaits::Subject { last_ms: now_ms };
        self.past.unanswered = None; // what is asked later is answered later
        self.past.crossed = None;
        self.outdated = false;
        self.deadline_ms = turn.after(limit::JOIN_MS);
    }

    /// The session whose join went up.
    pub(super) fn asked_by(&self) -> SessionId {
        self.asked_by
    }

    /// The presence under which the account is in all the same when this join is refused: a join that crossed
    /// with a removal has let it in (J7).
    fn in_as(&self) -> Option<&Kept> {
        self.past.crossed.as_ref().filter(|_| !self.is_unseen() && !self.is_let_in())
    }

    /// Whether the room has let this join in.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(self.awaits, Awaits::Subject { .. })
    }
}

impl Occupancy {
    pub(super) fn joining_mut(&mut self) -> Option<&mut Joining> {
        match &mut self.phase {
            Phase::Joining(joining) => Some(joining),
            Phase::Out(_) | Phase::In(_) => None,
        }
    }

    pub(super) fn presence_while_joining(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        presence_type: PresenceType,
    ) -> Verdict {
        if let Some(joining) = self.joining_mut() {
            joining.touch(turn.now.monotonic_ms);
        }
        let occupant = MucUser::read(stanza);
        // before its 110 the nick that was asked for may be anybody's
        let is_self = occupant.has(status::SELF) || is_from_same(self.room.own.as_ref(), stanza);
        match presence_type {
            PresenceType::Available if is_self => self.own_join_came(turn, stanza, &occupant),
            PresenceType::Available => {
                self.room.fold_presence(stanza);
            }
            PresenceType::Unavailable
                if (is_self || self.is_own_of_earlier_stay(stanza)) && !occupant.has(status::NICK_CHANGE) =>
            {
                self.removed_while_joining(turn, stanza, &occupant);
            }
            PresenceType::Unavailable => self.room.fold_unavailable(stanza, &occupant),
            PresenceType::Error => self.join_refused(turn, stanza),
            PresenceType::Probe | PresenceType::Other => {}
        }
        Verdict::Handled
    }

    /// Whether a presence is from the nick of the stay that a leave of ours ends: until the room has answered
    /// that leave, nobody else has it.
    fn is_own_of_earlier_stay(&self, presence: &Stanza) -> bool {
        let Phase::Joining(joining) = &self.phase else { return false };
        joining.past.unanswered.is_some() && is_from_same(joining.past.own.as_ref(), presence)
    }

    /// The room says that the account is in. Late traffic of an earlier stay is not taken for it (design
    /// decision 13).
    fn own_join_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, occupant: &MucUser) {
        let Some(nick) = stanza.sender_nick() else { return };
        let Some(joining) = self.joining_mut() else { return };
        let asked_by = joining.asked_by;
        let reflects_id = stanza.id.as_deref() == Some(&joining.id);
        if !joining.is_let_in() {
            joining.let_in(turn, reflects_id); // later ones only change what is shown
            if joining.is_let_in() {
                self.room.history = History::default(); // of an earlier join, which asked for less
            }
        }
        if occupant.has(status::CREATED) {
            self.note_created(asked_by);
        }
        self.room.roster.remove(&nick);
        self.me.nick = nick;
        self.room.flags.fold(&occupant.codes);
        self.room.reflects_ids |= reflects_id;
        self.room.versioned |= tells_versions(stanza);
        self.room.own = Some(stanza.clone());
    }

    /// The session whose join created the room configures it; if it has gone, another that waits (J9).
    fn note_created(&mut self, asked_by: SessionId) {
        let creator = if self.sessions.has(asked_by) {
            Some(asked_by)
        } else {
            self.sessions.waiting().first().copied()
        };
        let attachment = creator.and_then(|session| self.sessions.get_mut(session));
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = attachment {
            ask.created = true;
        }
    }

    /// The end of an earlier stay is forgotten with all that belonged to it; the end of this one is shown
    /// after the join that it ends.
    fn removed_while_joining(&mut self, turn: &mut Turn<'_>, stanza: &Kept, occupant: &MucUser) {
        let sent = self.room.sent.clone();
        let Some(joining) = self.joining_mut() else { return };
        if !joining.is_let_in() {
            joining.past.leave_answered();
            joining.awaits = Awaits::SelfPresence { older_ms: None };
            joining.early.clear();
            self.sessions.forget_first();
            self.room = Room { sent, ..Room::default() };
            return;
        }
        self.complete(turn);
        self.removed(turn, stanza, occupant);
    }

    /// Everything that a session has to be shown is there.
    pub(super) fn complete(&mut self, turn: &mut Turn<'_>) {
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Out(Past::default())) else {
            return;
        };
        let mut stay = Stay::default();
        stay.trust.renew(turn);
        stay.outdated = joining.outdated;
        self.phase = Phase::In(Box::new(stay));
        log::debug!("{} joins {} as {}", self.me.account, self.me.room, self.me.nick);
        self.release_orphans(turn, joining.orphans);
        for session in self.sessions.waiting() {
            self.start_replay(turn, session, &joining.early);
        }
        self.forget_versions();
    }

    /// The room refuses the join: the sessions that asked for the same are told, the next one's join is tried
    /// (J13, J16, J17).
    fn join_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) {
        let Phase::Joining(joining) = &self.phase else { return };
        if error.id.as_deref().is_some_and(|id| *id != *joining.id) {
            return; // it answers an earlier join
        }
        if let Some(sent) = joining.in_as() {
            self.room.sent = Some(sent.clone());
            self.room.reflects_ids = self.room.own.as_ref().is_some_and(|own| own.id.is_some());
            return self.complete(turn);
        }
        let is_same = |attachment: &Attachment| {
            attachment.ask().is_some_and(|ask| ask.nick == joining.nick && ask.password() == joining.password)
        };
        let refused: Vec<_> =
            self.sessions.iter().filter(|(_, a)| is_same(a)).map(|(session, _)| session).collect();
        if error.error_condition() == Some("jid-malformed") {
            for session in refused {
                self.try_directly(turn, session);
            }
        } else {
            self.tell_refused(turn, error, refused);
        }
        self.refuse_orphans(turn);
        self.try_next(turn);
    }

    /// Tries the join of the next session that waits; with none left the account is out.
    pub(super) fn try_next(&mut self, turn: &mut Turn<'_>) {
        if let Some(next) = self.sessions.waiting().first() {
            self.try_join(turn, *next);
            return;
        }
        self.room = Room::default();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Out(Past::default())) {
            Phase::Joining(joining) => Phase::Out(joining.past),
            out @ Phase::Out(_) => out,
            Phase::In(_) => Phase::Out(Past::default()),
        };
    }

    /// Takes the answer to the question whether the account is in unseen: then the service is *direct*, as soon
    /// as the account has left it. False if it is none.
    pub(super) fn probe_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let Some(joining) = self.joining_mut() else { return false };
        if !matches!(&joining.probe, Probe::Sent(id) if answer.id.as_deref() == Some(id)) {
            return false;
        }
        let is_unseen = matches!(joining.awaits, Awaits::SelfPresence { older_ms: None });
        if is_unseen && answer.kind == Kind::Iq(IqType::Result) {
            joining.probe = Probe::Retreating(turn.after(limit::RETREAT_MS));
            joining.past.await_answer(turn);
            joining.deadline_ms = turn.after(limit::JOIN_MS);
            let leave = self.leave_stanza(turn, &[]);
            turn.send(leave);
        }
        true
    }

    pub(super) fn wake_joining(&mut self, turn: &mut Turn<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        let silent = |since_ms: u64| turn.is_due(since_ms + limit::JOIN_SILENCE_MS);
        match joining.awaits {
            Awaits::Subject { last_ms } | Awaits::SelfPresence { older_ms: Some(last_ms) }
                if silent(last_ms) || turn.is_due(joining.deadline_ms) =>
            {
                return self.complete(turn); // the room has let us in, however slowly it talks
            }
            Awaits::Subject { .. } | Awaits::SelfPresence { .. } => {}
        }
        if let Probe::Due(due_ms) = joining.probe
            && turn.is_due(due_ms)
            && matches!(joining.awaits, Awaits::SelfPresence { older_ms: None })
        {
            let id = turn.fresh_id();
            turn.send(super::check::self_ping(&self.me, &self.me.nick, &id));
            joining.probe = Probe::Sent(id);
        }
        if matches!(joining.probe, Probe::Retreating(due_ms) if turn.is_due(due_ms)) {
            return self.go_direct(turn);
        }
        if turn.is_due(joining.deadline_ms) {
            log::debug!("{} does not answer the join of {}", self.me.room, self.me.account);
            self.time_out_waiting(turn);
            self.depart(turn, Departure::Technical);
        }
    }
}

fn is_from_same(known: Option<&Kept>, presence: &Stanza) -> bool {
    known.is_some_and(|known| known.from == presence.from)
}
