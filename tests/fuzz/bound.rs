//! What a call may cost: so much, and more for what came in, for what goes out, and for the rooms that it is about.
//!
//! What comes in may be kept, and then be moved or dropped once by a later call. So each byte that came in leaves a little
//! credit, out of which a dearer call is paid. Half of what then is left is lost: who is dear again and again has none soon.

use std::collections::BTreeMap;

use minimix_core::event::{Action, Event, Outcome};

use crate::play::cost_of;

/// A call may do so much work by itself…
const CALL: u64 = 4_000;
/// … and so much for each byte that comes in or goes out, as the core counts bytes.
const BYTE: u64 = 6;
/// … and so much for each room that it is about.
const ROOM: u64 = 1_500;
/// So much of the work that a later call does is paid for by each byte that came in.
const CREDIT: u64 = 1;
/// The same for a stanza of a room. Dearest is the account's own presence after a long history: when the session is shown
/// the room, each message is looked up among those that came before that presence.
const CREDIT_OF_ROOM: u64 = 2;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Bill {
    pub(crate) kind: &'static str,
    came: u64,
    went: u64,
    rooms: u64,
    pub(crate) work: u64,
}

/// All calls of a story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bound {
    pub(crate) calls: u64,
    /// Of all calls.
    pub(crate) work: u64,
    /// What calls have left to later ones, in bytes.
    credit: u64,
    /// Of each kind the one that used most of what it may, in percent.
    pub(crate) dearest: BTreeMap<&'static str, (u64, Bill)>,
    /// Whether nothing is too dear.
    is_only_measured: bool,
}

impl Bill {
    /// Before it happens; `rooms` is how many there are of all accounts.
    pub(crate) fn of_event(kind: &'static str, event: &Event, rooms: usize) -> Self {
        let rooms = match event {
            Event::ClientStanza { .. }
            | Event::RoomStanza { .. }
            | Event::DeliveryFailed { .. }
            | Event::AlreadyIn { .. }
            | Event::WatchChanged { .. }
            | Event::Abandoned { .. }
            | Event::BookmarkChanged { .. }
            | Event::HostLoaded { .. } => 1,
            _ => rooms as u64,
        };
        Self { kind, came: came(event), went: 0, rooms, work: 0 }
    }

    pub(crate) fn take_in(&mut self, outcome: &Outcome, work: u64) {
        self.went = outcome.actions.iter().map(went).sum();
        self.work = work;
    }

    fn may(&self) -> u64 {
        CALL + BYTE * (self.came + self.went) + ROOM * self.rooms
    }
}

impl Bound {
    pub(crate) fn new(is_only_measured: bool) -> Self {
        Self { is_only_measured, ..Self::default() }
    }

    pub(crate) fn check(&mut self, bill: Bill) {
        self.calls += 1;
        self.work += bill.work;
        let (may, credit) = (bill.may(), self.credit);
        let worth = if bill.kind == "a stanza of a room" { CREDIT_OF_ROOM } else { CREDIT };
        let percent = 100 * bill.work / (may + worth * credit);
        self.credit = match bill.work.checked_sub(may) {
            Some(more) => credit.saturating_sub(more / worth) / 2,
            None => credit + bill.came,
        };
        let kind = bill.kind;
        assert!(percent <= 100 || self.is_only_measured, "too dear - {kind}, {percent} %: {bill:?}");
        let is_dearest = self.dearest.get(bill.kind).is_none_or(|(known, _)| percent > *known);
        if is_dearest {
            self.dearest.insert(bill.kind, (percent, bill));
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        for (kind, (percent, bill)) in &other.dearest {
            if self.dearest.get(kind).is_none_or(|(known, _)| percent > known) {
                self.dearest.insert(kind, (*percent, bill.clone()));
            }
        }
    }
}

fn came(event: &Event) -> u64 {
    let bytes = match event {
        Event::ClientStanza { stanza, .. }
        | Event::RoomStanza { stanza }
        | Event::DeliveryFailed { stanza: Some(stanza), .. } => return cost_of(stanza),
        Event::BlockListChanged { blocked, .. } => blocked.len() * 100,
        Event::LoggedIn { bookmarks: Some(bookmarks), .. } => bookmarks.len() * 200,
        Event::Loaded { records, blocked, .. } => {
            records.iter().map(|(_, text)| 500 + text.len()).sum::<usize>() + blocked.len() * 100
        }
        Event::HostLoaded { text } => text.len(),
        _ => 0,
    };
    bytes as u64
}

fn went(action: &Action) -> u64 {
    let bytes = match action {
        Action::Deliver { stanza, .. } | Action::Send { stanza } | Action::SendAs { stanza, .. } => {
            return cost_of(stanza);
        }
        Action::Relay { sessions } => sessions.len() * 100,
        Action::Mirror { sessions, .. } => 100 + sessions.len() * 100,
        Action::Store { rooms, .. } => {
            rooms.iter().map(|(_, text)| 500 + text.as_ref().map_or(0, String::len)).sum()
        }
        _ => 100,
    };
    bytes as u64
}
