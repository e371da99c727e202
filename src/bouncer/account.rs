//! One account of ours: its rooms, and what holds in all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{Config, limit};
use crate::occupancy::Occupancy;
use crate::profile::Profile;
use crate::xmpp::jid::BareJid;

/// An account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) rooms: BTreeMap<BareJid, Place>,
    pub(crate) profile: Profile,
}

/// An occupancy, and when it is to be woken.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Place {
    pub(crate) occupancy: Occupancy,
    /// When the timetable will wake it.
    #[serde(skip)]
    pub(crate) noted_ms: Option<u64>,
}

impl Account {
    /// Whether nothing of it needs to be known.
    pub(crate) fn is_idle(&self) -> bool {
        self.rooms.is_empty() && self.profile == Profile::default()
    }

    /// Whether it may be in no further room (J25).
    pub(crate) fn is_full(&self, config: &Config) -> bool {
        let occupied = self.rooms.values().filter(|place| place.occupancy.is_occupied());
        occupied.count() >= config.rooms_per_account
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
    pub(crate) fn new(occupancy: Occupancy) -> Self {
        Self { occupancy, noted_ms: None }
    }
}
