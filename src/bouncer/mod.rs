//! Finds the occupancy that an event is about; what happens there is decided in [`crate::occupancy`].

mod questions;
mod snapshot;
mod timetable;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::timetable::Timetable;
use crate::config::{Config, limit};
use crate::event::{Action, Event, Now, Outcome, SessionId, Verdict};
use crate::ids::Ids;
use crate::occupancy::{Occupancy, is_of_one_session, join_error};
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::{BareJid, FullJid, Jid};
use crate::xmpp::muc::asks_to_join;
use crate::xmpp::stanza::{Kept, Kind, PresenceType, Stanza};

/// All occupancies of a host. Feed it with events, in the order in which they happen, and perform each
/// outcome's actions before the next event but for those that the actions themselves cause.
#[derive(Debug)]
pub struct Bouncer {
    config: Config,
    ids: Ids,
    state: State,
    timetable: Timetable,
}

/// What survives a reload.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The rooms of each account.
    pub(crate) accounts: BTreeMap<BareJid, BTreeMap<BareJid, Occupancy>>,
    /// The account of each session that ever spoke to a room of ours.
    pub(crate) sessions: BTreeMap<SessionId, BareJid>,
    /// The services that take no accounts, and until when that is believed (design decision 1).
    pub(crate) direct_services: BTreeMap<String, u64>,
    /// The services that sessions watch for activity (XEP-0437).
    pub(crate) watched: BTreeMap<SessionId, BTreeSet<BareJid>>,
    /// Whom each account blocks, if anybody.
    pub(crate) blocked: BTreeMap<BareJid, Vec<Jid>>,
}

impl Bouncer {
    /// Starts without any occupancy; all ids come from the seed.
    pub fn new(config: Config, seed: u64) -> Self {
        Self::with_state(config, seed, State::default())
    }

    pub(crate) fn with_state(config: Config, seed: u64, state: State) -> Self {
        let mut timetable = Timetable::default();
        for (account, rooms) in &state.accounts {
            for (room, occupancy) in rooms {
                timetable.note(account, room, occupancy.deadline(&config));
            }
        }
        Self { config, ids: Ids::new(seed), state, timetable }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes in what happened and says what follows from it.
    pub fn handle(&mut self, now: Now, event: Event) -> Outcome {
        match event {
            Event::ClientStanza { session, stanza } => self.session_sent(now, session, stanza),
            Event::RoomStanza { stanza } => self.room_sent(now, stanza),
            Event::SessionUnavailable { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_hides(turn, session))
            }
            Event::Hibernated { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_hibernated(turn, session))
            }
            Event::Resumed { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_resumed(turn, session))
            }
            Event::SessionGone { session } => self.session_gone(now, session),
            Event::DeliveryFailed { session, to, from, stanza } => {
                self.delivery_failed(now, session, [&to, &from], stanza.as_ref())
            }
            Event::ServiceLost { domain } => {
                self.everywhere(now, self.rooms_at(&domain), |occupancy, _| occupancy.end_trust())
            }
            Event::AlreadyIn { session, jid, occupant } => self.already_in(now, session, &jid, &occupant),
            Event::Watches { session, service, watches } => self.note_watches(session, service, watches),
            Event::Blocks { account, blocked } => self.note_blocked(now, account, blocked),
            Event::Avatar { account, hash } => {
                self.everywhere(now, self.rooms_of(&account), |occupancy, _| {
                    occupancy.avatar_published(&hash);
                })
            }
            Event::Configured { config } => self.configure(now, &config),
            Event::Abandoned { account, room } => self.in_room(now, &account, &room, |occupancy, turn| {
                occupancy.abandon(turn);
                Verdict::Handled
            }),
            Event::Wake => self.wake(now),
            Event::AccountGone { account } => self.account_gone(now, &account),
            Event::HandBack => self.everywhere(now, self.all_rooms(), Occupancy::hand_back),
            Event::Shutdown => self.everywhere(now, self.all_rooms(), Occupancy::abandon),
        }
    }

    fn session_sent(&mut self, now: Now, session: SessionId, stanza: Stanza) -> Outcome {
        let (Some(jid), Some(room)) =
            (stanza.from.as_ref().and_then(FullJid::new), stanza.to.as_ref().map(Jid::to_bare))
        else {
            return self.pass("a stanza without addresses");
        };
        let account = jid.account();
        if let Some(reason) = self.leaves_alone(&account, &room, &stanza) {
            return self.pass(reason);
        }
        if self.is_over_limit(&account, &room, &stanza) {
            let error = Kept::without_to(join_error(StanzaError::OVER_LIMIT, &stanza, &room));
            return self.outcome(Verdict::Handled, vec![Action::Deliver { session, stanza: error }]);
        }
        let joins_itself = self.joins_itself(now, &room, &stanza);
        let hides = self.hides(session, &room, &stanza);
        if !self.open(now, &account, &room) {
            return self.pass("too many rooms");
        }
        if stanza.kind != Kind::Presence(PresenceType::Unavailable) {
            self.state.sessions.insert(session, account.clone()); // Prosody sends leaves for ended ones as well
        }
        self.in_room(now, &account, &room, |occupancy, turn| match stanza.target_nick() {
            Some(nick) if joins_itself => {
                occupancy.joins_by_itself(turn, session, jid, nick);
                Verdict::Pass("the session joins by itself")
            }
            Some(_) | None if hides => occupancy.room_hidden(turn, session, &stanza),
            Some(_) | None => occupancy.session_sent(turn, session, stanza),
        })
    }

    /// Whether a session that watches the room's service for activity leaves (L9).
    fn hides(&self, session: SessionId, room: &BareJid, stanza: &Stanza) -> bool {
        let watched = self.state.watched.get(&session);
        stanza.kind == Kind::Presence(PresenceType::Unavailable)
            && watched.is_some_and(|services| services.contains(room.domain()))
    }

    fn note_watches(&mut self, session: SessionId, service: BareJid, watches: bool) -> Outcome {
        let services = self.state.watched.entry(session).or_default();
        if !watches {
            services.remove(&service);
        } else if services.len() < limit::WATCHED_SERVICES {
            services.insert(service);
        }
        if services.is_empty() {
            self.state.watched.remove(&session);
        }
        self.pass("a service may be told")
    }

    /// Makes sure that there is an occupancy of that account and room; false if there are too many.
    fn open(&mut self, now: Now, account: &BareJid, room: &BareJid) -> bool {
        if self.knows(account.as_str(), room.as_str()) {
            return true;
        }
        if !self.has_space(account) {
            return false;
        }
        let mut occupancy = Occupancy::new(account.clone(), room.clone());
        if let Some(blocked) = self.state.blocked.get(account) {
            occupancy.note_blocked(&mut Turn::new(now, &self.config, &mut self.ids), blocked);
        }
        self.state.accounts.entry(account.clone()).or_default().insert(room.clone(), occupancy);
        true
    }

    /// Whether one more room of that account may be known; the one that it left first is forgotten for it (R7).
    fn has_space(&mut self, account: &BareJid) -> bool {
        let most = self.config.rooms_per_account.saturating_add(limit::ROOMS_LEFT);
        let Some(rooms) = self.state.accounts.get_mut(account).filter(|rooms| rooms.len() >= most) else {
            return true;
        };
        let left = rooms.iter().filter_map(|(room, occupancy)| Some((occupancy.over_ms()?, room)));
        let Some(first) = left.min().map(|(_, room)| room.clone()) else { return false };
        rooms.remove(&first);
        self.timetable.remove(account, &first);
        true
    }

    /// Why a stanza of a session is none of our business.
    fn leaves_alone(&self, account: &BareJid, room: &BareJid, stanza: &Stanza) -> Option<&'static str> {
        if self.knows(account.as_str(), room.as_str()) {
            None
        } else if !asks_to_join(stanza) {
            Some("no room of ours")
        } else {
            self.config.excludes(room).then_some("excluded by the configuration")
        }
    }

    /// Whether a join has to be the session's own (design decision 1, J28).
    fn joins_itself(&self, now: Now, room: &BareJid, stanza: &Stanza) -> bool {
        let until_ms = self.state.direct_services.get(room.domain()).copied();
        let is_direct = until_ms.is_some_and(|until_ms| now.monotonic_ms < until_ms);
        asks_to_join(stanza) && (is_direct || is_of_one_session(stanza))
    }

    /// J25: one room more than an account may have.
    fn is_over_limit(&self, account: &BareJid, room: &BareJid, stanza: &Stanza) -> bool {
        let Some(rooms) = self.state.accounts.get(account) else { return false };
        let held = || rooms.values().filter(|occupancy| occupancy.is_occupied()).count();
        asks_to_join(stanza)
            && !rooms.get(room).is_some_and(Occupancy::is_occupied)
            && held() >= self.config.rooms_per_account
    }

    fn room_sent(&mut self, now: Now, stanza: Stanza) -> Outcome {
        let (Some(account), Some(room)) =
            (stanza.to.as_ref().map(Jid::to_bare), stanza.from.as_ref().map(Jid::to_bare))
        else {
            return self.pass("a stanza without addresses");
        };
        if self.is_blocked_invitation(&stanza) {
            return self.outcome(Verdict::Handled, Vec::new());
        }
        let to_session = stanza.to.as_ref().is_some_and(|to| to.resource().is_some());
        self.in_room(now, &account, &room, |occupancy, turn| {
            if to_session {
                occupancy.room_sent_to_session(turn, &stanza)
            } else {
                occupancy.room_sent(turn, &Kept::without_to(stanza))
            }
        })
    }

    /// Lets one occupancy decide, and notes when it wants to be woken.
    fn in_room(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        decide: impl FnOnce(&mut Occupancy, &mut Turn<'_>) -> Verdict,
    ) -> Outcome {
        let mut turn = Turn::new(now, &self.config, &mut self.ids);
        let Some(rooms) = self.state.accounts.get_mut(account) else { return self.pass("no room of ours") };
        let Some(occupancy) = rooms.get_mut(room) else { return self.pass("no room of ours") };
        let verdict = decide(occupancy, &mut turn);
        occupancy.settle(&mut turn);
        let is_over = occupancy.is_over(&turn);
        let found_direct = turn.found_direct_service();
        let actions = turn.into_actions();
        if is_over {
            rooms.remove(room);
            if rooms.is_empty() {
                self.state.accounts.remove(account);
            }
            self.timetable.remove(account, room);
        } else {
            self.timetable.note(account, room, occupancy.deadline(&self.config));
        }
        if found_direct {
            self.note_direct_service(now, room);
        }
        self.outcome(verdict, actions)
    }

    fn note_direct_service(&mut self, now: Now, room: &BareJid) {
        let services = &mut self.state.direct_services;
        services.retain(|_, until_ms| now.monotonic_ms < *until_ms);
        if services.len() < limit::DIRECT_SERVICES {
            services.insert(room.domain().to_owned(), now.monotonic_ms + limit::DIRECT_MS);
        }
    }

    /// Lets every occupancy of a session's account decide.
    fn in_all_rooms(
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

    fn session_gone(&mut self, now: Now, session: SessionId) -> Outcome {
        let outcome =
            self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_ended(turn, session));
        self.state.sessions.remove(&session);
        self.state.watched.remove(&session);
        outcome
    }

    /// A stanza of a room reached no session. An error would throw the account out (L5).
    fn delivery_failed(
        &mut self,
        now: Now,
        session: Option<SessionId>,
        [to, from]: [&Jid; 2],
        stanza: Option<&Stanza>,
    ) -> Outcome {
        let (account, room) = (to.to_bare(), from.to_bare());
        self.in_room(now, &account, &room, |occupancy, turn| {
            if !occupancy.absorbs_failures(turn) {
                return Verdict::Pass("no room of ours");
            }
            if let Some(session) = session {
                occupancy.session_ended(turn, session);
            }
            if let Some(stanza) = stanza {
                occupancy.nobody_got(turn, stanza);
            }
            Verdict::Handled
        })
    }

    /// A session was in before we came. What is no room looks the same and does no harm here.
    fn already_in(&mut self, now: Now, session: SessionId, jid: &FullJid, occupant: &Jid) -> Outcome {
        let Some(nick) = occupant.nick() else { return self.pass("not an occupant") };
        let (account, room) = (jid.account(), occupant.to_bare());
        if !self.open(now, &account, &room) {
            return self.pass("too many rooms");
        }
        self.state.sessions.insert(session, account.clone());
        self.in_room(now, &account, &room, |occupancy, _| {
            if !occupancy.has_session(session) {
                occupancy.goes_direct(session, jid.clone(), nick);
            }
            Verdict::Handled
        })
    }

    fn note_blocked(&mut self, now: Now, account: BareJid, blocked: Vec<Jid>) -> Outcome {
        let rooms = self.rooms_of(&account);
        let outcome = self.everywhere(now, rooms, |occupancy, turn| occupancy.note_blocked(turn, &blocked));
        if blocked.is_empty() {
            self.state.blocked.remove(&account);
        } else {
            self.state.blocked.insert(account, blocked);
        }
        outcome
    }

    /// Its rooms are left, and nothing of it is remembered (L8).
    fn account_gone(&mut self, now: Now, account: &BareJid) -> Outcome {
        let outcome = self.everywhere(now, self.rooms_of(account), Occupancy::abandon);
        self.state.blocked.remove(account);
        outcome
    }

    fn configure(&mut self, now: Now, config: &Config) -> Outcome {
        self.config = config.clone();
        for (account, room) in self.all_rooms() {
            let deadline_ms = self
                .occupancy(account.as_str(), room.as_str())
                .and_then(|occupancy| occupancy.deadline(config));
            self.timetable.note(&account, &room, deadline_ms);
        }
        let excluded = self.all_rooms().into_iter().filter(|(_, room)| config.excludes(room)).collect();
        self.everywhere(now, excluded, Occupancy::hand_back)
    }

    fn wake(&mut self, now: Now) -> Outcome {
        let due = self.timetable.take_due(now.monotonic_ms);
        self.everywhere(now, due, Occupancy::wake)
    }

    /// Lets those occupancies decide.
    fn everywhere(
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
        self.outcome(Verdict::Handled, actions)
    }

    fn all_rooms(&self) -> Vec<(BareJid, BareJid)> {
        self.state.accounts.keys().flat_map(|account| self.rooms_of(account)).collect()
    }

    fn rooms_of(&self, account: &BareJid) -> Vec<(BareJid, BareJid)> {
        let rooms = self.state.accounts.get(account).into_iter().flat_map(BTreeMap::keys);
        rooms.map(|room| (account.clone(), room.clone())).collect()
    }

    fn pass(&self, reason: &'static str) -> Outcome {
        self.outcome(Verdict::Pass(reason), Vec::new())
    }

    fn outcome(&self, verdict: Verdict, actions: Vec<Action>) -> Outcome {
        Outcome { verdict, actions, wake_at: self.timetable.next() }
    }
}
