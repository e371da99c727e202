//! What bookmarks have accounts do, and when: not at once, since a session may do it by itself, and old clients take
//! all bookmarks away and write them anew (design decisions 2, 11).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Bouncer;
use crate::bookmark::{Before, Bookmark};
use crate::config::{SECOND_MS, limit};
use crate::event::{Action, Now, Outcome, Verdict};
use crate::occupancy::Occupancy;
use crate::turn::Turn;
use crate::xmpp::jid::BareJid;

/// What the bookmarks of accounts have them do later.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Errands {
    accounts: BTreeMap<BareJid, Agenda>,
    due: BTreeSet<(u64, BareJid)>,
}

/// What the bookmarks of one account have it do.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Agenda {
    rooms: BTreeMap<BareJid, Errand>,
    /// The same in the order in which it is due.
    joins: BTreeSet<(u64, BareJid)>,
    leaves: BTreeSet<(u64, BareJid)>,
    /// When it may join the next room.
    paced_ms: u64,
    /// When it is due according to the table of all accounts.
    noted_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Errand {
    what: What,
    at_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    Join,
    Leave,
}

impl Errands {
    /// When the first is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// A session has joined, so the bookmark need not.
    pub(crate) fn cancel_join(&mut self, account: &BareJid, room: &BareJid) {
        self.change(account, |agenda| {
            if agenda.rooms.get(room).is_some_and(|errand| errand.what == What::Join) {
                agenda.remove(room);
            }
        });
    }

    /// Nothing is to be done in that room.
    fn cancel(&mut self, account: &BareJid, room: &BareJid) {
        self.change(account, |agenda| agenda.remove(room));
    }

    /// The account is gone.
    pub(crate) fn forget(&mut self, account: &BareJid) {
        self.change(account, |agenda| *agenda = Agenda { noted_ms: agenda.noted_ms, ..Agenda::default() });
    }

    fn join(&mut self, account: &BareJid, room: &BareJid, at_ms: u64) {
        self.add(account, room, What::Join, at_ms);
    }

    fn leave(&mut self, account: &BareJid, room: &BareJid, at_ms: u64) {
        self.add(account, room, What::Leave, at_ms);
    }

    /// The account is to do that, not later than it was to before.
    fn add(&mut self, account: &BareJid, room: &BareJid, what: What, at_ms: u64) {
        self.accounts.entry(account.clone()).or_default();
        self.change(account, |agenda| {
            let known = agenda.rooms.get(room).filter(|errand| errand.what == what);
            let at_ms = known.map_or(at_ms, |errand| errand.at_ms.min(at_ms));
            agenda.insert(room, Errand { what, at_ms });
        });
    }

    /// Takes all that is due; of the joins of one account the first.
    fn take_due(&mut self, now_ms: u64) -> Vec<(BareJid, BareJid, What)> {
        let is_due = |(due_ms, _): &&(u64, BareJid)| *due_ms <= now_ms;
        let accounts: Vec<_> =
            self.due.iter().take_while(is_due).map(|(_, account)| account.clone()).collect();
        let mut due = Vec::new();
        for account in accounts {
            let taken = self.change(&account, |agenda| agenda.take_due(now_ms)).unwrap_or_default();
            due.extend(taken.into_iter().map(|(room, what)| (account.clone(), room, what)));
        }
        due
    }

    /// Changes what an account is to do, and notes when it is due.
    fn change<T>(&mut self, account: &BareJid, change: impl FnOnce(&mut Agenda) -> T) -> Option<T> {
        let agenda = self.accounts.get_mut(account)?;
        let changed = change(agenda);
        let next_ms = agenda.next_ms();
        let noted_ms = std::mem::replace(&mut agenda.noted_ms, next_ms);
        if noted_ms != next_ms {
            self.due.extend(next_ms.map(|next_ms| (next_ms, account.clone())));
            if let Some(noted_ms) = noted_ms {
                self.due.remove(&(noted_ms, account.clone()));
            }
        }
        if next_ms.is_none() {
            self.accounts.remove(account);
        }
        Some(changed)
    }
}

impl Agenda {
    fn next_ms(&self) -> Option<u64> {
        let join_ms = self.joins.first().map(|(at_ms, _)| self.paced_ms.max(*at_ms));
        let leave_ms = self.leaves.first().map(|(at_ms, _)| *at_ms);
        join_ms.into_iter().chain(leave_ms).min()
    }

    fn insert(&mut self, room: &BareJid, errand: Errand) {
        self.remove(room);
        self.rooms.insert(room.clone(), errand);
        self.order_of(errand.what).insert((errand.at_ms, room.clone()));
    }

    fn remove(&mut self, room: &BareJid) {
        let Some((room, errand)) = self.rooms.remove_entry(room) else { return };
        self.order_of(errand.what).remove(&(errand.at_ms, room));
    }

    fn order_of(&mut self, what: What) -> &mut BTreeSet<(u64, BareJid)> {
        match what {
            What::Join => &mut self.joins,
            What::Leave => &mut self.leaves,
        }
    }

    fn take_due(&mut self, now_ms: u64) -> Vec<(BareJid, What)> {
        let mut taken = Vec::new();
        while let Some(room) = self.take_first(What::Leave, now_ms) {
            taken.push((room, What::Leave));
        }
        if self.paced_ms <= now_ms
            && let Some(room) = self.take_first(What::Join, now_ms)
        {
            self.paced_ms = now_ms + SECOND_MS / limit::BOOKMARK_JOINS_PER_SECOND;
            taken.push((room, What::Join));
        }
        taken
    }

    /// Takes out what is due first, if it is.
    fn take_first(&mut self, what: What, now_ms: u64) -> Option<BareJid> {
        let order = self.order_of(what);
        if order.first()?.0 > now_ms {
            return None;
        }
        let (_, room) = order.pop_first()?;
        self.rooms.remove(&room);
        Some(room)
    }
}

impl Bouncer {
    /// A bookmark was published, or taken away.
    pub(super) fn bookmark_changed(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        bookmark: Option<Bookmark>,
    ) -> Outcome {
        if let Some(bookmark) = bookmark {
            return self.bookmark_published(now, account, room, bookmark);
        }
        self.bookmark_gone(now, account, room);
        self.outcome(Verdict::Handled, Vec::new())
    }

    fn bookmark_published(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        bookmark: Bookmark,
    ) -> Outcome {
        let known = self.state.accounts.entry(account.clone()).or_default();
        let before = known.profile.bookmarks.publish(room, bookmark);
        let place = known.rooms.get(room);
        let is_in = place.is_some_and(|place| place.occupancy.is_occupied());
        let is_renamed = place.is_some_and(|place| place.occupancy.was_just_renamed(now));
        if is_in {
            return self.hold(now, account, room);
        }
        if before != Before::SameButNick || !is_renamed {
            self.join_later(now, account, room, limit::BOOKMARK_JOIN_MS);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// All bookmarks were taken away.
    pub(super) fn bookmarks_purged(&mut self, now: Now, account: &BareJid) -> Outcome {
        for room in self.bookmarked(account) {
            self.bookmark_gone(now, account, &room);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// The account logs in: it is held in the rooms of its bookmarks, and joins those that it is not in. Where it went
    /// out for good it stays out: these bookmarks were there before (B8).
    pub(super) fn logged_in(
        &mut self,
        now: Now,
        account: &BareJid,
        bookmarks: Option<Vec<(BareJid, Bookmark)>>,
    ) -> Outcome {
        let rooms = self.rooms_of(account);
        let mut actions = self.everywhere(now, rooms, |occupancy, turn| occupancy.note_login(turn)).actions;
        if let Some(bookmarks) = bookmarks {
            actions.extend(self.bookmarks_read(now, account, bookmarks));
        }
        self.outcome(Verdict::Handled, actions)
    }

    fn bookmarks_read(
        &mut self,
        now: Now,
        account: &BareJid,
        bookmarks: Vec<(BareJid, Bookmark)>,
    ) -> Vec<Action> {
        let listed: BTreeSet<&BareJid> = bookmarks.iter().map(|(room, _)| room).collect();
        for room in self.bookmarked(account).iter().filter(|room| !listed.contains(room)) {
            self.bookmark_gone(now, account, room);
        }
        let mut actions = Vec::new();
        for (room, bookmark) in bookmarks {
            let known = self.state.accounts.entry(account.clone()).or_default();
            known.profile.bookmarks.publish(&room, bookmark);
            if known.occupies(room.as_str()) {
                actions.extend(self.hold(now, account, &room).actions);
            } else if !known.ledger.has_departed(&room) {
                self.join_later(now, account, &room, limit::BOOKMARK_LOGIN_MS);
            }
        }
        actions
    }

    fn join_later(&mut self, now: Now, account: &BareJid, room: &BareJid, delay_ms: u64) {
        let known = self.state.accounts.get(account);
        if known.is_some_and(|known| known.profile.bookmarks.holds(room)) {
            self.state.errands.join(account, room, now.monotonic_ms + delay_ms);
        }
    }

    /// The rooms in which bookmarks hold the account, or would.
    fn bookmarked(&self, account: &BareJid) -> BTreeSet<BareJid> {
        let Some(known) = self.state.accounts.get(account) else { return BTreeSet::new() };
        let held = known.rooms.iter().filter(|(_, place)| place.occupancy.is_bookmarked());
        known.profile.bookmarks.rooms().chain(held.map(|(room, _)| room)).cloned().collect()
    }

    /// The account is in a room of a bookmark.
    fn hold(&mut self, now: Now, account: &BareJid, room: &BareJid) -> Outcome {
        self.state.errands.cancel(account, room);
        self.in_room(now, account, room, |occupancy, _| {
            occupancy.hold_by_bookmark();
            Verdict::Handled
        })
    }

    /// A bookmark is gone, or says that the account need not join: if it stays gone, the account leaves.
    fn bookmark_gone(&mut self, now: Now, account: &BareJid, room: &BareJid) {
        let Some(known) = self.state.accounts.get_mut(account) else { return };
        let was_listed = known.profile.bookmarks.retract(room);
        let place = known.rooms.get(room).filter(|place| place.occupancy.is_occupied());
        match place {
            Some(place) if was_listed || place.occupancy.is_bookmarked() => {
                self.state.errands.leave(account, room, now.monotonic_ms + limit::BOOKMARK_LEAVE_MS);
            }
            Some(_) => {}
            None => {
                self.state.errands.cancel(account, room);
                self.act_in(now, account, room, |occupancy, _| occupancy.stop_inquiry());
            }
        }
        self.forget_idle(account);
    }

    /// Does what bookmarks have accounts do by now.
    pub(super) fn run_errands(&mut self, now: Now) -> Vec<Action> {
        let due = self.state.errands.take_due(now.monotonic_ms);
        let mut actions = Vec::new();
        for (account, room, what) in due {
            let outcome = match what {
                What::Join => self.join_bookmarked(now, &account, &room),
                What::Leave => self.act_in(now, &account, &room, Occupancy::release_by_bookmark),
            };
            actions.extend(outcome.actions);
        }
        actions
    }

    /// The account joins a room of a bookmark, if it may.
    fn join_bookmarked(&mut self, now: Now, account: &BareJid, room: &BareJid) -> Outcome {
        let Some(known) = self.state.accounts.get(account) else { return self.pass("no such account") };
        let Some(bookmark) = known.profile.bookmarks.get(room).cloned() else {
            return self.pass("no such bookmark");
        };
        let is_left_alone = self.config.excludes(room) || self.state.services.is_direct(now, room);
        if is_left_alone || self.is_going || !self.config.autojoin {
            return self.pass("a room whose bookmark counts for sessions alone");
        }
        if known.occupies(room.as_str()) || known.is_full(&self.config) || !self.open(now, account, room) {
            log::debug!("a bookmark does not bring {account} into {room}: it is in too many rooms, or there");
            return self.pass("in too many rooms, or there");
        }
        self.act_in(now, account, room, |occupancy, turn| occupancy.inquire(turn, bookmark))
    }

    fn act_in(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        act: impl FnOnce(&mut Occupancy, &mut Turn<'_>),
    ) -> Outcome {
        self.in_room(now, account, room, |occupancy, turn| {
            act(occupancy, turn);
            Verdict::Handled
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> BareJid {
        BareJid::new(&format!("r{number}@rooms.example"))
    }

    /// When each of these joins is due, if the core is woken whenever it wants to be.
    fn joins(errands: &mut Errands) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(now_ms) = errands.next() {
            times.extend(errands.take_due(now_ms).iter().map(|_| now_ms));
        }
        times
    }

    #[test]
    fn b5_five_hundred_bookmarks_are_five_joins_a_second() {
        let [alice, bob] = ["alice@example.org", "bob@example.org"].map(BareJid::new);
        let mut errands = Errands::default();
        for number in 0..500 {
            errands.join(&alice, &room(number), 10_000);
        }
        errands.join(&bob, &room(0), 10_000);
        let times = joins(&mut errands);
        assert_eq!(times.len(), 501);
        assert_eq!(times.last(), Some(&(10_000 + 499 * 200)));
        assert_eq!(times.iter().filter(|time| **time < 11_000).count(), 5 + 1, "bob does not wait");
        assert!(errands.accounts.is_empty() && errands.due.is_empty());
    }

    #[test]
    fn b5_a_leave_is_not_paced_and_the_last_wish_counts() {
        let alice = BareJid::new("alice@example.org");
        let mut errands = Errands::default();
        for number in 0..9 {
            errands.join(&alice, &room(number), 5_000);
            errands.leave(&alice, &room(number), 1_000);
        }
        errands.cancel_join(&alice, &room(0));
        errands.cancel(&alice, &room(1));
        assert_eq!(joins(&mut errands), [1_000; 8]);
        errands.join(&alice, &room(0), 9_000);
        errands.join(&alice, &room(0), 7_000);
        errands.join(&alice, &room(0), 8_000);
        assert_eq!(joins(&mut errands), [7_000]);
        errands.join(&alice, &room(0), 9_000);
        errands.forget(&alice);
        assert_eq!(errands.next(), None);
    }
}
