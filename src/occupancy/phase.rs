//! Where the account is, and what can be done there.
//!
//! An event finds the phase once, in [`super::Occupancy`]. What happens only while the account is in are methods of
//! [`In`]; what happens while it joins are methods of [`Entering`]. Neither enters another phase: whatever ends one says
//! so by an [`Ending`] or a [`JoinEnding`], and the occupancy enters what follows.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::check::{Check, Trust};
use super::gap::Gap;
use super::held::Orphans;
use super::joining::Joining;
use super::last::Last;
use super::membership::Attendance;
use super::older::Older;
use super::outbox::Outbox;
use super::past::Past;
use super::probe::Probes;
use super::recovery::Loss;
use super::upstream::Upstream;
use crate::lazy::Lazy;
use crate::moment::Moment;
use crate::pending::backlog::Backlog;
use crate::room::own::Own;
use crate::room::request::Asked;
use crate::turn::Turn;
use crate::xmpp::muc::Departure;
use crate::xmpp::stanza::Stanza;

/// Where the account is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Not in the room.
    Out(Box<Past>),
    /// The account's join is not complete.
    Joining(Box<Joining>),
    /// In the room.
    In(Box<Stay>),
}

/// The account is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) own: Own,
    pub(super) trust: Trust,
    pub(super) check: Option<Box<Check>>,
    pub(super) upstream: Lazy<Upstream>,
    pub(super) attendance: Attendance,
    pub(super) probes: Probes,
    /// What sessions have said to everybody, and the room has not shown.
    pub(super) outbox: Lazy<Outbox>,
    /// The account is out without anybody having decided so.
    pub(super) loss: Option<Box<Loss>>,
    /// When it last was found to be out.
    pub(super) lost: Option<Moment>,
    /// Whether a bookmark holds the account in the room (design decision 2).
    pub(super) is_bookmarked: bool,
    /// When the account last logged in, as far as it is known.
    pub(super) login_ms: u64,
    /// The password with which the account joined.
    pub(super) password: Option<Box<str>>,
    /// Whether the room has not been shown to the account since a start: what is kept of it has come since.
    pub(super) is_unknown: bool,
    /// The last message that was stored before a start.
    pub(super) last: Option<Arc<Last>>,
    pub(super) gap: Gap,
    /// What came before all that is kept.
    pub(super) older: Older,
}

/// The account is in: its stay, and what is there in every phase.
#[derive(Debug)]
pub(super) struct In<'a> {
    pub(super) stay: &'a mut Stay,
    pub(super) base: &'a mut Base,
}

/// The account joins: its join, and what is there in every phase.
#[derive(Debug)]
pub(super) struct Entering<'a> {
    pub(super) joining: &'a mut Joining,
    pub(super) base: &'a mut Base,
}

/// The account is no longer in.
#[derive(Debug)]
pub(super) enum Ending<'a> {
    /// Somebody has decided so. Its sessions are told, by that stanza of the room if there is one.
    Lost(Departure, Option<&'a Stanza>),
    /// It leaves, and its sessions are told that they are out.
    Abandoned(Departure),
    /// It leaves, and nobody is attached.
    Left,
}

/// The account's join has come to an end.
#[derive(Debug)]
pub(super) enum JoinEnding<'a> {
    /// The account is in; or it was, if that stanza has removed it.
    LetIn(Box<LetIn>, Option<&'a Stanza>),
    /// It has created a room that nobody asked for.
    Created,
    /// It is not let in.
    Refused,
}

/// With what the account begins to be in.
#[derive(Debug)]
pub(super) struct LetIn {
    pub(super) stay: Box<Stay>,
    /// Messages that came before the occupants (J23).
    pub(super) early: Backlog,
    pub(super) orphans: Orphans,
    /// What the join has asked of the history.
    pub(super) asked: Asked,
}

/// What follows from an event while the account is in, unless that ends.
pub(super) type StillIn<'a, T = ()> = ControlFlow<Ending<'a>, T>;

/// What follows from an event while the account joins, unless that ends.
pub(super) type StillJoining<'a, T = ()> = ControlFlow<JoinEnding<'a>, T>;

impl Stay {
    /// About how many bytes wait for the room.
    pub(super) fn waiting_cost(&self) -> usize {
        let check = self.check.as_deref().map_or(0, Check::cost);
        let waiting = self.outbox.cost() + self.gap.cost() + self.older.cost();
        check + waiting + self.upstream.cost() + self.probes.cost() + self.attendance.cost()
    }

    /// The account's join is complete.
    pub(super) fn new(turn: &Turn<'_>, own: Own, upstream: Upstream) -> Self {
        Self {
            own,
            trust: Trust::renewed(turn),
            check: None,
            upstream: upstream.into(),
            attendance: Attendance::default(),
            probes: Probes::default(),
            outbox: Lazy::default(),
            loss: None,
            lost: None,
            is_bookmarked: false,
            login_ms: turn.now.monotonic_ms,
            password: None,
            is_unknown: false,
            last: None,
            gap: Gap::Closed,
            older: Older::default(),
        }
    }
}
