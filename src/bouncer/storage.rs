//! What is stored of the accounts, and when: a leave or a removal before anything else, all other changes a little
//! later and together (design decision 12).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use super::Bouncer;
use super::account::Place;
use crate::config::{Config, limit};
use crate::event::{Action, Now};
use crate::intervals::Intervals;
use crate::moment::{Moment, Stamp};
use crate::occupancy::{Glance, Occupancy};
use crate::record::{Carried, Record, Standing};
use crate::xmpp::jid::BareJid;

/// What the store has of a room.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// A glance at the occupancy when it was last compared, as a number.
    #[serde(skip)]
    seen: Option<NonZeroU64>,
    /// The essence of the record, as a number; nothing if there is no record.
    essence: Option<NonZeroU64>,
    /// Since when, according to the record, no session is attached.
    since: Option<Moment>,
    /// Since when, according to the record, messages are missing.
    gap: Option<Stamp>,
    /// When, according to the record, the account was last heard of.
    active: Option<Moment>,
    /// What has to survive as it is.
    carried: Option<Box<Carried>>,
}

/// When a change has to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Never,
    Within(u64),
    AtOnce,
}

/// Which rooms of an account have records without an occupancy.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The rooms that the account went out of for good, and when.
    departed: BTreeMap<BareJid, i64>,
    /// When it was in those of them, as far as it sees their logs.
    #[serde(default)]
    intervals: BTreeMap<BareJid, Intervals>,
    /// The rooms whose records a later version has written. They are left alone.
    newer: BTreeSet<BareJid>,
}

/// Which accounts have changes that are not stored yet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Unstored {
    rooms: BTreeMap<BareJid, Pending>,
    due: BTreeSet<(u64, BareJid)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    due_ms: u64,
    rooms: BTreeSet<BareJid>,
}

impl Stored {
    /// As it is right after its record was read.
    pub(crate) fn read(
        occupancy: &Occupancy,
        carried: Carried,
        since_ms: Option<u64>,
        now: Now,
        config: &Config,
    ) -> Self {
        let active = since_ms.and(occupancy.active_ms()).map(Moment::at);
        let since = since_ms.map(Moment::at);
        let mut stored = Self { since, gap: carried.gap_ms().map(Stamp::at), active, ..Self::default() };
        let unknown = carried.unknown_to_occupancy();
        stored.carried = (unknown != Carried::default()).then(|| Box::new(unknown));
        stored.essence = stored.record(occupancy, now, config).as_ref().map(essence);
        stored
    }

    /// Whether the occupancy is as it was when it was last compared.
    pub(crate) fn has_seen(&self, occupancy: &Occupancy) -> bool {
        self.seen == Some(number_of(&occupancy.glance()))
    }

    fn compare(&mut self, occupancy: &Occupancy, now: Now, config: &Config) -> Due {
        let glance = occupancy.glance();
        let due = self.due(&glance, occupancy, now, config);
        self.seen = Some(number_of(&glance));
        due
    }

    fn due(&self, glance: &Glance<'_>, occupancy: &Occupancy, now: Now, config: &Config) -> Due {
        let is_changed = || self.record(occupancy, now, config).as_ref().map(essence) != self.essence;
        match glance {
            Glance::Out(_) if is_changed() => Due::AtOnce,
            Glance::In { .. } if is_changed() => Due::Within(limit::STORE_MS),
            Glance::In { gap_ms, .. } if gap_ms.map(Stamp::at) != self.gap && !occupancy.is_unknown() => {
                Due::Within(limit::STORE_MS)
            }
            Glance::In { since_ms, .. } if since_ms.map(Moment::at) != self.since => {
                Due::Within(limit::STORE_DETACHED_MS)
            }
            Glance::In { active_ms, has_said, .. } if *has_said || self.is_long_ago(*active_ms) => {
                Due::Within(limit::STORE_DETACHED_MS)
            }
            Glance::In { gap_ms, .. } if gap_ms.map(Stamp::at) != self.gap => {
                let record = self.record(occupancy, now, config);
                let is_news = self.is_gap_news(occupancy, record.as_ref());
                if is_news { Due::Within(limit::STORE_DETACHED_MS) } else { Due::Never }
            }
            Glance::Out(_) | Glance::Joining | Glance::In { .. } => Due::Never,
        }
    }

    /// Whether the record has to tell since when messages are missing. Each start opens a gap in each room: as long as
    /// nobody has looked at the room, those are missing that came after the last known one.
    fn is_gap_news(&self, occupancy: &Occupancy, record: Option<&Record>) -> bool {
        let is_told = occupancy.is_unknown() && record.is_some_and(Record::knows_last);
        occupancy.gap_since_ms().map(Stamp::at) != self.gap && !is_told
    }

    /// Whether the account was heard of long after the record says.
    fn is_long_ago(&self, active_ms: Option<u64>) -> bool {
        let stored_ms = self.active.map(Moment::ms).unwrap_or_default();
        active_ms.is_some_and(|active_ms| active_ms.saturating_sub(stored_ms) >= limit::STORE_LOGIN_MS)
    }

    fn record(&self, occupancy: &Occupancy, now: Now, config: &Config) -> Option<Record> {
        let standing = occupancy.standing(now, config.store_passwords)?;
        let mut carried = self.carried.as_deref().cloned().unwrap_or_default();
        carried.is_bookmarked = occupancy.is_bookmarked();
        carried.set_gap(occupancy.gap_since_ms());
        carried.set_push(occupancy.settings());
        carried.intervals = occupancy.intervals().cloned().unwrap_or_default();
        Some(Record { standing, carried })
    }

    /// Takes in that this record is stored; false if the store has it.
    fn note_stored(&mut self, occupancy: &Occupancy, record: Option<&Record>) -> bool {
        if matches!(occupancy.glance(), Glance::Joining) {
            return false; // until it is known whether that join succeeds
        }
        let (essence, since) = (record.map(essence), occupancy.unattended_ms().map(Moment::at));
        let (active_ms, gap_ms) = (occupancy.active_ms(), occupancy.gap_since_ms());
        let is_news = since != self.since || occupancy.has_said_news() || self.is_gap_news(occupancy, record);
        let is_new = essence != self.essence || is_news || self.is_long_ago(active_ms);
        (self.essence, self.since) = (essence, since);
        (self.gap, self.active) = (gap_ms.map(Stamp::at), active_ms.map(Moment::at));
        is_new
    }
}

/// A glance as a number, so that it takes little space.
fn number_of(glance: &Glance<'_>) -> NonZeroU64 {
    let mut hasher = FxHasher::default();
    glance.hash(&mut hasher);
    number(&hasher)
}

fn number(hasher: &FxHasher) -> NonZeroU64 {
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

impl Ledger {
    pub(crate) fn is_empty(&self) -> bool {
        self.departed.is_empty() && self.newer.is_empty()
    }

    /// Whether the account is out of that room for good.
    pub(crate) fn has_departed(&self, room: &BareJid) -> bool {
        self.departed.contains_key(room)
    }

    /// A later version has written that record.
    pub(crate) fn note_newer(&mut self, room: BareJid) {
        self.newer.insert(room);
    }

    /// The account sees that much of the log of a room that it went out of for good.
    pub(crate) fn note_intervals(&mut self, room: &BareJid, intervals: Option<&Intervals>) {
        if let Some(intervals) =
            intervals.filter(|intervals| !intervals.is_empty() && self.has_departed(room))
        {
            self.intervals.insert(room.clone(), intervals.clone());
        }
    }

    /// The account is about to be in that room again.
    pub(crate) fn take_intervals(&mut self, room: &BareJid) -> Intervals {
        self.intervals.remove(room).unwrap_or_default()
    }

    /// When the account was in the rooms that it went out of for good, as far as it sees their logs.
    pub(crate) fn intervals(&self) -> &BTreeMap<BareJid, Intervals> {
        &self.intervals
    }

    /// The account went out of that room for good. Gives the room whose record has to go: the oldest, if there are too
    /// many.
    pub(crate) fn note_departed(&mut self, room: BareJid, at_ms: i64, config: &Config) -> Option<BareJid> {
        self.departed.insert(room, at_ms);
        let most = config.rooms_per_account.saturating_mul(limit::DEPARTURES_PER_ROOM);
        if self.departed.len() <= most {
            return None;
        }
        let oldest = self.departed.iter().min_by_key(|(_, at_ms)| **at_ms).map(|(room, _)| room.clone())?;
        self.departed.remove(&oldest);
        self.intervals.remove(&oldest);
        Some(oldest)
    }
}

impl Unstored {
    /// When the first change has to be stored.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    fn note(&mut self, account: &BareJid, room: &BareJid, due_ms: u64) {
        let pending = self.rooms.entry(account.clone()).or_insert_with(|| {
            self.due.insert((due_ms, account.clone()));
            Pending { due_ms, rooms: BTreeSet::new() }
        });
        if due_ms < pending.due_ms {
            self.due.remove(&(pending.due_ms, account.clone()));
            self.due.insert((due_ms, account.clone()));
            pending.due_ms = due_ms;
        }
        pending.rooms.insert(room.clone());
    }

    /// Takes what waits of an account: it is stored with what has to be stored at once.
    fn take(&mut self, account: &BareJid) -> BTreeSet<BareJid> {
        let Some(pending) = self.rooms.remove(account) else { return BTreeSet::new() };
        self.due.remove(&(pending.due_ms, account.clone()));
        pending.rooms
    }

    fn take_due(&mut self, now_ms: u64) -> Vec<BareJid> {
        let is_due = |(due_ms, _): &&(u64, BareJid)| *due_ms <= now_ms;
        self.due.iter().take_while(is_due).map(|(_, account)| account.clone()).collect()
    }
}

impl Bouncer {
    /// Something has happened in a room: what is stored of it may have to change. Gives what has to be stored before
    /// anything that follows.
    pub(super) fn note_change(&mut self, now: Now, account: &BareJid, room: &BareJid) -> Option<Action> {
        let known = self.state.accounts.get_mut(account)?;
        let Place { occupancy, stored, .. } = &mut **known.rooms.get_mut(room)?;
        match stored.compare(occupancy, now, &self.config) {
            Due::Never => None,
            Due::Within(patience_ms) => {
                self.state.unstored.note(account, room, now.monotonic_ms.saturating_add(patience_ms));
                None
            }
            Due::AtOnce => {
                self.state.unstored.note(account, room, now.monotonic_ms);
                self.store(now, account, true)
            }
        }
    }

    /// Stores what has to be stored by now.
    pub(super) fn store_due(&mut self, now: Now) -> Vec<Action> {
        let due = self.state.unstored.take_due(now.monotonic_ms);
        due.iter().filter_map(|account| self.store(now, account, false)).collect()
    }

    /// Stores everything of an account that has changed, also what could wait.
    pub(super) fn store_all_of(&mut self, now: Now, account: &BareJid) -> Option<Action> {
        for (account, room) in self.rooms_of(account) {
            self.state.unstored.note(&account, &room, now.monotonic_ms);
        }
        self.store(now, account, false)
    }

    /// Stores everything that waits to be stored.
    pub(super) fn store_the_rest(&mut self, now: Now) -> Vec<Action> {
        let accounts: Vec<BareJid> = self.state.unstored.rooms.keys().cloned().collect();
        accounts.iter().filter_map(|account| self.store(now, account, false)).collect()
    }

    /// Stores all that has changed of an account.
    fn store(&mut self, now: Now, account: &BareJid, at_once: bool) -> Option<Action> {
        let mut rooms = BTreeMap::new();
        for room in self.state.unstored.take(account) {
            let Some(known) = self.state.accounts.get_mut(account) else { break };
            let Some(place) = known.rooms.get_mut(&room) else { continue };
            let Place { occupancy, stored, .. } = &mut **place;
            let record = stored.record(occupancy, now, &self.config);
            if !stored.note_stored(occupancy, record.as_ref()) {
                continue;
            }
            if occupancy.note_said_stored() {
                stored.seen = None;
            }
            known.ledger.departed.remove(&room);
            known.ledger.intervals.remove(&room); // the occupancy knows them
            if let Some(Record { standing: Standing::Out(departed), carried }) = &record {
                let oldest = known.ledger.note_departed(room.clone(), departed.at_ms, &self.config);
                known.ledger.note_intervals(&room, Some(&carried.intervals));
                rooms.extend(oldest.map(|oldest| (oldest, None)));
            }
            rooms.insert(room, record.as_ref().map(Record::write));
        }
        let newer = self.state.accounts.get(account).map(|known| &known.ledger.newer);
        rooms.retain(|room, _| !newer.is_some_and(|newer| newer.contains(room)));
        let rooms: Vec<_> = rooms.into_iter().collect();
        (!rooms.is_empty()).then(|| Action::Store { account: account.clone(), rooms, at_once })
    }
}

fn essence(record: &Record) -> NonZeroU64 {
    let mut hasher = FxHasher::default();
    hasher.write(record.essence().as_bytes());
    number(&hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_departures_go() {
        let config = Config { rooms_per_account: 1, ..Config::default() };
        let mut ledger = Ledger::default();
        let most = i64::try_from(limit::DEPARTURES_PER_ROOM).unwrap();
        let room = |number: i64| BareJid::new(&format!("room{number}@rooms.example"));
        for number in 0..most {
            assert_eq!(ledger.note_departed(room(number), 100 - number, &config), None);
        }
        assert_eq!(ledger.note_departed(room(most), 1_000, &config), Some(room(most - 1)));
        assert_eq!(ledger.departed.len(), limit::DEPARTURES_PER_ROOM);
    }

    #[test]
    fn the_changes_of_an_account_are_stored_together_and_as_early_as_the_first() {
        let [alice, den, lounge] =
            ["alice@example.org", "den@rooms.example", "lounge@rooms.example"].map(BareJid::new);
        let mut unstored = Unstored::default();
        unstored.note(&alice, &den, 9_000);
        unstored.note(&alice, &lounge, 5_000);
        unstored.note(&alice, &den, 20_000);
        assert_eq!(unstored.next(), Some(5_000));
        assert!(unstored.take_due(4_999).is_empty());
        assert!(unstored.take_due(5_000).contains(&alice));
        assert_eq!(unstored.take(&alice).len(), 2);
        assert_eq!((unstored.next(), unstored.take(&alice).len()), (None, 0));
    }
}
