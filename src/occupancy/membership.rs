//! Why the account stays in a room: a session is attached, or was a short time ago (design decision 2).

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::phase::{In, Phase, Stay};
use crate::config::{Config, limit};
use crate::event::SessionId;
use crate::pending::backlog::Backlog;
use crate::sessions::is_nobody_there;
use crate::turn::Turn;
use crate::xmpp::stanza::{Kept, Stanza};

/// Whether anybody is in the room through the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Attendance {
    /// A session is attached.
    #[default]
    Attended,
    /// The last session has left, and may only be quitting (design decision 3).
    LeaveWaits(Box<WaitingLeave>),
    /// Nobody is.
    Unattended { since_ms: u64 },
}

/// The leave of the last session. It waits, in case that session is only quitting (design decision 3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WaitingLeave {
    pub(super) session: SessionId,
    pub(super) leave: Kept,
    pub(super) until_ms: u64,
    /// The private messages that have come since.
    pub(super) private: Backlog,
    /// The messages of which the account is to be notified unless it leaves.
    pub(super) notices: Backlog,
}

impl WaitingLeave {
    pub(super) fn new(turn: &Turn<'_>, session: SessionId, leave: &Stanza) -> Self {
        let until_ms = turn.after(limit::LEAVE_WAIT_MS);
        Self {
            session,
            leave: Kept::own(leave.clone()),
            until_ms,
            private: Backlog::default(),
            notices: Backlog::default(),
        }
    }
}

impl Attendance {
    pub(super) fn leave_until_ms(&self) -> Option<u64> {
        match self {
            Self::LeaveWaits(waiting) => Some(waiting.until_ms),
            Self::Attended | Self::Unattended { .. } => None,
        }
    }

    /// About how many bytes wait with a leave.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::LeaveWaits(waiting) => waiting.private.cost() + waiting.notices.cost(),
            Self::Attended | Self::Unattended { .. } => 0,
        }
    }

    /// The leave that waits.
    pub(super) fn waiting_leave(&mut self) -> Option<&mut WaitingLeave> {
        match self {
            Self::LeaveWaits(waiting) => Some(waiting),
            Self::Attended | Self::Unattended { .. } => None,
        }
    }

    /// Takes out the leave that waits, if it is wanted.
    pub(super) fn take_waiting_leave(
        &mut self,
        wanted: impl FnOnce(&WaitingLeave) -> bool,
    ) -> Option<WaitingLeave> {
        if !self.waiting_leave().is_some_and(|waiting| wanted(waiting)) {
            return None;
        }
        match std::mem::take(self) {
            Self::LeaveWaits(waiting) => Some(*waiting),
            Self::Attended | Self::Unattended { .. } => None,
        }
    }

    /// Whether the leave of the last session waits.
    pub(super) fn leave_waits(&self) -> bool {
        matches!(self, Self::LeaveWaits(_))
    }

    pub(super) fn unattended_ms(&self) -> Option<u64> {
        match self {
            Self::Unattended { since_ms } => Some(*since_ms),
            Self::Attended | Self::LeaveWaits(_) => None,
        }
    }
}

impl Stay {
    /// When the account was last heard of, if no session is attached: a session was, or it has logged in.
    pub(super) fn active_ms(&self) -> Option<u64> {
        Some(self.attendance.unattended_ms()?.max(self.login_ms))
    }
}

impl Stay {
    /// When it leaves that is to leave then: after a start not all at once.
    fn in_turn_ms(&self, over_ms: u64) -> u64 {
        let turn_ms = self.trust.awaits_turn.map(|since| since.ms().saturating_add(limit::LINGER_TURN_MS));
        over_ms.max(turn_ms.unwrap_or_default())
    }
}

impl In<'_> {
    /// Notes since when no session is attached. While a leave waits, it is open whether that session has
    /// left.
    pub(super) fn note_attendance(&mut self, turn: &Turn<'_>) {
        match (&self.stay.attendance, self.base.sessions.is_empty()) {
            (Attendance::Attended, true) => {
                self.stay.attendance = Attendance::Unattended { since_ms: turn.now.monotonic_ms };
            }
            (Attendance::Unattended { .. }, false) => self.stay.attendance = Attendance::Attended,
            (Attendance::Attended, false)
            | (Attendance::Unattended { .. }, true)
            | (Attendance::LeaveWaits(_), _) => {}
        }
    }
}

impl Stay {
    /// When the room is shown that nobody is attached.
    pub(super) fn away_ms(&self, config: &Config) -> Option<u64> {
        let can_be_shown = self.loss.is_none() && !self.upstream.is_busy() && self.upstream.wait.is_none();
        let is_wanted = can_be_shown && !is_nobody_there(&self.own.sent.children);
        self.trust.heard_ms()?; // before, the room may not know the account any more
        let since_ms = self.attendance.unattended_ms().filter(|_| is_wanted)?;
        Some(since_ms.saturating_add(config.away_delay_ms))
    }

    /// Whether the time without a session is long enough to tell the room.
    pub(super) fn is_away(&self, turn: &Turn<'_>) -> bool {
        let since_ms = self.trust.heard_ms().and_then(|_| self.attendance.unattended_ms());
        since_ms.is_some_and(|since_ms| turn.since(since_ms) >= turn.config.away_delay_ms)
    }

    /// When the account leaves because nobody came back.
    pub(super) fn linger_over_ms(&self, config: &Config) -> Option<u64> {
        if self.is_bookmarked && config.autojoin {
            return None;
        }
        let over_ms = self.attendance.unattended_ms()?.saturating_add(self.linger_ms(config)?);
        Some(self.in_turn_ms(over_ms))
    }

    /// When the account leaves because it has not logged in for so long, whatever holds it.
    pub(super) fn dormant_ms(&self, config: &Config) -> Option<u64> {
        let over_ms = self.active_ms()?.saturating_add(config.dormant_ms?);
        Some(self.in_turn_ms(over_ms))
    }

    /// When the account leaves because nobody uses it.
    pub(super) fn leaves_ms(&self, config: &Config) -> Option<u64> {
        self.linger_over_ms(config).into_iter().chain(self.dormant_ms(config)).min()
    }

    /// For how long the account stays with nobody attached.
    fn linger_ms(&self, config: &Config) -> Option<u64> {
        match self.own.affiliation() {
            None | Some("none") => config.linger_ms,
            Some(_) => config.linger_affiliated_ms,
        }
    }
}

impl Occupancy {
    /// The account logs in.
    pub(crate) fn note_login(&mut self, turn: &Turn<'_>) {
        if let Phase::In(stay) = &mut self.phase {
            stay.login_ms = turn.now.monotonic_ms;
        }
    }
}
