//! What is stored of a room, and the room as it is after a start: the account is in, and the room unknown
//! (design decisions 7, 12).

use std::sync::Arc;

use super::Occupancy;
use super::check::Trust;
use super::gap::Gap;
use super::last::Last;
use super::membership::Attendance;
use super::older::Older;
use super::phase::{Phase, Stay};
use super::probe::Probes;
use crate::event::Now;
use crate::intervals::Intervals;
use crate::lazy::Lazy;
use crate::push::Settings;
use crate::record::{Departed, Membership, News, Standing};
use crate::room::own::Own;
use crate::room::shown::Remembered;
use crate::sessions::is_nobody_there;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::stanza::Word;

/// As much of an occupancy as tells whether its record may have changed. To compare it costs next to nothing.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) enum Glance<'a> {
    /// The account is out.
    Out(Option<Departed>),
    /// It is not known yet whether it will be in.
    Joining,
    /// It is in.
    In {
        own_changes: u32,
        nick: &'a Nick,
        since_ms: Option<u64>,
        gap_ms: Option<i64>,
        is_bookmarked: bool,
        active_ms: Option<u64>,
        push: Settings,
        has_said: bool,
    },
}

/// What the core knows of a room that it has only read of.
pub(crate) struct Restart {
    /// Whether a bookmark holds the account.
    pub(crate) is_bookmarked: bool,
    /// Of what the account is to be notified.
    pub(crate) push: Settings,
    /// When it was in, as far as it sees the log of the room.
    pub(crate) intervals: Intervals,
    /// Until when the server was up.
    pub(crate) alive_ms: i64,
    /// Since when messages may be missing.
    pub(crate) gap_ms: i64,
}

impl Occupancy {
    /// A glance at it.
    pub(crate) fn glance(&self) -> Glance<'_> {
        match &self.phase {
            Phase::Out(past) => Glance::Out(past.departed),
            Phase::Joining(_) => Glance::Joining,
            Phase::In(stay) => Glance::In {
                own_changes: stay.own.changes().wrapping_add(self.intervals_number()),
                nick: &self.base.me.nick,
                since_ms: stay.attendance.unattended_ms(),
                gap_ms: stay.gap_since_ms(),
                is_bookmarked: stay.is_bookmarked,
                active_ms: stay.active_ms(),
                push: self.settings(),
                has_said: self.base.has_said_news(),
            },
        }
    }

    /// Since when no session is attached, if the account is in.
    pub(crate) fn unattended_ms(&self) -> Option<u64> {
        self.stay().and_then(|stay| stay.attendance.unattended_ms())
    }

    /// Since when messages may be missing, by our clock.
    pub(crate) fn gap_since_ms(&self) -> Option<i64> {
        self.stay().and_then(Stay::gap_since_ms)
    }

    /// Whether the room has not been shown to the account since a start.
    pub(crate) fn is_unknown(&self) -> bool {
        self.stay().is_some_and(|stay| stay.is_unknown)
    }

    /// Whether the account is in, and has said something that is not stored.
    pub(crate) fn has_said_news(&self) -> bool {
        self.is_in() && self.base.has_said_news()
    }

    /// When the account was last heard of, if it is in and no session is attached.
    pub(crate) fn active_ms(&self) -> Option<u64> {
        self.stay().and_then(Stay::active_ms)
    }

    /// Whether a bookmark holds the account in the room.
    pub(crate) fn is_bookmarked(&self) -> bool {
        self.stay().is_some_and(|stay| stay.is_bookmarked)
    }

    /// What is stored of it; nothing if nothing is.
    pub(crate) fn standing(&self, now: Now, with_password: bool) -> Option<Standing> {
        match &self.phase {
            Phase::Out(past) => past.departed.map(Standing::Out),
            Phase::Joining(_) => None,
            Phase::In(stay) => Some(Standing::In(Box::new(self.membership(stay, now, with_password)))),
        }
    }

    fn membership(&self, stay: &Stay, now: Now, with_password: bool) -> Membership {
        let affiliation = stay.own.affiliation();
        let last = self.base.room.history.last(&self.base.me.room);
        let before = stay.last.as_deref().cloned().unwrap_or_default();
        let since_ms = stay.attendance.unattended_ms();
        Membership {
            nick: self.base.me.nick.clone(),
            password: stay.password.clone().filter(|_| with_password),
            affiliation: affiliation.filter(|affiliation| *affiliation != "none").map(Into::into),
            occupant_id: stay.own.occupant_id().map(Into::into),
            news: News {
                detached_ms: since_ms.map(|since_ms| utc_of(now, since_ms)),
                login_ms: stay
                    .active_ms()
                    .filter(|_| stay.active_ms() > since_ms)
                    .map(|active_ms| utc_of(now, active_ms)),
                is_away: is_nobody_there(&stay.own.sent.children),
                stamp_ms: last.1.or(before.stamp_ms()),
                stanza_id: last.0.or(before.id),
                said: self.base.said(now),
            },
        }
    }

    /// The account is in a room that has only been read of.
    pub(crate) fn restored(
        account: BareJid,
        room: BareJid,
        membership: Membership,
        restart: &Restart,
        now: Now,
    ) -> Self {
        let mut restored = Self::new(account, room);
        restored.base.me.nick = membership.nick.clone();
        restored.base.restore_settings(restart.push);
        restored.base.restore_said(membership.news.said);
        restored.restore_intervals(restart.intervals.clone(), now.utc_ms);
        let detached_ms = membership.news.detached_ms.unwrap_or(restart.alive_ms);
        let own = Own::before(Remembered {
            room: restored.base.me.room.clone(),
            nick: membership.nick,
            affiliation: Word::from(membership.affiliation.as_deref().unwrap_or("none")),
            occupant_id: membership.occupant_id,
            is_away: membership.news.is_away,
        });
        let last = Last::new(membership.news.stanza_id, membership.news.stamp_ms);
        let last = (last.id.is_some() || last.stamp.is_some()).then(|| Arc::new(last));
        restored.enter(Phase::In(Box::new(Stay {
            own,
            trust: Trust::unheard(now),
            check: None,
            upstream: Lazy::default(),
            attendance: Attendance::Unattended { since_ms: monotonic_of(now, detached_ms) },
            probes: Probes::default(),
            outbox: Lazy::default(),
            loss: None,
            lost: None,
            is_bookmarked: restart.is_bookmarked,
            login_ms: membership.news.login_ms.map_or(0, |login_ms| monotonic_of(now, login_ms)),
            password: membership.password,
            is_unknown: true,
            gap: Gap::since_start(restart.gap_ms, last.as_ref()),
            last,
            older: Older::default(),
        })));
        restored
    }
}

/// The time of day at a monotonic time that has passed.
pub(super) fn utc_of(now: Now, past_ms: u64) -> i64 {
    let age_ms = now.since(past_ms);
    now.utc_ms.saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX))
}

/// The monotonic time at a time of day that has passed. A clock that was put back makes it now.
fn monotonic_of(now: Now, past_ms: i64) -> u64 {
    let age_ms = now.utc_ms.saturating_sub(past_ms);
    now.monotonic_ms.saturating_sub(u64::try_from(age_ms).unwrap_or_default())
}
