//! Events that concern more than one room: of a session, of an account, of a service or of the host.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Bouncer;
use super::account::Account;
use super::storage::Ledger;
use crate::config::{Config, limit};
use crate::event::{Action, Now, Outcome, SessionId, Verdict};
use crate::occupancy::Occupancy;
use crate::profile::{BlockList, Profile};
use crate::turn::Turn;
use crate::xmpp::jid::{BareJid, Jid};

/// How far an event has come that concerns all accounts.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The last account that has had its turn; nobody, if there is no such event or it has come to its end.
    to: Option<BareJid>,
    /// The last account that has been looked at of those that had their turn, when the module goes.
    forgotten_to: Option<BareJid>,
}

impl Bouncer {
    /// Lets every occupancy of a session's account decide.
    pub(super) fn in_all_rooms(
        &mut self,
        now: Now,
        session: SessionId,
        decide: impl FnMut(&mut Occupancy, &mut Turn<'_>),
    ) -> Outcome {
        let Some(account) = self.state.sessions.get(&session).cloned() else {
            return self.pass("a session without rooms");
        };
        self.everywhere(now, self.rooms_of(&account), decide)
    }

    pub(super) fn session_gone(&mut self, now: Now, session: SessionId) -> Outcome {
        let outcome =
            self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_ended(turn, session));
        if let Some(account) = self.state.sessions.remove(&session) {
            if let Some(known) = self.state.accounts.get_mut(&account) {
                known.profile.forget_session(session);
            }
            self.forget_idle(&account);
        }
        outcome
    }

    pub(super) fn note_watches(
        &mut self,
        session: SessionId,
        account: BareJid,
        service: BareJid,
        watches: bool,
    ) -> Outcome {
        let known = self.state.accounts.entry(account.clone()).or_default();
        known.profile.note_watches(session, service, watches);
        self.forget_idle(&account);
        self.state.sessions.insert(session, account);
        self.pass("a service may be told")
    }

    pub(super) fn note_blocked(&mut self, now: Now, account: &BareJid, blocked: Vec<Jid>) -> Outcome {
        let (rooms, blocked) = (self.rooms_of(account), BlockList::from(blocked));
        let outcome = self.everywhere(now, rooms, |occupancy, turn| {
            let about = blocked.about(occupancy.room());
            occupancy.note_blocked(turn, &about);
        });
        self.state.accounts.entry(account.clone()).or_default().profile.blocked = blocked;
        self.forget_idle(account);
        outcome
    }

    /// The rooms that the account is in are told, and those that it joins later (N10).
    pub(super) fn avatar_published(&mut self, now: Now, account: &BareJid, hash: String) -> Outcome {
        if hash.len() > limit::AVATAR_BYTES {
            return self.pass("no hash of an avatar");
        }
        self.state.accounts.entry(account.clone()).or_default().profile.avatar = Some(hash);
        self.everywhere(now, self.rooms_of(account), |occupancy, _| occupancy.look_again())
    }

    /// The account leaves its rooms, and its block list is forgotten (L8).
    pub(super) fn account_gone(&mut self, now: Now, account: &BareJid) -> Outcome {
        let outcome = self.everywhere(now, self.rooms_of(account), Occupancy::abandon_for_good);
        if let Some(known) = self.state.accounts.get_mut(account) {
            known.profile = Profile::default();
            known.ledger = Ledger::default();
        }
        self.state.errands.forget(account);
        self.state.pushed.remove(account);
        self.forget_idle(account);
        outcome
    }

    pub(super) fn configure(&mut self, now: Now, config: &Config) -> Outcome {
        self.config = config.clone();
        for place in self.state.accounts.values_mut().flat_map(|known| known.rooms.values_mut()) {
            self.timetable.note(place, config);
        }
        let excluded = self.all_rooms_where(|occupancy| config.excludes(occupancy.room()));
        self.everywhere(now, excluded, Occupancy::hand_back)
    }

    pub(super) fn wake(&mut self, now: Now) -> Outcome {
        let due = self.timetable.take_due(now.monotonic_ms);
        for (account, room) in &due {
            let known = self.state.accounts.get_mut(account);
            if let Some(place) = known.and_then(|known| known.rooms.get_mut(room)) {
                place.noted = None;
            }
        }
        let mut actions = self.everywhere(now, due, Occupancy::wake).actions;
        self.note_woken(now);
        actions.extend(self.tell_of_ended(now));
        actions.extend(self.ask_services(now));
        actions.extend(self.give_turns(now));
        actions.extend(self.run_errands(now));
        actions.extend(self.store_due(now));
        self.outcome(Verdict::Handled, actions)
    }

    /// The server stops. The accounts stay in their rooms, so these are told nothing; a leave that waits goes
    /// up, since nobody will hear whether it was a quit. That comes last, and then nothing more is sent.
    pub(super) fn shut_down(&mut self, now: Now) -> Outcome {
        let (accounts, mut actions) = (self.next_accounts(), Vec::new());
        if !self.has_more() {
            let leaving = self.all_rooms_where(Occupancy::leave_waits);
            actions = self.everywhere(now, leaving, Occupancy::send_waiting_leave).actions;
            self.state.is_stopping = true;
        }
        actions.extend(accounts.iter().filter_map(|account| self.store_all_of(now, account)));
        if !self.has_more() {
            actions.extend(self.store_the_rest(now)); // of those who had their turn before
        }
        self.outcome(Verdict::Handled, together(actions))
    }

    /// The module goes for good: every session takes over its rooms itself.
    pub(super) fn hand_back(&mut self, now: Now) -> Outcome {
        self.is_going = true;
        self.forget_handed_back();
        self.in_turn(now, Occupancy::hand_back)
    }

    /// Forgets the accounts that have had their turn: all at once would take long at the end. Those remain whose sessions
    /// are to be shown nothing of their own joins.
    fn forget_handed_back(&mut self) {
        let Some(last) = self.walk.to.as_ref() else { return };
        let from = self.walk.forgotten_to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let handed_back = self.state.accounts.range::<BareJid, _>((from, Bound::Included(last)));
        let speaks = |known: &Account| known.rooms.values().any(|place| place.occupancy.speaks_to_sessions());
        let silent = handed_back.filter(|(_, known)| !speaks(known));
        for account in silent.map(|(account, _)| account.clone()).collect::<Vec<_>>() {
            self.state.accounts.remove(&account);
        }
        self.walk.forgotten_to = self.walk.to.clone();
    }

    /// Lets all occupancies of the accounts whose turn it is decide.
    pub(super) fn in_turn(&mut self, now: Now, decide: impl FnMut(&mut Occupancy, &mut Turn<'_>)) -> Outcome {
        let rooms = self.next_accounts().iter().flat_map(|account| self.rooms_of(account)).collect();
        self.everywhere(now, rooms, decide)
    }

    /// Whether the last event concerns more accounts than it had time for: then it has to come again.
    pub fn has_more(&self) -> bool {
        self.walk.to.is_some()
    }

    /// The accounts whose turn it is, of an event that concerns all.
    fn next_accounts(&mut self) -> Vec<BareJid> {
        let (mut accounts, mut rooms) = (Vec::new(), 0);
        let walked_to = self.walk.to.take();
        let after = walked_to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        for (account, known) in self.state.accounts.range::<BareJid, _>((after, Bound::Unbounded)) {
            if rooms >= limit::LEFT {
                self.walk.to = accounts.last().cloned();
                break;
            }
            rooms += known.rooms.len().max(1);
            accounts.push(account.clone());
        }
        accounts
    }

    /// Lets those occupancies decide.
    pub(super) fn everywhere(
        &mut self,
        now: Now,
        rooms: Vec<(BareJid, BareJid)>,
        mut decide: impl FnMut(&mut Occupancy, &mut Turn<'_>),
    ) -> Outcome {
        let mut actions = Vec::new();
        for (account, room) in rooms {
            let outcome = self.in_room(now, &account, &room, |occupancy, turn| {
                decide(occupancy, turn);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
        }
        let actions = together(actions);
        self.outcome(Verdict::Handled, actions)
    }

    fn all_rooms_where(&self, is_so: impl Fn(&Occupancy) -> bool) -> Vec<(BareJid, BareJid)> {
        let places = self.state.accounts.values().flat_map(|known| known.rooms.values());
        let occupancies = places.map(|place| &place.occupancy).filter(|occupancy| is_so(occupancy));
        occupancies.map(|occupancy| (occupancy.account().clone(), occupancy.room().clone())).collect()
    }

    pub(super) fn rooms_of(&self, account: &BareJid) -> Vec<(BareJid, BareJid)> {
        let rooms = self.state.accounts.get(account).into_iter().flat_map(|known| known.rooms.keys());
        rooms.map(|room| (account.clone(), room.clone())).collect()
    }
}

/// What has to be stored at once comes first, and once for each account.
fn together(mut actions: Vec<Action>) -> Vec<Action> {
    let mut stores: BTreeMap<BareJid, BTreeMap<BareJid, Option<String>>> = BTreeMap::new();
    actions.retain_mut(|action| {
        let Action::Store { account, rooms, at_once: true } = action else { return true };
        stores.entry(account.clone()).or_default().extend(std::mem::take(rooms));
        false
    });
    let stores = stores.into_iter().map(|(account, rooms)| Action::Store {
        account,
        rooms: rooms.into_iter().collect(),
        at_once: true,
    });
    stores.chain(actions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::xmpp::stanza::Stanza;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 1_000 };

    /// Accounts that are in as many rooms each.
    fn bouncer(accounts: usize, rooms: usize) -> Bouncer {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        for number in 0..accounts {
            let account = BareJid::new(&format!("account{number}@example.org"));
            let record = r#"{"v":1,"nick":"alice"}"#.to_owned();
            let rooms =
                (0..rooms).map(|room| (BareJid::new(&format!("{room}@rooms.example")), record.clone()));
            let records = rooms.collect();
            bouncer.handle(NOW, Event::Loaded { account, records, blocked: Vec::new() });
        }
        bouncer
    }

    /// In how many calls all accounts have had their turn.
    fn calls(event: &Event, accounts: usize, rooms: usize) -> usize {
        let mut bouncer = bouncer(accounts, rooms);
        let is_over = |_: &usize| {
            bouncer.handle(NOW, event.clone());
            !bouncer.has_more()
        };
        let calls = (1..=limit::LEFT).find(is_over).unwrap();
        assert_eq!(bouncer.occupied_rooms().is_empty(), accounts == 0 || !bouncer.state.is_stopping);
        calls
    }

    #[test]
    fn h6_what_concerns_all_rooms_is_done_in_several_calls() {
        for event in [Event::ServerStopping, Event::Unloading, Event::HostGone] {
            assert_eq!(calls(&event, 0, 0), 1);
            assert_eq!(calls(&event, 3, 5), 1);
            assert_eq!(calls(&event, 4, limit::LEFT / 2), 2);
            assert_eq!(calls(&event, 5, limit::LEFT / 2), 3);
        }
    }

    #[test]
    fn h6_who_has_been_handed_back_is_forgotten_in_portions() {
        let mut bouncer = bouncer(3, limit::LEFT);
        let mut accounts = || {
            bouncer.handle(NOW, Event::Unloading);
            (bouncer.state.accounts.len(), bouncer.has_more())
        };
        let seen = [accounts(), accounts(), accounts()];
        assert_eq!(seen, [(3, true), (2, true), (1, false)]);
    }

    #[test]
    fn h6_who_joins_while_rooms_are_handed_back_joins_alone() {
        let mut bouncer = bouncer(3, limit::LEFT / 2);
        bouncer.handle(NOW, Event::Unloading);
        assert!(bouncer.has_more());
        let join = "<presence from='account0@example.org/desk' to='0@rooms.example/alice'>\
                    <x xmlns='http://jabber.org/protocol/muc'/></presence>";
        let stanza = Stanza::from_xml(join).unwrap();
        let outcome = bouncer.handle(NOW, Event::ClientStanza { session: SessionId(1), stanza });
        assert!(matches!(outcome.verdict, Verdict::Pass(_)), "{outcome:?}");
    }
}
