//! When something of a room begins to be known for an account, and when no more.

use super::account::{Account, Place};
use super::{Bouncer, Known};
use crate::config::limit;
use crate::event::Now;
use crate::occupancy::Occupancy;
use crate::turn::Turn;
use crate::xmpp::jid::BareJid;

impl Bouncer {
    /// Makes sure that there is an occupancy of that account and room; false if there are too many.
    pub(super) fn open(&mut self, now: Now, account: &BareJid, room: &BareJid) -> bool {
        // the address is kept once for all rooms
        let known = self.state.accounts.get_key_value(account).map(|(known, _)| known.clone());
        let account = &known.unwrap_or_else(|| account.clone());
        let known = self.state.accounts.entry(account.clone()).or_default();
        if known.rooms.contains_key(room) {
            return true;
        }
        let Ok(forgotten) = known.room_to_forget(&self.config) else { return false };
        known.profile.is_pushed = self.state.pushed.contains(account);
        let mut occupancy = Occupancy::new(account.clone(), room.clone()).obeying(&known.profile.rules);
        let spare = limit::ACCOUNT_COST.saturating_sub(known.totals.waiting);
        let Known { ref mut pace, ref mut logs, ref mut kinds, ref services, .. } = self.state;
        let (shared, own) = ((&mut self.ids, pace, logs, kinds), (&known.profile, &mut known.allowance));
        let mut turn = Turn::new(now, &self.config, shared, own, services, spare);
        occupancy.note_blocked(&mut turn, &known.profile.blocked.about(room));
        occupancy.restore_intervals(known.ledger.take_intervals(room), now.utc_ms);
        let place = Place::new(occupancy, self.state.ended.last());
        known.rooms.insert(room.clone(), Box::new(place));
        self.state.services.add(account, room);
        if let Some(forgotten) = forgotten {
            self.forget(account, &forgotten);
        }
        true
    }

    /// Nothing of a room needs to be known any more.
    pub(super) fn forget(&mut self, account: &BareJid, room: &BareJid) {
        let Some(known) = self.state.accounts.get_mut(account) else { return };
        if let Some(place) = known.rooms.remove(room) {
            place.leave_totals(&mut known.totals);
            known.ledger.note_intervals(room, place.occupancy.intervals());
            self.timetable.remove(&place);
            self.shortages.forget(account, room);
            self.state.services.remove(account, room);
        }
        self.forget_idle(account);
    }

    pub(super) fn forget_idle(&mut self, account: &BareJid) {
        if self.state.accounts.get(account).is_some_and(Account::is_idle) {
            self.state.accounts.remove(account);
        }
    }
}
