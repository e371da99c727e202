//! One account in one room, from the first join to the last stanza of the room that has to be swallowed.
//!
//! ```text
//!            join asked               complete (J31)
//!   Out ───────────────────▶ Joining ───────────────▶ In
//!    ▲  ◀───────────────────    │  ▲                   │
//!    │    refused, timed out,   │  └─── removed while ─┤
//!    │    left (L7)             │       others wait    │ left, removed, found to be out
//!    └──────────────────────────┴──────────────────────┘
//! ```
//!
//! Each file is one kind of thing that happens. What can coexist while the account is in (a check, a presence
//! of ours that is not answered yet, a leave that is held back) are small machines in [`Stay`].

mod archive;
mod blocked;
mod check;
mod direct;
mod held;
mod iq;
mod join;
mod joining;
mod joining_messages;
mod leave;
mod message;
mod nick;
mod presence;
mod probe;
mod refusal;
mod removal;
mod replay;
mod resync;
mod upstream;
mod versions;

use serde::{Deserialize, Serialize};

use crate::config::{Config, limit};
use crate::event::{Action, Id, SessionId, Verdict};
use crate::identity::Identity;
use crate::jid::{BareJid, Nick};
use crate::muc::{Departure, asks_to_join};
use crate::queries::Queries;
use crate::room::Room;
use crate::senders::Senders;
use crate::sessions::Sessions;
use crate::stanza::{IqType, Kept, Kind, MessageType, PresenceType, Stanza};
use crate::turn::Turn;

pub(crate) use direct::is_of_one_session;

use archive::Archive;
use blocked::Blocked;
use check::{Check, Trust};
use direct::Directs;
use joining::Joining;
use leave::HeldLeave;
pub(crate) use refusal::join_error;
use upstream::Upstream;

/// An account's being in a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Occupancy {
    me: Identity,
    phase: Phase,
    sessions: Sessions,
    room: Room,
    senders: Senders,
    queries: Queries,
    directs: Directs,
    blocked: Blocked,
    archive: Archive,
}

/// Where the account stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Phase {
    /// Not in the room.
    Out(Past),
    /// The account's join is not complete.
    Joining(Box<Joining>),
    /// In the room.
    In(Box<Stay>),
}

/// What is remembered of a room that the account is not in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Past {
    /// When and why the account left, if it was in.
    left: Option<(u64, Departure)>,
    /// Leaves of ours that the room has not answered (design decision 13).
    unanswered: Option<Unanswered>,
    /// The presence of a join of ours that crossed with a removal: the room may let the account in for it.
    crossed: Option<Kept>,
    /// The last self-presence: a session that believes that it is in is told with its occupant-id (J14).
    own: Option<Kept>,
}

/// The leaves that the room may still answer, each perhaps after the join that it ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Unanswered {
    leaves: u32,
    last_ms: u64,
}

/// The account is in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stay {
    trust: Trust,
    check: Option<Check>,
    upstream: Upstream,
    held_leave: Option<HeldLeave>,
    /// Since when no session is attached.
    detached_ms: Option<u64>,
    /// Whether the kept presences are no longer what a join would show (J8).
    outdated: bool,
    /// Probes of sessions that the room has not answered (J11).
    probes: Vec<probe::Probe>,
}

/// How a stanza of a session comes to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is the stanza in hand.
    InHand,
    /// It was held back until the session's join was answered.
    Held,
}

impl Occupancy {
    /// Starts outside of the room.
    pub(crate) fn new(account: BareJid, room: BareJid) -> Self {
        let nick = Nick::new("");
        Self {
            me: Identity::new(account, room, nick),
            phase: Phase::Out(Past::default()),
            sessions: Sessions::default(),
            room: Room::default(),
            senders: Senders::default(),
            queries: Queries::default(),
            directs: Directs::default(),
            blocked: Blocked::default(),
            archive: Archive::default(),
        }
    }

    /// A session sent a stanza to the room or to an occupant.
    pub(crate) fn session_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: Stanza,
    ) -> Verdict {
        if let Some(verdict) = self.sent_directly(session, &stanza) {
            return verdict;
        }
        if self.is_foreign() && !asks_to_join(&stanza) {
            return Verdict::Pass("the account never was in the room");
        }
        if self.holds_leave() && goes_up(&stanza) {
            self.release_held_leave(turn);
        }
        match stanza.kind {
            Kind::Presence(PresenceType::Available) if asks_to_join(&stanza) => {
                self.join_asked(turn, session, stanza)
            }
            Kind::Presence(PresenceType::Available) => self.presence_sent(turn, session, &stanza),
            Kind::Presence(PresenceType::Unavailable) => self.leave_asked(turn, session, &stanza),
            Kind::Presence(PresenceType::Probe) => self.probe_sent(turn, session, stanza),
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) => {
                log::debug!("absorbs an error that a session answered to {}", self.me.room); // R6
                Verdict::Handled
            }
            Kind::Presence(PresenceType::Other) => Verdict::Pass("a subscription"),
            Kind::Message(MessageType::Groupchat | MessageType::Chat | MessageType::Normal) => {
                self.message_sent(turn, session, &stanza)
            }
            Kind::Iq(IqType::Get | IqType::Set) => self.query_sent(turn, session, &stanza),
            Kind::Iq(IqType::Result | IqType::Error) => self.answer_sent(turn, session, &stanza),
        }
    }

    /// The room, or somebody in it, sent a stanza to the account.
    pub(crate) fn room_sent(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        let Some(shown) = self.as_shown(stanza) else { return self.take_in(turn, stanza) };
        let verdict = self.take_in(turn, &shown);
        turn.deliver_what_is_relayed(&shown);
        verdict
    }

    fn take_in(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        if self.is_foreign() {
            return Verdict::Pass("the account never was in the room");
        }
        self.note_sign_of_life(turn, stanza);
        if self.is_of_blocked(stanza) {
            return self.blocked_came(stanza);
        }
        match (stanza.kind, &self.phase) {
            (Kind::Iq(IqType::Get | IqType::Set), _) => self.question_came(turn, stanza),
            (Kind::Iq(IqType::Result | IqType::Error), _) => self.answer_came(turn, stanza),
            (Kind::Message(MessageType::Error), _) => self.message_refused(turn, stanza),
            (Kind::Presence(PresenceType::Other), _) => Verdict::Pass("a subscription"),
            (Kind::Presence(PresenceType::Probe), _) => Verdict::Handled,
            (_, Phase::Out(_)) => self.stray_came(turn, stanza),
            (Kind::Presence(presence_type), Phase::Joining(_)) => {
                self.presence_while_joining(turn, stanza, presence_type)
            }
            (Kind::Message(_), Phase::Joining(_)) => self.message_while_joining(turn, stanza),
            (Kind::Presence(presence_type), Phase::In(_)) => self.presence_came(turn, stanza, presence_type),
            (Kind::Message(message_type), Phase::In(_)) => self.message_came(turn, stanza, message_type),
        }
    }

    /// Draws the consequences of an event that has been dealt with; the end of every one.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        self.note_detached(turn);
        self.serve(turn);
        self.advance(turn);
    }

    /// When this occupancy wants to be woken.
    pub(crate) fn deadline(&self, config: &Config) -> Option<u64> {
        let of_phase = match &self.phase {
            Phase::Out(_) => self.over_ms(),
            Phase::Joining(joining) => joining.deadline(),
            Phase::In(stay) => {
                let of_stay = stay.deadline(self.has_replay());
                of_stay.into_iter().chain(self.linger_deadline(config)).min()
            }
        };
        let others = [self.queries.deadline(), self.directs.deadline(), self.archive.deadline()];
        others.into_iter().chain([of_phase]).flatten().min()
    }

    /// The time that was asked for has come, or an earlier one.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) {
        self.expire_queries(turn);
        self.directs.expire(turn);
        self.archive.expire(turn);
        match &self.phase {
            Phase::Out(_) => {}
            Phase::Joining(_) => self.wake_joining(turn),
            Phase::In(_) => self.wake_in(turn),
        }
    }

    fn wake_in(&mut self, turn: &mut Turn<'_>) {
        self.go_on_replaying(turn);
        self.expire_check(turn);
        self.expire_upstream(turn);
        self.expire_probes(turn);
        self.expire_held_leave(turn);
        self.expire_linger(turn);
    }

    /// Whether nothing of this room needs to be known any more.
    pub(crate) fn is_over(&self, turn: &Turn<'_>) -> bool {
        self.over_ms().is_some_and(|over_ms| turn.is_due(over_ms))
    }

    /// When it may be forgotten, if nothing else happens.
    pub(crate) fn over_ms(&self) -> Option<u64> {
        match &self.phase {
            Phase::Out(_) if self.has_directs() || self.queries.are_open() => None,
            Phase::Out(past) => Some(past.over_ms().unwrap_or_default()),
            Phase::Joining(_) | Phase::In(_) => None,
        }
    }

    /// Whether the account has nothing to do with it: sessions are in by themselves, if it is a room at all and
    /// not a contact of theirs.
    fn is_foreign(&self) -> bool {
        match &self.phase {
            Phase::Out(past) => past.over_ms().is_none() && !self.queries.are_open(),
            Phase::Joining(_) | Phase::In(_) => false,
        }
    }

    /// Whether the account is in or about to be.
    pub(crate) fn is_held(&self) -> bool {
        !matches!(self.phase, Phase::Out(_))
    }

    /// Whether that session is attached.
    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.sessions.has(session)
    }

    /// Whether an error to the room would throw the account out, or come from a room just left (L5).
    pub(crate) fn absorbs_failures(&self, turn: &Turn<'_>) -> bool {
        match &self.phase {
            Phase::Out(past) => past.swallows(turn),
            Phase::Joining(_) | Phase::In(_) => true,
        }
    }

    fn stay(&self) -> Option<&Stay> {
        match &self.phase {
            Phase::In(stay) => Some(stay),
            Phase::Out(_) | Phase::Joining(_) => None,
        }
    }

    fn stay_mut(&mut self) -> Option<&mut Stay> {
        match &mut self.phase {
            Phase::In(stay) => Some(stay),
            Phase::Out(_) | Phase::Joining(_) => None,
        }
    }

    /// Sends a stanza of a session up as the account.
    fn go_up(&self, turn: &mut Turn<'_>, stanza: &Stanza, id: Id, way: Way) {
        match way {
            Way::InHand => turn.act(Action::Forward { id }),
            Way::Held => {
                turn.send(id.put_on(stanza.clone().from(self.me.account.to_jid())));
            }
        }
    }

    /// Answers a stanza of a session with an error.
    fn refuse(
        &self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: &Stanza,
        error: crate::error::StanzaError,
        way: Way,
    ) {
        match way {
            Way::InHand => turn.act(Action::Reply { error, by: self.me.room.clone() }),
            Way::Held => turn.deliver(session, error.reply_to(stanza, self.me.room.as_str())),
        }
    }
}

/// Whether a stanza of a session reaches the room, so that a held leave has to go first (L3). A join says itself
/// what becomes of the leave; other presence of a session that is out is answered by us.
fn goes_up(stanza: &Stanza) -> bool {
    match stanza.kind {
        Kind::Presence(presence_type) => presence_type == PresenceType::Probe,
        Kind::Message(message_type) => message_type != MessageType::Error,
        Kind::Iq(_) => true,
    }
}

impl Past {
    /// The account leaves.
    fn await_answer(&mut self, turn: &Turn<'_>) {
        let leaves = self.unanswered.map_or(0, |unanswered| unanswered.leaves) + 1;
        self.unanswered = Some(Unanswered { leaves, last_ms: turn.now.monotonic_ms });
        self.crossed = None; // the leave is answered after it
    }

    /// The room says that the account has left.
    fn leave_answered(&mut self) {
        self.unanswered = self.unanswered.filter(|unanswered| unanswered.leaves > 1);
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.leaves -= 1;
        }
    }

    /// Whether the room may still answer what it was asked before.
    fn is_stale(&self) -> bool {
        self.unanswered.is_some() || self.crossed.is_some()
    }

    /// When it may be forgotten.
    fn over_ms(&self) -> Option<u64> {
        let remembered = self.left.map(|(left_ms, _)| left_ms + limit::REMEMBER_MS);
        let swallowed = self.unanswered.map(|unanswered| unanswered.last_ms + limit::SWALLOW_MS);
        remembered.into_iter().chain(swallowed).max()
    }

    /// Whether the room's stanzas are still swallowed (M8).
    fn swallows(&self, turn: &Turn<'_>) -> bool {
        let unanswered_ms = self.unanswered.map(|unanswered| unanswered.last_ms);
        let since = self.left.map(|(left_ms, _)| left_ms).into_iter().chain(unanswered_ms).max();
        since.is_some_and(|since_ms| turn.since(since_ms) < limit::SWALLOW_MS)
    }
}

impl Stay {
    fn deadline(&self, has_replay: bool) -> Option<u64> {
        let replay = has_replay.then_some(0);
        let check = self.check.as_ref().map(|check| check.deadline_ms);
        let held_leave = self.held_leave.as_ref().map(|held| held.until_ms);
        let probes = self.probes.iter().map(|probe| probe.deadline_ms).min();
        [replay, check, held_leave, probes, self.upstream.deadline()].into_iter().flatten().min()
    }
}
