//! One account of ours: its rooms, and what holds in all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::storage::{Ledger, Stored};
use crate::config::{Config, limit};
use crate::occupancy::Occupancy;
use crate::profile::Profile;
use crate::xmpp::jid::BareJid;

/// An account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) rooms: BTreeMap<BareJid, Place>,
    /// How much waits in all of them (R7).
    #[serde(skip)]
    pub(crate) waiting: usize,
    /// In how many of them it is, or about to be (J25).
    #[serde(skip)]
    pub(crate) occupied: usize,
    pub(crate) profile: Profile,
    pub(crate) ledger: Ledger,
}

/// An occupancy, what is stored of it, and when it is to be woken.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) occupancy: Box<Occupancy>,
    pub(crate) stored: Stored,
    /// When the timetable will wake it.
    #[serde(skip)]
    pub(crate) noted_ms: Option<u64>,
    /// How much waited there when that was last looked at.
    #[serde(skip)]
    waiting: usize,
    /// Whether it counts as one that the account is in.
    #[serde(skip)]
    is_occupied: bool,
}

impl Account {
    /// Whether nothing of it needs to be known.
    pub(crate) fn is_idle(&self) -> bool {
        self.rooms.is_empty() && self.profile.is_blank() && self.ledger.is_empty()
    }

    /// Whether it has a push service.
    pub(crate) fn is_pushed(&self) -> bool {
        self.profile.is_pushed
    }

    /// Whether it may be in no further room (J25).
    pub(crate) fn is_full(&self, config: &Config) -> bool {
        self.occupied >= config.rooms_per_account
    }

    /// Whether it is in that room, or about to be.
    pub(crate) fn occupies(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(|place| place.occupancy.is_occupied())
    }

    /// The room that has to be forgotten before another is known: the one that was left first, if there are so
    /// many (R7). An error if none can be.
    pub(crate) fn room_to_forget(&self, config: &Config) -> Result<Option<BareJid>, ()> {
        if self.rooms.len() < config.rooms_per_account.saturating_add(limit::ROOMS_LEFT) {
            return Ok(None);
        }
        let left = self.rooms.iter().filter_map(|(room, place)| Some((place.occupancy.over_ms()?, room)));
        left.min().map(|(_, room)| Some(room.clone())).ok_or(())
    }
}

impl Place {
    /// Whether what is stored of it may have to change.
    pub(crate) fn is_changed(&self) -> bool {
        !self.stored.has_seen(&self.occupancy)
    }

    pub(crate) fn new(occupancy: Occupancy) -> Self {
        Self {
            occupancy: Box::new(occupancy),
            stored: Stored::default(),
            noted_ms: None,
            waiting: 0,
            is_occupied: false,
        }
    }

    /// Takes in how much waits there, of all that waits for the account. It is no less than before if nothing did.
    pub(crate) fn note_waiting(&mut self, waits_more: bool, in_all: &mut usize) {
        if !waits_more && self.waiting == 0 {
            return;
        }
        let waiting = self.occupancy.waiting_cost();
        let before = std::mem::replace(&mut self.waiting, waiting);
        *in_all = (*in_all + waiting).saturating_sub(before);
    }

    /// Takes in whether the account is in there, or about to be, in the number of all such rooms.
    pub(crate) fn note_occupied(&mut self, in_all: &mut usize) {
        let is_occupied = self.occupancy.is_occupied() || self.occupancy.is_inquiring();
        let before = std::mem::replace(&mut self.is_occupied, is_occupied);
        *in_all = (*in_all + usize::from(is_occupied)).saturating_sub(usize::from(before));
    }

    /// It is known no more: nothing waits there, and the account is not in.
    pub(crate) fn leave_totals(&mut self, waiting: &mut usize, occupied: &mut usize) {
        *waiting = waiting.saturating_sub(std::mem::take(&mut self.waiting));
        *occupied = occupied.saturating_sub(usize::from(std::mem::take(&mut self.is_occupied)));
    }
}
