//! When a presence of ours goes up that no session has just sent to the room (R7).

use serde::{Deserialize, Serialize};

use super::phase::{In, Stay};
use super::upstream::Upstream;
use crate::config::limit;
use crate::turn::Turn;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::Kept;

/// Why a presence of ours waits, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wait {
    pub(super) until_ms: u64,
    /// A session has caused it, and not paid for it. Else it waits for its turn among the rooms of the account.
    is_owed: bool,
}

impl Stay {
    /// When it is the turn of a presence that waits for it. It keeps its turn as long as no presence may go up.
    pub(super) fn turn_ms(&self) -> Option<u64> {
        let may_go_up = self.loss.is_none() && !self.upstream.is_busy() && !self.attendance.leave_waits();
        self.upstream.wait.filter(|_| may_go_up).map(|wait| wait.until_ms)
    }
}

impl Upstream {
    /// Whether a presence goes up now that may go then. Else it waits.
    fn goes_at(&mut self, turn: &Turn<'_>, next_ms: u64, is_owed: bool) -> bool {
        let pause_ms = self.told_ms.map_or(0, |told_ms| told_ms + limit::UPDATE_PAUSE_MS);
        let until_ms = next_ms.max(pause_ms);
        if !turn.is_due(until_ms) {
            self.wait = Some(Wait { until_ms, is_owed });
            return false;
        }
        self.told_ms = Some(turn.now.monotonic_ms);
        true
    }
}

impl In<'_> {
    /// Whether the turn has come of the presence that has waited for it.
    pub(super) fn take_turn(&mut self, turn: &Turn<'_>) -> bool {
        let has_turn = self.stay.turn_ms().is_some_and(|turn_ms| turn.is_due(turn_ms));
        if has_turn {
            self.stay.upstream.wait = None;
            self.stay.upstream.told_ms = Some(turn.now.monotonic_ms);
        }
        has_turn
    }

    /// Whether that update may go up now. Else it waits, and is computed anew when its turn has come.
    pub(super) fn may_tell(&mut self, turn: &mut Turn<'_>, wanted: &Kept) -> bool {
        if self.is_just_sent(turn) {
            return true;
        }
        let (bytes, is_asked) = (self.bytes_told(wanted, &self.base.me.nick), self.is_asked(turn));
        let upstream = &mut self.stay.upstream;
        if upstream.wait.is_some() {
            return false;
        }
        let is_owed = is_asked || !upstream.echoes.is_empty();
        let next_ms = if is_owed { turn.paid_ms(bytes) } else { turn.next_unasked_ms() };
        upstream.goes_at(turn, next_ms, is_owed)
    }

    /// Whether the presence that the room would be shown has just been sent to it.
    fn is_just_sent(&self, turn: &Turn<'_>) -> bool {
        let Some(author) = self.base.sessions.representative() else { return false };
        self.stay.upstream.echoes.iter().any(|echo| echo.session == author)
            || (self.is_asked(turn) && self.base.sessions.is_latest(author))
    }

    /// Whether a session has sent the room a presence: it sends it, or has sent it while another was unanswered.
    fn is_asked(&self, turn: &Turn<'_>) -> bool {
        turn.is_asked() || self.stay.upstream.is_asked
    }

    /// Whether a nick change may go up now: it says all that the account's presence says.
    pub(super) fn may_rename(&mut self, turn: &mut Turn<'_>, nick: &Nick) -> bool {
        if self.stay.upstream.wait.is_some_and(|wait| wait.is_owed) {
            return false;
        }
        self.base.sessions.elect();
        let told = self.aggregate(turn).unwrap_or_else(|| self.stay.own.sent.clone());
        let until_ms = turn.paid_ms(self.bytes_told(&told, nick));
        if !turn.is_due(until_ms) {
            self.stay.upstream.wait = Some(Wait { until_ms, is_owed: true });
        }
        turn.is_due(until_ms)
    }

    /// About how many bytes it is to say that to the room.
    fn bytes_told(&self, told: &Kept, nick: &Nick) -> usize {
        let me = &self.base.me;
        told.to_xml().len()
            + me.account.as_str().len()
            + me.room.as_str().len()
            + nick.as_str().len()
            + ADDRESSING
    }
}

/// The id, and what is around it and the addresses.
const ADDRESSING: usize = 40;
