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
    looked_at: Option<LookedAt>,
    /// Whether the process keeps too much, and a room has to be found that pays for it.
    pub(super) seeks_payer: bool,
}

/// An account that has been looked at, and the last of its rooms that has; none if all have.
type LookedAt = (BareJid, Option<BareJid>);

/// What a limit is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Limit {
    #[default]
    Room,
    Account,
    Domain,
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
        ];
        let (own, own_limit) = excesses.into_iter().max_by_key(|(excess, _)| *excess).unwrap_or_default();
        let all = memory::kept().saturating_sub(config.memory);
        let others_pay = all < config.memory / MOST_UNPAID && !self.is_payer(place);
        let (wanted, of) = if others_pay || own >= all { (own, own_limit) } else { (all, Limit::Process) };
        place.is_short = !place.occupancy.spare(wanted);
        place.waits_in_vain = place.is_short && of != Limit::Room;
        self.seeks_payer |= all > 0;
        for (excess, of) in [(own, own_limit), (all, Limit::Process)] {
            if excess > 0 {
                self.tell(now, of, place);
            }
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
        let (rooms, looked_at) = look(&self.state.accounts, self.shortages.looked_at.take());
        let is_to_go_on = rooms.is_empty() && looked_at.is_some();
        self.shortages.looked_at = looked_at;
        if is_to_go_on {
            return;
        }
        let known = |occupancy: &Occupancy| (occupancy.account().clone(), occupancy.room().clone());
        let says = rooms.into_iter().filter_map(|occupancy| Some((occupancy.oldest_ms()?, occupancy)));
        let payer = says.min_by_key(|(oldest_ms, _)| *oldest_ms);
        self.shortages.payer = payer.map(|(_, occupancy)| known(occupancy));
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

/// The next rooms after those that have been looked at, and how far that is. After the last one the first comes again.
fn look(
    accounts: &BTreeMap<BareJid, Account>,
    after: Option<LookedAt>,
) -> (Vec<&Occupancy>, Option<LookedAt>) {
    let (last, last_room) = after.unzip();
    let last_room = last_room.flatten();
    let from = match (&last, &last_room) {
        (None, _) => Bound::Unbounded,
        (Some(account), None) => Bound::Excluded(account),
        (Some(account), Some(_)) => Bound::Included(account),
    };
    let mut seen = Vec::new();
    for (number, (account, known)) in (1..).zip(accounts.range::<BareJid, _>((from, Bound::Unbounded))) {
        let last_room = last_room.as_ref().filter(|_| last.as_ref() == Some(account));
        let from = last_room.map_or(Bound::Unbounded, Bound::Excluded);
        for (room, place) in known.rooms.range::<BareJid, _>((from, Bound::Unbounded)) {
            seen.push(&place.occupancy);
            if seen.len() == limit::PAYERS {
                return (seen, Some((account.clone(), Some(room.clone()))));
            }
        }
        if number == limit::PAYING_ACCOUNTS {
            return (seen, Some((account.clone(), None)));
        }
    }
    (seen, None)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// So many accounts, of which those are in so many rooms.
    fn accounts(most: usize, rooms: &[(usize, usize)]) -> BTreeMap<BareJid, Account> {
        let name = |number: usize| BareJid::new(&format!("a{number:04}@example.org"));
        let mut accounts: BTreeMap<_, _> =
            (0..most).map(|number| (name(number), Account::default())).collect();
        for (number, rooms) in rooms {
            let account = accounts.get_mut(&name(*number)).unwrap();
            for room in 0..*rooms {
                let room = BareJid::new(&format!("r{room:04}@rooms.example"));
                let occupancy = Occupancy::new(name(*number), room.clone());
                account.rooms.insert(room, Box::new(Place::new(occupancy, 0)));
            }
        }
        accounts
    }

    /// How many rooms are looked at each time, until all have been once.
    fn round(accounts: &BTreeMap<BareJid, Account>) -> Vec<usize> {
        let (mut after, mut seen, mut counts) = (None, Vec::new(), Vec::new());
        for _ in 0..100 {
            let (rooms, looked_at) = look(accounts, after);
            counts.push(rooms.len());
            seen.extend(rooms.into_iter().map(|occupancy| (occupancy.account(), occupancy.room())));
            after = looked_at;
            if after.is_none() {
                break;
            }
        }
        let all: Vec<_> = accounts
            .iter()
            .flat_map(|(account, known)| known.rooms.keys().map(move |room| (account, room)))
            .collect();
        assert_eq!(seen, all, "each once");
        counts
    }

    #[test]
    fn r7_not_too_many_accounts_are_looked_at_for_a_room_that_pays() {
        let most = limit::PAYING_ACCOUNTS;
        let known = accounts(3 * most, &[(0, 1), (most, 2), (3 * most - 1, 3)]);
        assert_eq!(round(&known), [1, 2, 3, 0]);
        assert_eq!(round(&accounts(0, &[])), [0]);
    }

    #[test]
    fn r7_not_too_many_rooms_are_looked_at_for_one_that_pays() {
        let known = accounts(4, &[(0, limit::PAYERS - 1), (1, 2 * limit::PAYERS + 1), (3, 1)]);
        assert_eq!(round(&known), [20, 20, 20, 1]);
    }

    /// A room of two that has been chosen to pay, though the process keeps no more than it may.
    fn awaited(now: Now) -> (Bouncer, [BareJid; 2]) {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        let [account, lounge, den] =
            ["alice@example.org", "lounge@rooms.example", "den@rooms.example"].map(BareJid::new);
        bouncer.open(now, &account, &lounge);
        bouncer.open(now, &account, &den);
        bouncer.shortages.payer = Some((account.clone(), lounge.clone()));
        bouncer.shortages.is_awaited = true;
        let place = bouncer.state.accounts.get_mut(&account).unwrap().rooms.get_mut(&lounge).unwrap();
        bouncer.timetable.wake(place, now.monotonic_ms);
        (bouncer, [account, lounge])
    }

    #[test]
    fn r7_a_room_that_has_nothing_to_pay_when_it_is_woken_is_awaited_no_more() {
        let now = Now { monotonic_ms: 7, utc_ms: 7 };
        let (mut bouncer, _) = awaited(now);
        bouncer.find_payer(now);
        assert!(bouncer.shortages.payer.is_some(), "it remains the one that pays");
        bouncer.wake(now);
        assert!(!bouncer.shortages.is_awaited);
    }

    #[test]
    fn r7_a_room_that_is_forgotten_is_awaited_no_more() {
        let now = Now { monotonic_ms: 7, utc_ms: 7 };
        let (mut bouncer, [account, room]) = awaited(now);
        bouncer.forget(&account, &BareJid::new("den@rooms.example"));
        assert!(bouncer.shortages.is_awaited, "another one was forgotten");
        bouncer.forget(&account, &room);
        assert!(!bouncer.shortages.is_awaited);
    }
}
