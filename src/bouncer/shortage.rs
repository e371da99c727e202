//! The limits on what is kept: of a room, an account, a domain and the process (R7).
//!
//! Before an event, what its room keeps is let go as far as any of them is exceeded: the oldest messages first. If these are
//! not enough, nothing more is kept of the room until there is space. What it says is passed on all the same.

use super::account::{Place, Totals};
use crate::config::{Config, limit};
use crate::event::Now;
use crate::services::Services;
use crate::xmpp::memory;

/// When it was last told of each limit that it has been reached.
#[derive(Debug, Default)]
pub(super) struct Shortages {
    told_ms: [Option<u64>; 4],
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
        place.is_short = !place.occupancy.spare(excess);
        place.waits_in_vain = place.is_short && of != Limit::Room;
        if excess > 0 {
            self.tell(now, of, place);
        }
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
