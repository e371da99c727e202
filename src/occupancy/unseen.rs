//! Why a room shows the account nothing while it joins: the service is slow, down or *direct*, or the room waits
//! for a human (design decision 1).

use serde::{Deserialize, Serialize};

use super::check;
use super::joining::Joining;
use super::phase::Entering;
use crate::config::limit;
use crate::turn::Turn;
use crate::xmpp::stanza::{IqType, Kind, Stanza};

/// How far it is known why the room has shown the account nothing (J26).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Silence {
    /// A self-ping may ask whether the account is in unseen.
    #[default]
    Unasked,
    /// The self-ping of that id is under way.
    Pinged { id: Box<str> },
    /// The service shows accounts its rooms: it is only slow.
    OnlySlow,
    /// It is in unseen, and leaves, so that its sessions can join by themselves.
    Retreating { until_ms: u64 },
    /// The room waits for an answer of a human (J27), until that time.
    AwaitsHuman { until_ms: u64 },
}

impl Silence {
    /// Whether the account leaves because the room had shown it nothing.
    pub(super) fn retreats(&self) -> bool {
        matches!(self, Self::Retreating { .. })
    }

    /// Until when the room waits for an answer of a human.
    pub(super) fn human_until_ms(&self) -> Option<u64> {
        match self {
            Self::AwaitsHuman { until_ms } => Some(*until_ms),
            Self::Unasked | Self::Pinged { .. } | Self::OnlySlow | Self::Retreating { .. } => None,
        }
    }

    /// Whether an iq answers the question whether the account is in unseen.
    fn is_ping_answer(&self, answer: &Stanza) -> bool {
        matches!(self, Self::Pinged { id } if answer.id.as_deref() == Some(id))
    }
}

impl Joining {
    /// When a room that has shown nothing at all is asked whether the account is in unseen.
    pub(super) fn unseen_ms(&self) -> Option<u64> {
        matches!(self.silence, Silence::Unasked).then(|| self.entry.unseen_ms()).flatten()
    }

    /// When the account's leave has taken effect at a service that shows it nothing.
    pub(super) fn retreated_ms(&self) -> Option<u64> {
        match self.silence {
            Silence::Retreating { until_ms } => Some(until_ms),
            Silence::Unasked | Silence::Pinged { .. } | Silence::OnlySlow | Silence::AwaitsHuman { .. } => {
                None
            }
        }
    }

    /// Whether the room wants an answer from a human first (J27).
    pub(super) fn awaits_human(&self) -> bool {
        self.silence.human_until_ms().is_some()
    }

    /// The room wants an answer from a human first (J27). To ask again gives no more time.
    pub(super) fn await_human(&mut self, turn: &Turn<'_>) {
        if !self.awaits_human() {
            self.silence = Silence::AwaitsHuman { until_ms: turn.after(limit::CAPTCHA_MS) };
        }
    }
}

impl Entering<'_> {
    /// The room has shown nothing: a self-ping asks whether the account is in unseen. A service that has shown
    /// an account one of its rooms is only slow.
    pub(super) fn ask_whether_unseen(&mut self, turn: &mut Turn<'_>) {
        if turn.services.shows_rooms(turn.now, self.base.me.room.domain()) {
            self.joining.silence = Silence::OnlySlow;
        } else {
            let id = turn.fresh_id();
            turn.send(check::self_ping(&self.base.me, &self.base.me.nick, &id));
            self.joining.silence = Silence::Pinged { id };
        }
    }

    /// Takes the answer to the self-ping of a join. If the account is in unseen, it leaves, and then the
    /// room is *direct*. False if the stanza is no such answer.
    pub(super) fn unseen_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        if !self.joining.silence.is_ping_answer(answer) {
            return false;
        }
        if self.joining.entry.is_unseen() && answer.kind == Kind::Iq(IqType::Result) {
            self.joining.silence = Silence::Retreating { until_ms: turn.after(limit::RETREAT_MS) };
            self.joining.past.await_answer(turn);
            self.joining.entry.forgive_silence(turn);
            let leave = self.base.leave_stanza(turn, None);
            turn.send(leave);
        }
        true
    }

    /// The account's leave has taken effect. If the room has shown itself meanwhile, it was only slow, and the
    /// account joins again.
    pub(super) fn retreated(&mut self, turn: &mut Turn<'_>) {
        if self.joining.entry.is_unseen() {
            self.base.go_direct(turn);
        }
        self.refuse_orphans(turn);
    }
}
