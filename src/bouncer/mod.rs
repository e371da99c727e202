//! Finds the account, the room or the service that an event is about; what happens in a room is decided in
//! [`crate::occupancy`].

pub(crate) mod account;
mod archive;
mod bookmarks;
mod ended;
mod everywhere;
mod loading;
mod opening;
mod push;
mod questions;
mod services;
mod shortage;
mod snapshot;
mod storage;
mod timetable;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use self::account::Account;
use self::bookmarks::Errands;
use self::ended::Ended;
use self::everywhere::Walk;
use self::questions::invites_for_blocked;
use self::services::Returning;
use self::shortage::Shortages;
use self::storage::Unstored;
use self::timetable::Timetable;
use crate::config::{Config, limit};
use crate::event::{Action, Event, Now, Outcome, SessionId, Verdict};
use crate::ids::{Ids, Seed};
use crate::occupancy::{Occupancy, is_of_one_session, join_error};
use crate::pace::Pace;
use crate::room::kinds::Kinds;
use crate::room::log::Logs;
use crate::services::Services;
use crate::trouble::Troubles;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::{BareJid, FullJid, Jid, bare_part};
use crate::xmpp::muc::asks_to_join;
use crate::xmpp::stanza::{Kept, Kind, PresenceType, Stanza};

/// All accounts of a host. Feed it with events, in the order in which they happen, and perform each outcome's
/// actions before the next event but for those that the actions themselves cause.
///
/// [`Bouncer::handle`] is the one way to change it; [`Bouncer::room_stanza`] and [`Bouncer::client_stanza`] are the
/// same for a stanza that is read only if it is ours. Everything else only asks.
#[derive(Debug)]
pub struct Bouncer {
    config: Config,
    ids: Ids,
    state: Known,
    timetable: Timetable,
    shortages: Shortages,
    walk: Walk,
    /// Whether the module goes: sessions join by themselves.
    is_going: bool,
}

/// What survives a reload.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) accounts: BTreeMap<BareJid, Account>,
    /// The account of each session that ever joined a room.
    pub(crate) sessions: BTreeMap<SessionId, BareJid>,
    pub(crate) services: Services,
    #[serde(default)]
    pub(crate) ended: Ended,
    pub(crate) pace: Pace,
    #[serde(default)]
    pub(crate) returning: Returning,
    pub(crate) unstored: Unstored,
    pub(crate) errands: Errands,
    #[serde(default)]
    pub(crate) logs: Logs,
    #[serde(default)]
    pub(crate) kinds: Kinds,
    pub(crate) pushed: BTreeSet<BareJid>, // those that have push services
    /// Until when the server was up before it started, in UTC.
    pub(crate) alive_ms: Option<i64>,
    /// Whether the server stops: rooms are sent nothing any more.
    pub(crate) is_stopping: bool,
}

impl Bouncer {
    /// Starts without any occupancy; all ids come from the seed.
    pub fn new(config: Config, seed: impl Into<Seed>) -> Self {
        let (seed, mut state) = (seed.into(), Known::default());
        state.services.troubles = Troubles::none(seed.salt());
        Self::with_state(config, seed, state)
    }

    pub(crate) fn with_state(config: Config, seed: Seed, mut state: Known) -> Self {
        let mut timetable = Timetable::default();
        for Account { rooms, totals, .. } in state.accounts.values_mut() {
            for place in rooms.values_mut() {
                timetable.note(place, &config);
                place.restore(totals);
                state.services.add(place.occupancy.account(), place.occupancy.room());
            }
        }
        let (ids, shortages) = (Ids::new(seed), Shortages::default());
        Self { config, ids, state, timetable, shortages, walk: Walk::default(), is_going: false }
    }

    pub(crate) fn state(&self) -> &Known {
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
            Event::StreamBegun { domain } => self.stream_begun(now, &domain),
            Event::StreamSettled { domain } => self.stream_settled(now, &domain),
            Event::StreamEstablished { domain, is_of_peer } => {
                self.stream_established(now, &domain, is_of_peer)
            }
            Event::ServiceLost { domain, in_peace, is_incoming } => {
                self.service_lost(now, &domain, in_peace, is_incoming)
            }
            Event::ServiceAnswered { domain, id, error } => {
                self.service_answered(now, &domain, &id, error.as_deref())
            }
            Event::AlreadyIn { session, jid, occupant } => self.already_in(now, session, &jid, &occupant),
            Event::WatchChanged { session, account, service, watches } => {
                self.note_watches(session, account, service, watches)
            }
            Event::BlockListChanged { account, blocked } => self.note_blocked(now, &account, blocked),
            Event::AvatarPublished { account, hash } => self.avatar_published(now, &account, hash),
            Event::BookmarkChanged { account, room, bookmark } => {
                self.bookmark_changed(now, &account, &room, bookmark)
            }
            Event::BookmarksPurged { account } => self.bookmarks_purged(now, &account),
            Event::LoggedIn { account, bookmarks } => self.logged_in(now, &account, bookmarks),
            Event::Pushed { accounts } => self.note_pushed(accounts),
            Event::PushChanged { account, is_pushed } => self.push_changed(account, is_pushed),
            Event::RulesRead { account, rules } => self.rules_read(now, &account, rules),
            Event::Displayed { account, room, stanza_id } => self.displayed(now, &account, &room, &stanza_id),
            Event::LogRead { account, room, id, found } => {
                self.in_room(now, &account, &room, |occupancy, turn| occupancy.log_read(turn, &id, found))
            }
            Event::LogSettled { room, id, known_as } => self.log_settled(&room, &id, &known_as),
            Event::Configured { config } => self.configure(now, &config),
            Event::Abandoned { account, room } => {
                self.everywhere(now, vec![(account, room)], Occupancy::abandon)
            }
            Event::DeadlineReached => self.wake(now),
            Event::AccountGone { account } => self.account_gone(now, &account),
            Event::Unloading => self.hand_back(now),
            Event::HostGone => self.in_turn(now, Occupancy::abandon),
            Event::HostLoaded { text } => self.host_loaded(now, &text),
            Event::Loaded { account, records, blocked } => self.loaded(now, &account, records, blocked),
            Event::ServerStopping => self.shut_down(now),
        }
    }

    /// The same as [`Event::RoomStanza`] for a stanza that is read, and the clocks with it, only if the account has
    /// to do with the room; nothing if it has not. `to_session` says that it is for a session, not the account.
    pub fn room_stanza<E>(
        &mut self,
        [account, from]: [&str; 2],
        to_session: bool,
        read: impl FnOnce() -> Result<(Now, Stanza), E>,
    ) -> Option<Result<Outcome, E>> {
        let wanted = |occupancy: &Occupancy| !to_session || occupancy.speaks_to_sessions();
        self.try_in_room([account, bare_part(from)], wanted, read, |occupancy, turn, stanza| {
            if occupancy.is_occupied() && invites_for_blocked(turn.profile, &stanza) {
                Verdict::Handled
            } else if to_session {
                occupancy.room_sent_to_session(turn, &stanza)
            } else {
                occupancy.room_sent(turn, &Kept::without_to(stanza))
            }
        })
    }

    /// The same as [`Event::ClientStanza`] for a stanza that asks for no join, and is read only if the account has
    /// to do with the room; nothing if it has not.
    pub fn client_stanza<E>(
        &mut self,
        session: SessionId,
        [account, to]: [&str; 2],
        read: impl FnOnce() -> Result<(Now, Stanza), E>,
    ) -> Option<Result<Outcome, E>> {
        self.try_in_room(
            [account, bare_part(to)],
            |_| true,
            read,
            |occupancy, turn, stanza| {
                turn.note_asked(&stanza);
                let is_leave = stanza.kind == Kind::Presence(PresenceType::Unavailable);
                if is_leave && turn.profile.watches(session, occupancy.room()) {
                    occupancy.room_hidden(turn, session, &stanza)
                } else {
                    occupancy.session_sent(turn, session, stanza)
                }
            },
        )
    }

    fn room_sent(&mut self, now: Now, stanza: Stanza) -> Outcome {
        let (Some(to), Some(from)) = (stanza.to.clone(), stanza.from.clone()) else {
            return self.pass("a stanza without addresses");
        };
        let to_session = to.resource().is_some();
        self.or_pass(|bouncer| {
            bouncer.room_stanza([to.bare(), from.as_str()], to_session, || Ok((now, stanza)))
        })
    }

    fn session_sent(&mut self, now: Now, session: SessionId, stanza: Stanza) -> Outcome {
        let (Some(jid), Some(to)) = (stanza.from.as_ref().and_then(FullJid::new), stanza.to.clone()) else {
            return self.pass("a stanza without addresses");
        };
        if asks_to_join(&stanza) {
            return self.join_asked(now, session, jid, stanza);
        }
        self.or_pass(|bouncer| {
            bouncer.client_stanza(session, [jid.as_jid().bare(), to.as_str()], || Ok((now, stanza)))
        })
    }

    fn join_asked(&mut self, now: Now, session: SessionId, jid: FullJid, join: Stanza) -> Outcome {
        let Some(room) = join.to.as_ref().map(Jid::to_bare) else { return self.pass("a join of no room") };
        let account = jid.account();
        let known = self.state.accounts.get(&account);
        if !known.is_some_and(|known| known.rooms.contains_key(&room)) && self.config.excludes(&room) {
            return self.pass("excluded by the configuration");
        }
        if self.is_going && !known.is_some_and(|known| known.occupies(room.as_str())) {
            return self.pass("the module goes");
        }
        if join.cost() > limit::JOIN_COST
            || known.is_some_and(|known| !known.has_space(&room, session, &self.config))
        {
            let error = Kept::without_to(join_error(StanzaError::OVER_LIMIT, &join, &room)); // one room too many (J25), or too much
            return self.outcome(Verdict::Handled, vec![Action::Deliver { session, stanza: error }]);
        }
        if !self.open(now, &account, &room) {
            return self.pass("too many rooms");
        }
        self.state.sessions.insert(session, account.clone());
        self.state.errands.cancel_join(&account, &room);
        let joins_itself = self.state.services.is_direct(now, &room) || is_of_one_session(&join);
        self.in_room(now, &account, &room, |occupancy, turn| match join.target_nick() {
            Some(nick) if joins_itself => {
                occupancy.joins_by_itself(turn, session, jid, nick);
                Verdict::Pass("the session joins by itself")
            }
            Some(_) | None => {
                turn.note_asked(&join);
                occupancy.session_sent(turn, session, join)
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
        let decide = |occupancy: &mut Occupancy, turn: &mut Turn<'_>, ()| decide(occupancy, turn);
        self.or_pass(|bouncer| {
            bouncer.try_in_room([account.as_str(), room.as_str()], |_| true, || Ok((now, ())), decide)
        })
    }

    fn or_pass(&mut self, happen: impl FnOnce(&mut Self) -> Option<Result<Outcome, Infallible>>) -> Outcome {
        match happen(self) {
            Some(Ok(outcome)) => outcome,
            None => self.pass("no room of ours"),
        }
    }

    /// The same for what is read only if that occupancy wants it; nothing if it does not, or if there is none.
    fn try_in_room<T, E>(
        &mut self,
        [account, room]: [&str; 2],
        wanted: impl FnOnce(&Occupancy) -> bool,
        read: impl FnOnce() -> Result<(Now, T), E>,
        decide: impl FnOnce(&mut Occupancy, &mut Turn<'_>, T) -> Verdict,
    ) -> Option<Result<Outcome, E>> {
        let Account { rooms, profile, totals, allowance, .. } = self.state.accounts.get_mut(account)?;
        let place = rooms.get_mut(room).filter(|place| wanted(&place.occupancy))?;
        let (now, read) = match read() {
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        if place.is_in_need(totals, &self.config) {
            self.shortages.relieve(now, place, totals, &self.config, &self.state.services);
        }
        let spare = place.spare(totals);
        let Known { ref mut pace, ref mut logs, ref mut kinds, ref services, .. } = self.state;
        let (shared, own) = ((&mut self.ids, pace, logs, kinds), (&*profile, allowance));
        let mut turn = Turn::new(now, &self.config, shared, own, services, spare);
        self.state.ended.tell(place, &mut turn);
        let verdict = decide(&mut place.occupancy, &mut turn, read);
        place.occupancy.settle(&mut turn);
        place.note(turn.waits_more(), totals);
        let (is_over, finding, contact) = (place.occupancy.is_over(&turn), turn.finding(), turn.contact());
        let mut actions = turn.into_actions();
        if let Some(finding) = finding {
            self.state.services.note(now, place.occupancy.room(), finding);
        }
        if self.state.is_stopping {
            actions.retain(|action| !matches!(action, Action::Send { .. } | Action::SendAs { .. }));
        }
        let is_changed = place.is_changed();
        let contact = contact.map(|contact| (contact, place.occupancy.room().clone()));
        if !is_over {
            self.timetable.note(place, &self.config);
        }
        if is_over || is_changed {
            let (account, room) = (place.occupancy.account().clone(), place.occupancy.room().clone());
            if let Some(store) = self.note_change(now, &account, &room) {
                actions.insert(0, store);
            }
            if is_over {
                self.forget(&account, &room);
            }
        }
        if let Some((contact, room)) = contact {
            self.note_contact(now, room.domain(), contact);
        }
        if self.shortages.seeks_payer {
            self.find_payer(now);
        }
        Some(Ok(self.outcome(verdict, actions)))
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
            match (session, stanza) {
                (Some(session), None) => occupancy.delivery_failed(turn, session),
                (Some(session), Some(_)) => occupancy.session_ended(turn, session),
                (None, _) => {}
            }
            if let Some(stanza) = stanza {
                occupancy.nobody_got(turn, stanza);
            }
            Verdict::Handled
        })
    }

    fn pass(&self, reason: &'static str) -> Outcome {
        self.outcome(Verdict::Pass(reason), Vec::new())
    }

    fn outcome(&self, verdict: Verdict, actions: Vec<Action>) -> Outcome {
        let services = self.state.services.troubles.next().into_iter().chain(self.state.pace.next());
        let services = services.chain(self.state.returning.next_ms());
        let services = services.filter(|_| !self.state.is_stopping); // nobody is asked any more
        let others = self.state.unstored.next().into_iter().chain(self.state.errands.next());
        let others = others.chain(self.state.ended.next_ms());
        let wake_at = self.timetable.next().into_iter().chain(others).chain(services).min();
        Outcome { verdict, actions, wake_at }
    }
}
