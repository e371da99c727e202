//! Everything that an occupancy waits for: why, until when, and what happens then. One table for all of it.

use std::ops::ControlFlow;

use super::Occupancy;
use super::phase::{Entering, In, JoinEnding, Phase, StillJoining};
use crate::config::Config;
use crate::turn::Turn;
use crate::xmpp::muc::Departure;

/// Why an occupancy wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Sessions asked the room something, or occupants while others wait for their turn (I12).
    QueryUnanswered,
    /// A session joins or leaves by itself (design decision 1, X5).
    OwnJoinWatched,
    /// Sessions asked the room's archive something (I8).
    ArchiveUnanswered,
    /// The account is out, and nothing of the room need be known any more.
    Forgotten,
    /// Nobody says whether there is a room that a bookmark has the account join (design decision 11).
    InquiryUnanswered,
    /// The room has let the account in and fallen silent (J31).
    JoinSilent,
    /// The room does not answer the join: is the account in unseen (J26)?
    JoinUnseen,
    /// The account has left a service that shows it nothing, and its sessions join by themselves.
    Retreated,
    /// The room does not answer the join (J26).
    JoinUnanswered,
    /// A session is being shown the room (contract, 9).
    Replaying,
    /// The room does not answer our self-ping (I2).
    SelfPingUnanswered,
    /// The room does not answer a presence of ours (design decision 4).
    PresenceUnanswered,
    /// A presence of ours waits that no session has just sent to the room (R7).
    PresenceWaits,
    /// An occupant does not answer a session's probe (J11).
    ProbeUnanswered,
    /// The last session left and may only be quitting (design decision 3).
    LeaveWaits,
    /// Nobody is attached, and the room is shown so (design decision 4).
    Away,
    /// Nobody came back (design decision 2).
    LingerOver,
    /// The room has not shown what a session said (design decision 20).
    Unreflected,
    /// What a session said is stuck: can it go up (design decision 20)?
    StuckAsked,
    /// What a session said is stuck for long (design decision 20).
    Stuck,
    /// The account is out of the room, and tries to come back (K8).
    Rejoins,
    /// It has not come back for so long that its sessions are told (K3).
    LossTold,
    /// The room does not show what was missing (XEP-0313).
    GapUnanswered,
    /// The room does not show what came before all that is kept (XEP-0313).
    OlderUnanswered,
    /// The log of the room has not been read (design decision 22).
    LogUnread,
    /// The account has not logged in for long (`minimix_dormant`).
    Dormant,
    /// The room has shown no sign of life for long, or none since a start (K10).
    Silent,
}

impl Why {
    /// All reasons, in the order in which they are looked at.
    const ALL: [Self; 27] = [
        Self::QueryUnanswered,
        Self::OwnJoinWatched,
        Self::ArchiveUnanswered,
        Self::Forgotten,
        Self::InquiryUnanswered,
        Self::JoinSilent,
        Self::JoinUnseen,
        Self::Retreated,
        Self::JoinUnanswered,
        Self::Replaying,
        Self::SelfPingUnanswered,
        Self::PresenceUnanswered,
        Self::PresenceWaits,
        Self::ProbeUnanswered,
        Self::LeaveWaits,
        Self::Away,
        Self::LingerOver,
        Self::Unreflected,
        Self::StuckAsked,
        Self::Stuck,
        Self::Dormant,
        Self::Rejoins,
        Self::LossTold,
        Self::GapUnanswered,
        Self::OlderUnanswered,
        Self::LogUnread,
        Self::Silent,
    ];
}

impl Occupancy {
    /// When this occupancy wants to be woken.
    pub(crate) fn deadline(&self, config: &Config) -> Option<u64> {
        Why::ALL.iter().filter_map(|why| self.when(*why, config)).min()
    }

    /// Does what is due. Waking early is harmless.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) {
        let is_due = |occupancy: &Self, turn: &Turn<'_>, why| {
            occupancy.when(why, turn.config).is_some_and(|deadline_ms| turn.is_due(deadline_ms))
        };
        let due: Vec<Why> = Why::ALL.into_iter().filter(|why| is_due(self, turn, *why)).collect();
        for why in due {
            // what was due may have been settled by what came before it
            if is_due(self, turn, why) {
                log::debug!("{} in {} is woken: {why:?}", self.base.me.account, self.base.me.room);
                self.expire(turn, why);
            }
        }
    }

    /// Until when it waits for that.
    fn when(&self, why: Why, config: &Config) -> Option<u64> {
        match why {
            Why::QueryUnanswered => self.base.queries.deadline(),
            Why::OwnJoinWatched => self.base.directs.deadline(),
            Why::ArchiveUnanswered => self.base.room_archive.deadline(),
            Why::Forgotten => self.over_ms(),
            Why::InquiryUnanswered => Some(self.inquiry()?.until_ms),
            Why::JoinSilent => self.joining()?.silent_ms(),
            Why::JoinUnseen => self.joining()?.unseen_ms(),
            Why::Retreated => self.joining()?.retreated_ms(),
            Why::JoinUnanswered => self.joining()?.unanswered_ms(),
            Why::Replaying => self.base.sessions.any_is_shown_the_room().then_some(0),
            Why::SelfPingUnanswered => self.stay()?.check.as_ref().map(|check| check.deadline_ms),
            Why::PresenceUnanswered => self.stay()?.upstream.deadline(),
            Why::PresenceWaits => self.stay()?.turn_ms(),
            Why::ProbeUnanswered => self.stay()?.probes.deadline(),
            Why::LeaveWaits => self.stay()?.attendance.leave_until_ms(),
            Why::Away => self.stay()?.away_ms(config),
            Why::LingerOver => self.stay()?.linger_over_ms(config),
            Why::Unreflected => self.stay()?.outbox.missed_ms(),
            Why::StuckAsked => self.stay()?.stuck_ask_ms(),
            Why::Stuck => self.stay()?.outbox.over_ms(),
            Why::Dormant => self.stay()?.dormant_ms(config),
            Why::Rejoins => self.stay()?.rejoin_ms(),
            Why::LossTold => self.stay()?.loss_told_ms(),
            Why::GapUnanswered => self.stay()?.gap.until_ms(),
            Why::OlderUnanswered => self.stay()?.older.until_ms(),
            Why::LogUnread => self.base.log_until_ms(),
            Why::Silent => self.stay().filter(|stay| stay.loss.is_none())?.trust.silent_ms(config),
        }
    }

    fn expire(&mut self, turn: &mut Turn<'_>, why: Why) {
        match why {
            Why::QueryUnanswered => self.base.expire_queries(turn),
            Why::OwnJoinWatched => self.base.directs.expire(turn),
            Why::ArchiveUnanswered => self.base.room_archive.expire(turn),
            // the bouncer forgets it; the room is told when all is settled
            Why::Forgotten | Why::Away | Why::PresenceWaits => {}
            Why::InquiryUnanswered => self.stop_inquiry(),
            Why::JoinSilent => self.while_joining(turn, |entering, turn| entering.complete(turn, None)),
            Why::JoinUnseen => self.while_joining(turn, |entering, turn| {
                entering.ask_whether_unseen(turn);
                ControlFlow::Continue(())
            }),
            Why::Retreated => self.while_joining(turn, |entering, turn| {
                entering.retreated(turn);
                ControlFlow::Break(JoinEnding::Refused)
            }),
            Why::JoinUnanswered => self.give_up_joining(turn),
            Why::Replaying => self.base.go_on_replaying(turn),
            Why::SelfPingUnanswered => self.while_in(turn, In::found_nothing),
            Why::PresenceUnanswered => self.while_in(turn, In::presence_unanswered),
            Why::ProbeUnanswered => self.while_in(turn, |inside, turn| inside.expire_probes(turn)),
            Why::LeaveWaits => self.send_waiting_leave(turn),
            Why::LingerOver | Why::Dormant => self.depart(turn, Departure::Left, None),
            Why::Unreflected => self.while_in(turn, In::miss_reflection),
            Why::StuckAsked => self.while_in(turn, In::ask_for_stuck),
            Why::Stuck => self.while_in(turn, |inside, turn| inside.refuse_unsent(turn, None)),
            Why::Rejoins => self.while_in(turn, In::try_again),
            Why::LossTold => self.while_in(turn, In::tell_loss),
            Why::GapUnanswered => self.while_in(turn, In::gap_unanswered),
            Why::OlderUnanswered => self.while_in(turn, In::older_unanswered),
            Why::LogUnread => self.while_in(turn, In::log_unread),
            Why::Silent => self.while_in(turn, In::ask_silent),
        }
    }

    /// Does what is due while the account joins: it has a deadline then only.
    fn while_joining(
        &mut self,
        turn: &mut Turn<'_>,
        act: impl FnOnce(&mut Entering<'_>, &mut Turn<'_>) -> StillJoining<'static>,
    ) {
        if let Phase::Joining(joining) = &mut self.phase {
            let still = act(&mut Entering { joining, base: &mut self.base }, turn);
            self.go_on_joining(turn, still);
        }
    }

    /// Does what is due while the account is in: it has a deadline then only.
    fn while_in<'a>(&'a mut self, turn: &mut Turn<'_>, act: impl FnOnce(&mut In<'a>, &mut Turn<'_>)) {
        if let Phase::In(stay) = &mut self.phase {
            act(&mut In { stay, base: &mut self.base }, turn);
        }
    }
}
