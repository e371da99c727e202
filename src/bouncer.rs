//! Finds the occupancy that an event is about; what happens there is decided in [`crate::occupancy`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::StanzaError;
use crate::event::{Action, Event, Now, Outcome, SessionId, Verdict};
use crate::ids::Ids;
use crate::jid::{BareJid, Jid, bare_part};
use crate::muc::asks_to_join;
use crate::occupancy::Occupancy;
use crate::stanza::Stanza;
use crate::timetable::Timetable;
use crate::turn::Turn;

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
    /// The rooms that sessions are in by themselves.
    pub(crate) direct: BTreeMap<SessionId, BTreeSet<BareJid>>,
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
            Event::ClientStanza { session, stanza } => self.from_session(now, session, stanza),
            Event::RoomStanza { stanza } => self.from_room(now, &stanza),
            Event::SessionUnavailable { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_ended(turn, session))
            }
            Event::Hibernated { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_hibernated(turn, session))
            }
            Event::Resumed { session } => {
                self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_resumed(turn, session))
            }
            Event::SessionGone { session } => self.session_gone(now, session),
            Event::DeliveryFailed { session, to, from } => self.delivery_failed(now, session, &to, &from),
            Event::AlreadyIn { session, occupant } => self.already_in(session, &occupant),
            Event::Abandoned { account, room } => self.in_room(now, &account, &room, |occupancy, turn| {
                occupancy.abandon(turn);
                Verdict::Handled
            }),
            Event::Wake => self.wake(now),
            Event::Shutdown => self.shut_down(now),
        }
    }

    /// Whether a stanza from a session has to be handed to [`Bouncer::handle`]; `joins` says that it is a
    /// presence without `type` that carries `<x xmlns='…muc'/>`.
    pub fn concerns_client(&self, _session: SessionId, account: &str, to: &str, joins: bool) -> bool {
        joins || self.knows(account, to)
    }

    /// Whether a stanza to an account has to be handed to [`Bouncer::handle`].
    pub fn concerns_account(&self, account: &str, from: &str) -> bool {
        self.knows(account, from)
    }

    /// Whether the account is in that room, or about to be.
    pub fn occupies(&self, account: &str, room: &str) -> bool {
        let rooms = self.state.accounts.get(account);
        rooms.and_then(|rooms| rooms.get(bare_part(room))).is_some_and(Occupancy::is_held)
    }

    fn knows(&self, account: &str, room: &str) -> bool {
        self.state.accounts.get(account).is_some_and(|rooms| rooms.contains_key(bare_part(room)))
    }

    fn from_session(&mut self, now: Now, session: SessionId, stanza: Stanza) -> Outcome {
        let (Some(account), Some(room)) =
            (stanza.from.as_ref().map(Jid::to_bare), stanza.to.as_ref().map(Jid::to_bare))
        else {
            return self.pass("a stanza without addresses");
        };
        if let Some(reason) = self.leaves_alone(session, &account, &room, &stanza) {
            return self.pass(reason);
        }
        if self.is_over_limit(&account, &room, &stanza) {
            let actions = vec![Action::Reply { error: StanzaError::OVER_LIMIT, by: room }];
            return self.outcome(Verdict::Handled, actions);
        }
        self.state.sessions.insert(session, account.clone());
        let rooms = self.state.accounts.entry(account.clone()).or_default();
        rooms.entry(room.clone()).or_insert_with(|| Occupancy::new(account.clone(), room.clone()));
        self.in_room(now, &account, &room, |occupancy, turn| occupancy.from_session(turn, session, stanza))
    }

    /// Why a stanza of a session is none of our business.
    fn leaves_alone(
        &mut self,
        session: SessionId,
        account: &BareJid,
        room: &BareJid,
        stanza: &Stanza,
    ) -> Option<&'static str> {
        if self.is_direct(session, room, stanza) {
            return Some("the session is in by itself");
        }
        if self.knows(account.as_str(), room.as_str()) {
            return None;
        }
        if !asks_to_join(stanza) {
            return Some("no room of ours");
        }
        self.config.excludes(room).then_some("excluded by the configuration")
    }

    /// Whether the session is in that room by itself; its leave ends that.
    fn is_direct(&mut self, session: SessionId, room: &BareJid, stanza: &Stanza) -> bool {
        let Some(rooms) = self.state.direct.get_mut(&session) else { return false };
        let leaves = stanza.kind == crate::stanza::Kind::Presence(crate::stanza::PresenceType::Unavailable);
        if leaves { rooms.remove(room) } else { rooms.contains(room) }
    }

    /// J25: one room more than an account may have.
    fn is_over_limit(&self, account: &BareJid, room: &BareJid, stanza: &Stanza) -> bool {
        let Some(rooms) = self.state.accounts.get(account) else { return false };
        let held = rooms.values().filter(|occupancy| occupancy.is_held()).count();
        held >= self.config.rooms_per_account
            && asks_to_join(stanza)
            && !rooms.get(room).is_some_and(Occupancy::is_held)
    }

    fn from_room(&mut self, now: Now, stanza: &Stanza) -> Outcome {
        let (Some(account), Some(room)) =
            (stanza.to.as_ref().map(Jid::to_bare), stanza.from.as_ref().map(Jid::to_bare))
        else {
            return self.pass("a stanza without addresses");
        };
        self.in_room(now, &account, &room, |occupancy, turn| occupancy.from_room(turn, stanza))
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
        let is_over = occupancy.is_over(&turn);
        let actions = turn.into_actions();
        if is_over {
            rooms.remove(room);
            if rooms.is_empty() {
                self.state.accounts.remove(account);
            }
        } else {
            self.timetable.note(account, room, occupancy.deadline(&self.config));
        }
        self.outcome(verdict, actions)
    }

    /// Lets every occupancy of a session's account decide.
    fn in_all_rooms(
        &mut self,
        now: Now,
        session: SessionId,
        mut decide: impl FnMut(&mut Occupancy, &mut Turn<'_>),
    ) -> Outcome {
        let Some(account) = self.state.sessions.get(&session).cloned() else {
            return self.pass("a session without rooms");
        };
        let rooms: Vec<BareJid> =
            self.state.accounts.get(&account).into_iter().flat_map(|rooms| rooms.keys().cloned()).collect();
        let mut actions = Vec::new();
        for room in rooms {
            let outcome = self.in_room(now, &account, &room, |occupancy, turn| {
                decide(occupancy, turn);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
        }
        self.outcome(Verdict::Handled, actions)
    }

    fn session_gone(&mut self, now: Now, session: SessionId) -> Outcome {
        let outcome =
            self.in_all_rooms(now, session, |occupancy, turn| occupancy.session_ended(turn, session));
        self.state.sessions.remove(&session);
        self.state.direct.remove(&session);
        outcome
    }

    /// A stanza of a room reached no session. An error would throw the account out (L5).
    fn delivery_failed(&mut self, now: Now, session: Option<SessionId>, to: &Jid, from: &Jid) -> Outcome {
        let (account, room) = (to.to_bare(), from.to_bare());
        self.in_room(now, &account, &room, |occupancy, turn| {
            if !occupancy.absorbs_failures(turn) {
                return Verdict::Pass("no room of ours");
            }
            if let Some(session) = session {
                occupancy.session_ended(turn, session);
            }
            Verdict::Handled
        })
    }

    fn already_in(&mut self, session: SessionId, occupant: &Jid) -> Outcome {
        let room = occupant.to_bare();
        let attached = self.state.accounts.values().filter_map(|rooms| rooms.get(&room));
        let is_attached = attached.into_iter().any(|occupancy| occupancy.has_session(session));
        if !is_attached && occupant.resource().is_some() {
            self.state.direct.entry(session).or_default().insert(room);
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    fn wake(&mut self, now: Now) -> Outcome {
        let mut actions = Vec::new();
        for (account, room) in self.timetable.take_due(now.monotonic_ms) {
            let outcome = self.in_room(now, &account, &room, |occupancy, turn| {
                occupancy.wake(turn);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
        }
        self.outcome(Verdict::Handled, actions)
    }

    fn shut_down(&mut self, now: Now) -> Outcome {
        let rooms = self
            .state
            .accounts
            .iter()
            .flat_map(|(account, rooms)| rooms.keys().map(move |room| (account.clone(), room.clone())));
        let rooms: Vec<_> = rooms.collect();
        let mut actions = Vec::new();
        for (account, room) in rooms {
            let outcome = self.in_room(now, &account, &room, |occupancy, turn| {
                occupancy.abandon(turn);
                Verdict::Handled
            });
            actions.extend(outcome.actions);
        }
        self.outcome(Verdict::Handled, actions)
    }

    fn pass(&self, reason: &'static str) -> Outcome {
        self.outcome(Verdict::Pass(reason), Vec::new())
    }

    fn outcome(&self, verdict: Verdict, actions: Vec<Action>) -> Outcome {
        Outcome { verdict, actions, wake_at: self.timetable.next() }
    }
}
