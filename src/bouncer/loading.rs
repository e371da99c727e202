//! What was stored is read: after a start the accounts are in their rooms, and the rooms unknown (contract, 10).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Bouncer;
use super::account::Place;
use super::storage::Stored;
use crate::config::limit;
use crate::event::{Action, Now, Outcome, SessionId, Verdict};
use crate::occupancy::{Occupancy, Restart};
use crate::record::{Carried, Membership, Record, Standing, Unreadable};
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, FullJid, Jid};

/// What is stored of the host.
#[derive(Debug, Serialize, Deserialize)]
struct HostRecord {
    v: u32,
    alive: String,
    #[serde(default)]
    direct: BTreeMap<BareJid, String>,
}

impl Bouncer {
    /// A session was in before the module was loaded. A contact looks the same, and does no harm here.
    pub(super) fn already_in(
        &mut self,
        now: Now,
        session: SessionId,
        jid: &FullJid,
        occupant: &Jid,
    ) -> Outcome {
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

    /// What is stored of the host: that it is up, and which services are direct.
    pub fn host_record(&self, now: Now) -> String {
        let direct = self.state.services.direct_until(now);
        let direct = direct.map(|(room, until_ms)| (room.clone(), delay::format(until_ms))).collect();
        let record = HostRecord { v: 1, alive: delay::format(now.utc_ms), direct };
        serde_json::to_string(&record).unwrap_or_default()
    }

    /// Takes in what is stored of the host.
    pub(super) fn host_loaded(&mut self, now: Now, text: &str) -> Outcome {
        match serde_json::from_str::<HostRecord>(text) {
            Ok(record) => {
                self.state.alive_ms = delay::parse(&record.alive);
                for (room, until) in record.direct {
                    let until_ms = delay::parse(&until).unwrap_or_default();
                    self.state.services.restore_direct(now, room, until_ms);
                }
            }
            Err(error) => log::warn!("what is stored of the host can't be read: {error}"),
        }
        self.outcome(Verdict::Handled, Vec::new())
    }

    /// Takes in what is stored of an account, with whom it blocks.
    pub(super) fn loaded(
        &mut self,
        now: Now,
        account: &BareJid,
        records: Vec<(BareJid, String)>,
        blocked: Vec<Jid>,
    ) -> Outcome {
        let blocks = self.note_blocked(now, account, blocked);
        let mut actions = blocks.actions;
        let mut excluded = Vec::new();
        for (room, text) in records {
            if self.state.accounts.get(account).is_some_and(|known| known.rooms.contains_key(&room)) {
                continue; // what happened meanwhile is newer
            }
            actions.extend(self.record_loaded(now, account, &room, &text));
            if self.config.excludes(&room) {
                excluded.push((account.clone(), room));
            }
        }
        actions.extend(self.everywhere(now, excluded, Occupancy::hand_back).actions);
        self.forget_idle(account);
        self.outcome(Verdict::Handled, actions)
    }

    fn record_loaded(&mut self, now: Now, account: &BareJid, room: &BareJid, text: &str) -> Option<Action> {
        match Record::read(text) {
            Ok(Record { standing: Standing::In(membership), carried }) => {
                self.restore_room(now, account, room, *membership, carried)
            }
            Ok(Record { standing: Standing::Out(departed), carried }) => {
                let known = self.state.accounts.entry(account.clone()).or_default();
                if let Some(rule) = carried.push().rule {
                    known.profile.rules.note(room, rule);
                }
                let oldest = known.ledger.note_departed(room.clone(), departed.at_ms, &self.config);
                known.ledger.note_intervals(room, Some(&carried.intervals));
                let oldest = oldest?;
                Some(Action::Store { account: account.clone(), rooms: vec![(oldest, None)], at_once: false })
            }
            Err(Unreadable::Newer(version)) => {
                log::warn!("a stored room is of version {version}: it is left alone");
                log::debug!("{account} in {room} is stored in version {version}");
                self.state.accounts.entry(account.clone()).or_default().ledger.note_newer(room.clone());
                None
            }
            Err(Unreadable::Broken(why)) => {
                log::warn!("a stored room can't be read: {why}");
                log::debug!("what is stored of {account} in {room} is broken");
                None
            }
        }
    }

    fn restore_room(
        &mut self,
        now: Now,
        account: &BareJid,
        room: &BareJid,
        membership: Membership,
        carried: Carried,
    ) -> Option<Action> {
        let alive_ms = self.state.alive_ms.unwrap_or(now.utc_ms);
        let down_ms = u64::try_from(now.utc_ms.saturating_sub(alive_ms)).unwrap_or_default();
        if down_ms >= limit::FORGET_LINGERING_MS {
            let is_dropped = !carried.is_bookmarked; // the rest waits for a login
            let dropped =
                Action::Store { account: account.clone(), rooms: vec![(room.clone(), None)], at_once: false };
            return is_dropped.then_some(dropped);
        }
        let is_full = self.state.accounts.get(account).is_some_and(|known| known.is_full(&self.config));
        if is_full || !self.open(now, account, room) {
            log::debug!("{account} is not brought back into {room}: it is in too many rooms");
            return None;
        }
        let gap_ms = carried.gap_ms().map_or(alive_ms, |gap_ms| gap_ms.min(alive_ms));
        let restart = Restart {
            is_bookmarked: carried.is_bookmarked,
            push: carried.push(),
            intervals: carried.intervals.clone(),
            alive_ms,
            gap_ms,
        };
        // a record without the time of a detachment is written again: the server is up, and `alive` moves on
        let is_known_since = membership.news.detached_ms.is_some();
        let restored = Occupancy::restored(account.clone(), room.clone(), membership, &restart, now);
        let since_ms = restored.unattended_ms().filter(|_| is_known_since);
        let stored = Stored::read(&restored, carried, since_ms, now, &self.config);
        let account_known = self.state.accounts.get_mut(account)?;
        let mut place = Place::new(restored, self.state.ended.last());
        place.stored = stored;
        account_known.rooms.insert(room.clone(), Box::new(place));
        self.await_turn(now, account, room);
        self.in_room(now, account, room, |occupancy, turn| {
            let about = turn.profile.blocked.about(occupancy.room());
            occupancy.note_blocked(turn, &about);
            Verdict::Handled
        });
        None
    }
}
