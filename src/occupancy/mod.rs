//! One account in one room, from the first join to the last stanza of the room that has to be swallowed.
//!
//! `docs/states.md` draws the phases. Each file here is one kind of thing that happens. An event finds the phase here, and
//! goes on in a method of what is there only in that phase: [`In`], [`Entering`], [`Past`]. While the account is in, small
//! machines run side by side in [`Stay`]: a check, an unanswered presence of ours, a leave that waits. After each event the
//! bouncer calls [`Occupancy::settle`].

mod alias;
mod attach;
mod base;
mod blocked;
mod bookmark;
mod check;
mod deadlines;
mod direct;
mod entry;
mod from_log;
mod gap;
mod gap_end;
mod held;
mod intake;
mod iq;
mod join;
mod joining;
mod joining_messages;
mod last;
mod leave;
mod logging;
mod membership;
mod message;
mod missed;
mod news;
mod nick;
mod notice;
mod occasion;
mod older;
mod others;
mod outbox;
mod past;
mod phase;
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
mod room_kind;
mod shown;
mod stored;
mod subscription;
mod unanswered;
mod unasked;
mod unseen;
mod upstream;
mod versions;
mod wishes;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::event::{SessionId, Verdict};
use crate::lazy::Lazy;
use crate::turn::Turn;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::muc::{Departure, asks_to_join};
use crate::xmpp::stanza::{IqType, Kept, Kind, MessageType, PresenceType, Stanza};

pub(crate) use direct::is_of_one_session;
pub(crate) use refusal::join_error;
pub(crate) use stored::{Glance, Restart};

use base::Base;
use joining::Joining;
use phase::{Ending, Entering, In, JoinEnding, Phase, Stay, StillIn, StillJoining};

/// An account's being in a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Occupancy {
    phase: Phase,
    base: Base,
}

impl Occupancy {
    /// Starts outside of the room.
    pub(crate) fn new(account: BareJid, room: BareJid) -> Self {
        Self { phase: Phase::Out(Box::default()), base: Base::new(account, room) }
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
        if let Some(verdict) = self.base.sent_directly(session, &stanza) {
            return verdict;
        }
        if self.is_foreign() && !asks_to_join(&stanza) {
            return Verdict::Pass("the account never was in the room");
        }
        if goes_up(&stanza) {
            self.send_waiting_leave(turn);
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
            Kind::Iq(IqType::Result | IqType::Error) => self.base.answer_sent(turn, session, &stanza),
        }
    }

    /// The room, or somebody in it, sent a stanza to the account.
    pub(crate) fn room_sent(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        let Some(shown) = self.base.as_shown(stanza) else { return self.take_in(turn, stanza) };
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
        self.base.note_contact(turn, stanza);
        match &mut self.phase {
            Phase::Out(past) => past.take_in(turn, stanza, &mut self.base),
            Phase::Joining(joining) => {
                let still = Entering { joining, base: &mut self.base }.take_in(turn, stanza);
                self.go_on_joining(turn, still).unwrap_or(Verdict::Handled)
            }
            Phase::In(stay) => {
                let still = In { stay, base: &mut self.base }.take_in(turn, stanza);
                self.go_on_in(turn, still).unwrap_or(Verdict::Handled)
            }
        }
    }

    /// Ends every event: notes who is attached, shows waiting sessions the room, sends the next presence and the
    /// queries for which there is space. What a session has said before its answer are events that come after it.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        loop {
            match &mut self.phase {
                Phase::Out(_) => {
                    self.end_interval(turn);
                    self.base.forget_last_session();
                }
                Phase::Joining(_) => {
                    self.base.trim_for_waiting(turn);
                }
                Phase::In(stay) => In { stay, base: &mut self.base }.settle(turn),
            }
            self.base.send_waiting_queries(turn, self.is_in());
            if !self.release_next(turn) {
                return;
            }
        }
    }

    /// Goes on after an event while the account was in. Nothing is left of it if that has ended.
    fn go_on_in<T>(&mut self, turn: &mut Turn<'_>, still: StillIn<'_, T>) -> Option<T> {
        match still {
            ControlFlow::Continue(left) => return Some(left),
            ControlFlow::Break(Ending::Lost(departure, told)) => self.lose(turn, departure, told),
            ControlFlow::Break(Ending::Abandoned(departure)) => self.lose_by_leaving(turn, departure),
            ControlFlow::Break(Ending::Left) => self.depart(turn, Departure::Left, None),
        }
        None
    }

    /// Goes on after an event while the account joined. Nothing is left of it if that has ended.
    fn go_on_joining<T>(&mut self, turn: &mut Turn<'_>, still: StillJoining<'_, T>) -> Option<T> {
        match still {
            ControlFlow::Continue(left) => return Some(left),
            ControlFlow::Break(JoinEnding::LetIn(let_in, removed_by)) => {
                self.begin_stay(turn, *let_in, removed_by);
            }
            ControlFlow::Break(JoinEnding::Created) => self.leave_created(turn),
            ControlFlow::Break(JoinEnding::Refused) => self.try_next(turn),
        }
        None
    }

    /// The only way into a phase. Of a room that the account is not in there is no copy, nor of one that has said nothing to
    /// an account that joins.
    fn enter(&mut self, phase: Phase) {
        match phase {
            Phase::Out(_) | Phase::Joining(_) => self.base.room = Lazy::default(),
            Phase::In(_) => {}
        }
        if !matches!(phase, Phase::In(_)) {
            self.base.stop_reading_log();
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
            Phase::Out(_)
                if self.base.has_directs() || self.base.queries.are_open() || self.is_inquiring() =>
            {
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
            + self.base.room_archive.cost()
            + self.base.log_cost();
        in_phase + asked + self.base.sessions.waiting_cost()
    }

    /// About how many bytes of that are of the room and are not shared with other accounts.
    pub(crate) fn waiting_cost_of_room(&self) -> usize {
        self.base.queries.questions_cost()
    }

    /// About how many bytes cost the copy of the room, the account's own presence and those of its sessions (R7).
    pub(crate) fn kept_cost(&self) -> usize {
        let own = self.stay().map_or(0, |stay| stay.own.cost());
        own + self.base.room.cost() + self.base.sessions.cost()
    }

    /// When the oldest message came that is kept of the room.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.base.room.oldest_ms()
    }

    /// So much has to be let go. Gives whether there is enough; else nothing more is kept.
    pub(crate) fn spare(&mut self, wanted: usize) -> bool {
        match self.base.room.made_mut() {
            Some(room) => room.spare(wanted),
            None => wanted == 0,
        }
    }

    /// Whether the account is in or about to be.
    pub(crate) fn is_occupied(&self) -> bool {
        !matches!(self.phase, Phase::Out(_))
    }

    /// Whether the account is in as that occupant.
    pub(crate) fn is_ourselves(&self, occupant: &str) -> bool {
        self.is_in() && Jid::new(occupant).nick().as_ref() == Some(&self.base.me.nick)
    }

    /// How many sessions are attached.
    pub(crate) fn sessions(&self) -> usize {
        self.base.sessions.len()
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

    /// Whether the account is in.
    fn is_in(&self) -> bool {
        matches!(self.phase, Phase::In(_))
    }

    /// What the account can do while it is in.
    fn inside(&mut self) -> Option<In<'_>> {
        match &mut self.phase {
            Phase::In(stay) => Some(In { stay, base: &mut self.base }),
            Phase::Out(_) | Phase::Joining(_) => None,
        }
    }

    /// What is there in every phase, and the stay if the account is in.
    fn parts(&mut self) -> (&mut Base, Option<&mut Stay>) {
        match &mut self.phase {
            Phase::In(stay) => (&mut self.base, Some(stay)),
            Phase::Out(_) | Phase::Joining(_) => (&mut self.base, None),
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
