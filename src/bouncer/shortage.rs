//! The limits on what is kept: of a room, an account, a domain and the process (R7).
//!
//! Before an event, what its room keeps is let go as far as any of them is exceeded: the oldest messages first. If these are
//! not enough, nothing more is kept of the room until there is space. What it says is passed on all the same.
//!
//! Where it is the process that keeps too much, another room pays: of some that are looked at, in turn, the one whose messages
//! are the oldest. It is woken, which is an event.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Bouncer;
use super::account::{Account, Place, Totals};
use crate::config::{Config, limit};
use crate::event::Now;
use crate::occupancy::Occupancy;
use crate::services::Services;
use crate::xmpp::jid::BareJid;
use crate::xmpp::memory;

/// A room pays at once for more than this part of what the process may keep.
const MOST_UNPAID: usize = 16;

/// When it was last told of each limit that it has been reached.
#[derive(Debug, Default)]
pub(super) struct Shortages {
    told_ms: [Option<u64>; 4],
    /// The room that pays for what the process keeps too much, with its account; without one that does in which something
    /// happens.
    payer: Option<(BareJid, BareJid)>,
    /// Whether that room is still to be woken. Until then no other is chosen: of two that wait, the one that is woken would not
    /// be the one that pays, and would have another chosen again, without end.
    is_awaited: bool,
    /// The last room that was looked at.
    looked_at: Option<(BareJid, BareJid)>,
    /// Whether the process keeps too much, and a room has to be found that pays for it.
    pub(super) seeks_payer: bool,
}

/// What a limit is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Limit {
    Room,
    Account,
    Domain,
    #[default]
    Process,
}

impl Place {
    /// Whether it keeps too much, or was the last time.
    pub(super) fn is_in_need(&self, totals: &Totals, config: &Config) -> bool {
        self.is_short
            || self.kept as usize > config.room_memory
            || totals.sum() > of_rooms(config.account_memory)
            || self.charge.tally().kept() > of_rooms(config.domain_memory)
            || memory::kept() > config.memory
    }
}

impl Shortages {
    /// Lets go what is too much.
    #[cold]
    pub(super) fn relieve(
        &mut self,
        now: Now,
        place: &mut Place,
        totals: &Totals,
        config: &Config,
        services: &Services,
    ) {
        let rooms = services.count_at(place.occupancy.room().domain());
        let of_domain = config.domain_memory.max(limit::DOMAIN_COST_OF_ROOM.saturating_mul(rooms));
        let excesses = [
            ((place.kept as usize).saturating_sub(config.room_memory), Limit::Room),
            (totals.sum().saturating_sub(of_rooms(config.account_memory)), Limit::Account),
            (place.charge.tally().kept().saturating_sub(of_rooms(of_domain)), Limit::Domain),
            (memory::kept().saturating_sub(config.memory), Limit::Process),
        ];
        let (excess, of) = excesses.into_iter().max_by_key(|(excess, _)| *excess).unwrap_or_default();
        let others_pay =
            of == Limit::Process && excess < config.memory / MOST_UNPAID && !self.is_payer(place);
        place.is_short = !place.occupancy.spare(if others_pay { 0 } else { excess });
        place.waits_in_vain = place.is_short && of != Limit::Room;
        self.seeks_payer |= excess > 0 && of == Limit::Process;
        if excess > 0 {
            self.tell(now, of, place);
        }
        self.is_awaited &= !self.is_payer(place);
    }

    /// That room is known no more.
    pub(super) fn forget(&mut self, account: &BareJid, room: &BareJid) {
        let payer = self.payer.as_ref();
        self.is_awaited &= payer.is_some_and(|(whose, which)| (whose, which) != (account, room));
    }

    fn is_payer(&self, place: &Place) -> bool {
        let is_this = |(account, room): &(BareJid, BareJid)| {
            account == place.occupancy.account() && room == place.occupancy.room()
        };
        self.payer.as_ref().is_none_or(is_this)
    }

    /// Logs that a limit is reached, once a minute at most.
    fn tell(&mut self, now: Now, of: Limit, place: &Place) {
        let Some(told_ms) = self.told_ms.get_mut(of as usize) else { return };
        if told_ms.is_some_and(|told_ms| now.monotonic_ms < told_ms + limit::SHORTAGE_LOG_MS) {
            return;
        }
        *told_ms = Some(now.monotonic_ms);
        let (account, room) = (place.occupancy.account(), place.occupancy.room());
        match of {
            Limit::Room => log::warn!("a room is kept in part only: minimix_room_memory is reached"),
            Limit::Account => {
                log::warn!("an account's rooms are kept in part only: minimix_account_memory is reached");
            }
            Limit::Domain => {
                log::warn!(
                    "rooms at {} are kept in part only: minimix_domain_memory is reached",
                    room.domain()
                );
            }
            Limit::Process => log::warn!("rooms are kept in part only: minimix_memory is reached"),
        }
        log::debug!("that was met by {account} in {room}");
    }
}

impl Bouncer {
    /// Finds the next room that pays for what the process keeps too much.
    #[cold]
    pub(super) fn find_payer(&mut self, now: Now) {
        self.shortages.seeks_payer = false;
        if self.shortages.is_awaited {
            return;
        }
        let after = self.shortages.looked_at.take();
        let rooms = occupancies_after(&self.state.accounts, after.as_ref()).take(limit::PAYERS);
        let known = |occupancy: &Occupancy| (occupancy.account().clone(), occupancy.room().clone());
        let seen: Vec<_> = rooms.map(|occupancy| (occupancy.oldest_ms(), known(occupancy))).collect();
        let last = seen.last().filter(|_| seen.len() == limit::PAYERS);
        self.shortages.looked_at = last.map(|(_, known)| known.clone());
        let payer = seen.into_iter().filter_map(|(oldest_ms, known)| Some((oldest_ms?, known))).min();
        self.shortages.payer = payer.map(|(_, known)| known);
        let Some((account, room)) = &self.shortages.payer else { return };
        let known = self.state.accounts.get_mut(account);
        if let Some(place) = known.and_then(|known| known.rooms.get_mut(room)) {
            self.timetable.wake(place, now.monotonic_ms);
            self.shortages.is_awaited = true;
        }
    }

    /// Those that were due have been woken. A room that had nothing to pay then is awaited no more.
    pub(super) fn note_woken(&mut self, now: Now) {
        if !self.shortages.is_awaited {
            return;
        }
        let payer = self.shortages.payer.as_ref();
        let place = payer.and_then(|(account, room)| self.state.accounts.get(account)?.rooms.get(room));
        let noted = place.and_then(|place| place.noted);
        self.shortages.is_awaited = noted.is_some_and(|noted| noted.ms() <= now.monotonic_ms);
    }
}

/// All occupancies that come after that one, or all that there are.
fn occupancies_after<'a>(
    accounts: &'a BTreeMap<BareJid, Account>,
    last: Option<&'a (BareJid, BareJid)>,
) -> impl Iterator<Item = &'a Occupancy> {
    let from = last.map_or(Bound::Unbounded, |(account, _)| Bound::Included(account));
    let known = accounts.range::<BareJid, _>((from, Bound::Unbounded)).map(|(_, known)| known);
    let all = known.flat_map(|known| known.rooms.values().map(|place| &place.occupancy));
    all.skip_while(move |occupancy| {
        last.is_some_and(|(account, room)| (occupancy.account(), occupancy.room()) <= (account, room))
    })
}

impl Totals {
    /// Whether the account keeps so much that no session may be in a further room.
    pub(super) fn are_full(&self, config: &Config) -> bool {
        self.sum() > of_rooms(config.account_memory)
    }

    /// Whether it keeps so much that no further session may be in any.
    pub(super) fn are_exceeded(&self, config: &Config) -> bool {
        self.sum() > config.account_memory
    }

    fn sum(&self) -> usize {
        self.kept + self.waiting
    }
}

/// How much of that may be what rooms say. The rest is for the occupancies themselves, and for sessions.
fn of_rooms(memory: usize) -> usize {
    memory / 4 * 3
}
