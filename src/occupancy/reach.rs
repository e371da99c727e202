//! Whether the room's service is in reach, and the room's turn to be asked when it is.

use super::{Occupancy, Phase, Stay};
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

impl Occupancy {
    /// A stanza of the room shows whether its service is there. An error shows that it is not if some server could not
    /// deliver a stanza of ours; one from another occupant may be of the server of that occupant.
    pub(super) fn note_contact(&self, turn: &mut Turn<'_>, stanza: &Stanza) {
        let is_of_room = match stanza.kind {
            Kind::Presence(PresenceType::Error) => true,
            Kind::Message(MessageType::Error) | Kind::Iq(IqType::Error) => {
                let nick = stanza.from.as_ref().and_then(Jid::nick);
                nick.is_none_or(|nick| nick == self.base.me.nick)
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

    /// The room has fallen silent: it is asked when its turn comes (K10).
    pub(super) fn ask_silent(&mut self, turn: &mut Turn<'_>) {
        let Phase::In(stay) = &mut self.phase else { return };
        stay.trust.awaits_turn_ms = Some(turn.now.monotonic_ms);
        turn.wait_for_turn(&self.base.me.account, &self.base.me.room);
    }

    /// The room's turn has come: it has waited for it, or its service is up again and the room has not been heard of
    /// since that time, or is lost: then its answer brings the account back at once.
    pub(crate) fn has_turn(&mut self, turn: &mut Turn<'_>, unheard_since_ms: Option<u64>) -> Load {
        let Phase::In(stay) = &mut self.phase else { return Load::Nothing };
        let has_waited = stay.trust.awaits_turn_ms.take().is_some();
        let is_unheard = unheard_since_ms
            .is_some_and(|past_ms| stay.trust.is_unheard_since(past_ms) || stay.loss.is_some());
        if !(has_waited || is_unheard) {
            return Load::Nothing;
        }
        if stay.check.is_some() && !is_unheard {
            stay.trust.asked_ms = turn.now.monotonic_ms; // it is being asked for another reason
            return Load::Nothing;
        }
        let over_ms = self.linger_over_ms(turn.config).into_iter().chain(self.dormant_ms(turn.config)).min();
        if over_ms.is_some_and(|over_ms| turn.is_due(over_ms)) {
            self.linger_over(turn);
            return Load::Presence;
        }
        self.ask_in_turn(turn)
    }

    fn ask_in_turn(&mut self, turn: &mut Turn<'_>) -> Load {
        let Phase::In(stay) = &mut self.phase else { return Load::Nothing };
        stay.trust.asked_ms = turn.now.monotonic_ms;
        match &mut stay.check {
            Some(check) => check.repeat(turn, &self.base.me), // what was asked during the outage may be lost
            None => stay.check(turn, &self.base.me),
        }
        if let Some(check) = &mut stay.check {
            check.is_paced = true;
        }
        Load::Ping
    }
}
