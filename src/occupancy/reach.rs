//! Whether the room's service is in reach, and the room's turn to be asked when it is.

use std::ops::ControlFlow;

use super::Occupancy;
use super::base::Base;
use super::phase::{Ending, In, Phase, Stay, StillIn};
use crate::moment::Moment;
use crate::pace::Load;
use crate::sessions::identity::Identity;
use crate::trouble::Contact;
use crate::turn::Turn;
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

impl Stay {
    /// The check that came in its turn is answered, or has gone unanswered: so long does the service take.
    pub(super) fn note_pace(&mut self, turn: &mut Turn<'_>, me: &Identity) {
        let check = self.check.as_mut().filter(|check| check.is_paced);
        if let Some(check) = check {
            check.is_paced = false;
            turn.note_answer(&me.room, turn.since(self.trust.asked_ms));
        }
    }
}

impl Base {
    /// A stanza of the room shows whether its service is there. An error shows that it is not if some server could not
    /// deliver a stanza of ours; one from another occupant may be of the server of that occupant.
    pub(super) fn note_contact(&self, turn: &mut Turn<'_>, stanza: &Stanza) {
        let is_of_room = match stanza.kind {
            Kind::Presence(PresenceType::Error) => true,
            Kind::Message(MessageType::Error) | Kind::Iq(IqType::Error) => {
                let nick = stanza.from.as_ref().and_then(Jid::nick);
                nick.is_none_or(|nick| nick == self.me.nick)
            }
            Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => {
                if !turn.services.troubles.are_none() {
                    turn.note_contact(Contact::Heard);
                }
                return;
            }
        };
        let says_so = stanza.error_condition().is_some_and(|error| error.starts_with("remote-server-"));
        if is_of_room && says_so {
            turn.note_contact(Contact::Unreachable);
        }
    }
}

impl In<'_> {
    /// The room has fallen silent: it is asked when its turn comes (K10).
    pub(super) fn ask_silent(&mut self, turn: &mut Turn<'_>) {
        self.stay.trust.awaits_turn = Some(Moment::at(turn.now.monotonic_ms));
        turn.wait_for_turn(&self.base.me.account, &self.base.me.room);
    }

    fn has_turn<'a>(&mut self, turn: &mut Turn<'_>, unheard_since_ms: Option<u64>) -> StillIn<'a, Load> {
        if self.stay.joins_in_turn() {
            return ControlFlow::Continue(Load::Presence);
        }
        let has_waited = self.stay.trust.awaits_turn.take().is_some();
        let is_unheard = unheard_since_ms
            .is_some_and(|past_ms| self.stay.trust.is_unheard_since(past_ms) || self.stay.loss.is_some());
        if !(has_waited || is_unheard) {
            return ControlFlow::Continue(Load::Nothing);
        }
        if self.stay.check.is_some() && !is_unheard {
            self.stay.trust.asked_ms = turn.now.monotonic_ms; // it is being asked for another reason
            return ControlFlow::Continue(Load::Nothing);
        }
        let over_ms = self.stay.leaves_ms(turn.config);
        if over_ms.is_some_and(|over_ms| turn.is_due(over_ms)) {
            return ControlFlow::Break(Ending::Left);
        }
        ControlFlow::Continue(self.ask_in_turn(turn))
    }

    fn ask_in_turn(&mut self, turn: &mut Turn<'_>) -> Load {
        self.stay.trust.asked_ms = turn.now.monotonic_ms;
        match &mut self.stay.check {
            Some(check) => check.repeat(turn, &self.base.me), // what was asked during the outage may be lost
            None => self.stay.check(turn, &self.base.me),
        }
        if let Some(check) = &mut self.stay.check {
            check.is_paced = true;
        }
        Load::Ping
    }
}

impl Occupancy {
    /// Whether the room has been sent something whose answer is awaited until a deadline.
    pub(crate) fn awaits_answer(&self) -> bool {
        match &self.phase {
            Phase::Joining(_) => true,
            Phase::In(stay) => stay.check.is_some() || stay.upstream.is_busy(),
            Phase::Out(_) => false,
        }
    }

    /// The room's turn has come: it has waited for it, or its service is up again and the room has not been heard of
    /// since that time, or is lost: then its answer brings the account back at once.
    pub(crate) fn has_turn(&mut self, turn: &mut Turn<'_>, unheard_since_ms: Option<u64>) -> Load {
        match &mut self.phase {
            Phase::In(stay) => {
                let still = In { stay, base: &mut self.base }.has_turn(turn, unheard_since_ms);
                self.go_on_in(turn, still).unwrap_or(Load::Presence)
            }
            Phase::Out(_) | Phase::Joining(_) => Load::Nothing,
        }
    }
}
