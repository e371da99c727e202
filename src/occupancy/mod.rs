//! One account in one room, from the first join to the last stanza of the room that has to be swallowed.
//!
//! `docs/states.md` draws the phases. Each file here is one kind of thing that happens. While the account is
//! in, small machines run side by side in [`Stay`]: a check, an unanswered presence of ours, a leave that
//! waits. After each event
//! the bouncer calls [`Occupancy::settle`].

mod alias;
mod attach;
mod base;
mod blocked;
mod bookmark;
mod check;
mod deadlines;
mod direct;
mod entry;
mod gap;
mod held;
mod iq;
mod join;
mod joining;
mod joining_messages;
mod leave;
mod membership;
mod message;
mod missed;
mod nick;
mod occasion;
mod others;
mod outbox;
mod past;
mod presence;
mod probe;
mod question;
mod reach;
mod recovery;
mod refusal;
mod removal;
mod replay;
mod resync;
mod room_archive;
mod shown;
mod stored;
mod subscription;
mod unanswered;
mod unseen;
mod upstream;
mod versions;
mod wishes;

use serde::{Deserialize, Serialize};

use crate::event::{SessionId, Verdict};
use crate::room::Room;
use crate::room::own::Own;
use crate::turn::Turn;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::muc::asks_to_join;
use crate::xmpp::stanza::{IqType, Kept, Kind, MessageType, PresenceType, Stanza};

pub(crate) use direct::is_of_one_session;
pub(crate) use refusal::join_error;
pub(crate) use stored::{Glance, Restart};

use base::Base;
use check::{Check, Trust};
use gap::{Gap, Last};
use joining::Joining;
use membership::Attendance;
use outbox::Outbox;
use past::Past;
use probe::Probes;
use recovery::Loss;
use upstream::Upstream;

/// An account's being in a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Occupancy {
    phase: Phase,
    base: Base,
}

/// Where the account is.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Phase {
    /// Not in the room.
    Out(Past),
    /// The account's join is not complete.
    Joining(Box<Joining>),
    /// In the room.
    In(Box<Stay>),
}

/// The account is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stay {
    own: Own,
    trust: Trust,
    check: Option<Check>,
    upstream: Upstream,
    attendance: Attendance,
    probes: Probes,
    /// What sessions have said to everybody, and the room has not shown.
    outbox: Outbox,
    /// The account is out without anybody having decided so.
    loss: Option<Box<Loss>>,
    /// When it last was found to be out.
    lost_ms: Option<u64>,
    /// Whether a bookmark holds the account in the room (design decision 2).
    is_bookmarked: bool,
    /// When the account last logged in, as far as it is known.
    login_ms: u64,
    /// The password with which the account joined.
    password: Option<Box<str>>,
    /// Whether the room has not been shown to the account since a start: what is kept of it has come since.
    is_unknown: bool,
    /// The last message that was stored before a start.
    last: Option<Box<Last>>,
    gap: Gap,
}

impl Occupancy {
    /// Starts outside of the room.
    pub(crate) fn new(account: BareJid, room: BareJid) -> Self {
        Self { phase: Phase::Out(Past::default()), base: Base::new(account, room) }
    }

    pub(crate) fn account(&self) -> &BareJid {
        &self.base.me.account
    }

    pub(crate) fn room(&self) -> &BareJid {
        &self.base.me.room
    }

    /// A session sent a stanza to the room or to an occupant.
    pub(crate) fn session_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: Stanza,
    ) -> Verdict {
        self.note_subscription(turn, session, &stanza);
        if let Some(verdict) = self.sent_directly(session, &stanza) {
            return verdict;
        }
        if self.is_foreign() && !asks_to_join(&stanza) {
            return Verdict::Pass("the account never was in the room");
        }
        if goes_up(&stanza) {
            self.release_held_leave(turn);
        }
        match stanza.kind {
            Kind::Presence(PresenceType::Available) if asks_to_join(&stanza) => {
                self.join_asked(turn, session, &stanza)
            }
            Kind::Presence(PresenceType::Available) => self.presence_sent(turn, session, &stanza),
            Kind::Presence(PresenceType::Unavailable) => self.leave_asked(turn, session, &stanza),
            Kind::Presence(PresenceType::Probe) => self.probe_sent(turn, session, stanza),
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) => {
                // A room throws out whoever answers it with an error (R6).
                log::debug!("an error that a session answered to {} goes no further", self.base.me.room);
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
        turn.show_as(shown.clone());
        self.take_in(turn, &shown)
    }

    fn take_in(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        if self.inquiry_answered(turn, stanza) {
            return Verdict::Handled;
        }
        if self.is_foreign() {
            return Verdict::Pass("the account never was in the room");
        }
        self.note_contact(turn, stanza);
        match &mut self.phase {
            Phase::In(stay) => {
                stay.trust.note_sign_of_life(turn, stanza);
                stay.note_room_is_there(turn, stanza);
            }
            Phase::Joining(joining) => joining.note_sign_of_life(turn, stanza),
            Phase::Out(_) => {}
        }
        if let Some(verdict) = self.refuse_blocked(stanza) {
            return verdict;
        }
        if self.subscription_refused(turn, stanza) {
            return Verdict::Handled;
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

    /// Ends every event: notes who is attached, shows waiting sessions the room, sends the next presence and the
    /// queries for which there is space. What a session has said before its answer are events that come after it.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        loop {
            self.note_attendance(turn);
            self.answer_from_trust(turn);
            self.serve_anew(turn);
            self.advance(turn);
            self.send_waiting_queries(turn);
            if !self.release_next(turn) {
                return;
            }
        }
    }

    /// The only way into a phase. Of a room that the account is not in there is no copy.
    fn enter(&mut self, phase: Phase) {
        if !matches!(phase, Phase::In(_)) {
            self.base.room = Room::default();
        }
        self.phase = phase;
    }

    /// Whether nothing of this room needs to be known any more.
    pub(crate) fn is_over(&self, turn: &Turn<'_>) -> bool {
        self.over_ms().is_some_and(|over_ms| turn.is_due(over_ms))
    }

    /// When it may be forgotten, if nothing else happens.
    pub(crate) fn over_ms(&self) -> Option<u64> {
        match &self.phase {
            Phase::Out(_) if self.has_directs() || self.base.queries.are_open() || self.is_inquiring() => {
                None
            }
            Phase::Out(past) => Some(past.over_ms().unwrap_or_default()),
            Phase::Joining(_) | Phase::In(_) => None,
        }
    }

    /// Whether only sessions, never the account, have sent to this address; it may be a contact.
    fn is_foreign(&self) -> bool {
        match &self.phase {
            Phase::Out(past) => past.over_ms().is_none() && !self.base.queries.are_open(),
            Phase::Joining(_) | Phase::In(_) => false,
        }
    }

    /// About how many bytes wait here: for an answer, for their turn, or for a session (R7).
    pub(crate) fn waiting_cost(&self) -> usize {
        let in_phase = match &self.phase {
            Phase::Out(_) => 0,
            Phase::Joining(joining) => joining.early.cost() + joining.orphans.cost(),
            Phase::In(stay) => stay.waiting_cost(),
        };
        let asked = self.base.senders.cost()
            + self.base.subscriptions.cost()
            + self.base.queries.cost()
            + self.base.room_archive.cost();
        in_phase + asked + self.base.sessions.waiting_cost()
    }

    /// Whether the account is in or about to be.
    pub(crate) fn is_occupied(&self) -> bool {
        !matches!(self.phase, Phase::Out(_))
    }

    /// Whether the account is in as that occupant.
    pub(crate) fn is_ourselves(&self, occupant: &str) -> bool {
        self.stay().is_some() && Jid::new(occupant).nick().as_ref() == Some(&self.base.me.nick)
    }

    /// Whether that session is attached.
    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.base.sessions.has(session)
    }

    /// Whether a failed delivery must not bounce: the account is in or about to be, or has just left (L5).
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

    fn joining(&self) -> Option<&Joining> {
        match &self.phase {
            Phase::Joining(joining) => Some(joining),
            Phase::Out(_) | Phase::In(_) => None,
        }
    }

    /// The account's presence as the room last showed it, in this stay or at the end of the last.
    fn own(&self) -> Option<&Kept> {
        match &self.phase {
            Phase::Out(past) => past.own.as_ref(),
            Phase::Joining(joining) => joining.entry.own(),
            Phase::In(stay) => Some(stay.own.shown()),
        }
    }
}

/// Whether a stanza of a session reaches the room, so that a leave that waits has to go first (L3). A join
/// decides itself about the leave. Other presence of a session that is out does not reach the room.
fn goes_up(stanza: &Stanza) -> bool {
    match stanza.kind {
        Kind::Presence(presence_type) => presence_type == PresenceType::Probe,
        Kind::Message(message_type) => message_type != MessageType::Error,
        Kind::Iq(_) => true,
    }
}
