//! One account of ours: its rooms, and what holds in all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::storage::{Ledger, Stored};
use crate::allowance::Allowance;
use crate::config::{Config, limit};
use crate::event::SessionId;
use crate::moment::Moment;
use crate::occupancy::Occupancy;
use crate::profile::Profile;
use crate::xmpp::jid::BareJid;
use crate::xmpp::memory::Charge;

/// An account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    #[serde(deserialize_with = "legible")]
    pub(crate) rooms: BTreeMap<BareJid, Box<Place>>, // boxed, because a node of the map has space for eleven
    #[serde(skip)]
    pub(crate) totals: Totals,
    pub(crate) profile: Profile,
    pub(crate) ledger: Ledger,
    #[serde(default)]
    pub(crate) allowance: Allowance,
}

/// What an account has in all its rooms.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// How much waits there (R7).
    pub(crate) waiting: usize,
    /// How much is kept there, as if nothing were shared with other accounts (R7).
    pub(crate) kept: usize,
    /// In how many the account is, or about to be (J25).
    pub(crate) occupied: usize,
}

/// An occupancy, what is stored of it, and when it is to be woken.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) occupancy: Occupancy,
    pub(crate) stored: Stored,
    /// When the timetable will wake it.
    #[serde(skip)]
    pub(crate) noted: Option<Moment>,
    /// The number of the last stream of whose end it has been told.
    #[serde(default)]
    pub(crate) told: u32,
    /// What waited there when that was last looked at: the process pays for it, and for some of it the room's domain.
    #[serde(skip)]
    pub(super) charge: Charge,
    /// How much was kept there when that was last looked at.
    #[serde(skip)]
    pub(super) kept: u32,
    /// Whether there is no space to keep more of the room.
    #[serde(skip)]
    pub(super) is_short: bool,
    /// Whether there is no space either for what would wait.
    #[serde(skip)]
    pub(super) waits_in_vain: bool,
    /// Whether it counts as one that the account is in.
    #[serde(skip)]
    is_occupied: bool,
}

/// Reads the rooms of a snapshot. One that can't be read is left out, and costs no other.
fn legible<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<BareJid, Box<Place>>, D::Error> {
    let rooms = BTreeMap::<BareJid, &RawValue>::deserialize(deserializer)?;
    let read = |(room, place): (BareJid, &RawValue)| {
        let place = serde_json::from_str(place.get());
        if place.is_err() {
            log::error!("What is known of {room} can't be read after the reload: an account is out");
        }
        Some((room, place.ok()?))
    };
    Ok(rooms.into_iter().filter_map(read).collect())
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
        self.totals.occupied >= config.rooms_per_account
    }

    /// Whether that session may join that room: it is in, or there is space for it.
    pub(crate) fn has_space(&self, room: &BareJid, session: SessionId, config: &Config) -> bool {
        let place = self.rooms.get(room).filter(|place| place.occupancy.is_occupied());
        let Some(place) = place else { return !self.is_full(config) && !self.totals.are_full(config) };
        place.occupancy.has_session(session)
            || (place.occupancy.sessions() < limit::SESSIONS && !self.totals.are_exceeded(config))
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

    /// A place for what is known since that stream, the last that has ended.
    pub(crate) fn new(occupancy: Occupancy, told: u32) -> Self {
        let charge = Charge::of(occupancy.room().domain());
        Self {
            occupancy,
            stored: Stored::default(),
            noted: None,
            told,
            charge,
            kept: 0,
            is_short: false,
            waits_in_vain: false,
            is_occupied: false,
        }
    }

    /// Takes in all that has become of it, also in the totals. What waits is no less than before if nothing did.
    pub(crate) fn note(&mut self, waits_more: bool, totals: &mut Totals) {
        if waits_more || self.charge.cost() > 0 {
            self.note_waiting(totals);
        }
        let kept = self.occupancy.kept_cost();
        totals.kept = (totals.kept + kept).saturating_sub(self.kept as usize);
        self.kept = u32::try_from(kept).unwrap_or(u32::MAX);
        let is_occupied = self.occupancy.is_occupied() || self.occupancy.is_inquiring();
        let before = std::mem::replace(&mut self.is_occupied, is_occupied);
        totals.occupied = (totals.occupied + usize::from(is_occupied)).saturating_sub(usize::from(before));
    }

    fn note_waiting(&mut self, totals: &mut Totals) {
        let (waiting, before) = (self.occupancy.waiting_cost(), self.charge.cost());
        self.charge.set(waiting, self.occupancy.waiting_cost_of_room());
        totals.waiting = (totals.waiting + waiting).saturating_sub(before);
    }

    /// How much more may wait there.
    pub(crate) fn spare(&self, totals: &Totals) -> usize {
        if self.waits_in_vain { 0 } else { limit::ACCOUNT_COST.saturating_sub(totals.waiting) }
    }

    /// It is read from a snapshot: its domain pays for what is kept there.
    pub(crate) fn restore(&mut self, totals: &mut Totals) {
        self.charge = Charge::of(self.occupancy.room().domain());
        self.note(true, totals);
    }

    /// It is known no more: nothing is kept or waits there, and the account is not in.
    pub(crate) fn leave_totals(&self, totals: &mut Totals) {
        totals.waiting = totals.waiting.saturating_sub(self.charge.cost());
        totals.kept = totals.kept.saturating_sub(self.kept as usize);
        totals.occupied = totals.occupied.saturating_sub(usize::from(self.is_occupied));
    }
}
