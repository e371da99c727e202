//! The account is no longer in the room, and did not ask for it (XEP-0045 §8.2, §9, §10.9, §11.2).

use std::ops::ControlFlow;

use super::Occupancy;
use super::base::Base;
use super::phase::{Ending, In, Phase, StillIn};
use crate::event::{Action, SessionId};
use crate::room::self_presence::{add_code, name_session, occupant_id, technical};
use crate::sessions::Attachment;
use crate::turn::Turn;
use crate::xmpp::muc::{Departure, MucUser, status};
use crate::xmpp::stanza::{Kept, Stanza};

impl In<'_> {
    /// The room says that the account is out. A permanent removal is told as it came (K1), a transient one is
    /// recovered (K3), and so is the first one without a reason: old services tell their technical ones like that (K7).
    pub(super) fn removed<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &'a Stanza,
        occupant: &MucUser,
    ) -> StillIn<'a> {
        let departure = Departure::read(occupant);
        let is_unexplained = departure == Departure::Unexplained && !self.stay.was_lost_lately(turn);
        if departure.is_transient() || is_unexplained {
            self.lost(turn, departure)
        } else {
            ControlFlow::Break(Ending::Lost(departure, Some(stanza)))
        }
    }
}

impl Occupancy {
    /// The occupancy ends. Sessions that have seen the room are told. The joins of waiting sessions go up
    /// (K2).
    pub(super) fn lose(&mut self, turn: &mut Turn<'_>, departure: Departure, told: Option<&Stanza>) {
        log::debug!("{} is out of {}: {departure:?}", self.base.me.account, self.base.me.room);
        turn.act(Action::Drop { account: self.base.me.account.clone(), room: self.base.me.room.clone() });
        if let Some(mut inside) = self.inside() {
            inside.notify_of_end(turn, departure);
            inside.give_up_gap(turn);
        }
        let mut past = self.become_past(turn);
        if !departure.is_transient() {
            past.note_departed(turn, departure);
        }
        let own = past.own.clone();
        self.enter(Phase::Out(Box::new(past)));
        for (session, attachment) in self.base.sessions.detach_shown() {
            self.base.tell_removed(turn, session, &attachment, own.as_ref(), told);
            self.base.refuse_held(turn, session, *attachment);
        }
        self.base.end_queries(turn);
        self.try_next(turn);
    }

    /// A stanza could not be written to a session, so the session is out. If it is connected all the same, it is told
    /// that, and joins again (K3).
    pub(crate) fn delivery_failed(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let was_in = self.base.sessions.has(session);
        self.session_ended(turn, session);
        if was_in {
            let occupant_id = self.own().and_then(|own| occupant_id(own));
            turn.deliver(session, technical(self.base.me.occupant(), occupant_id));
        }
    }

    /// The account goes at once, and its sessions are told that they are out: after a panic, from a blocked room,
    /// when the server stops.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        self.stop_inquiry();
        if !self.is_occupied() {
            return;
        }
        let (base, stay) = self.parts();
        base.time_out_waiting(turn, stay);
        self.lose_by_leaving(turn, Departure::Technical);
    }

    /// The account leaves, and its sessions are told that they are out.
    pub(super) fn lose_by_leaving(&mut self, turn: &mut Turn<'_>, departure: Departure) {
        let leave = self.base.leave_stanza(turn, None);
        self.lose(turn, departure, None);
        if let Phase::Out(past) = &mut self.phase {
            past.await_answer(turn);
        }
        turn.send(leave);
    }

    /// The account is deleted and leaves. Once the room has answered that, its stanzas are Prosody's: what it answers
    /// them puts an end to what is left of the account there (L8).
    pub(crate) fn abandon_for_good(&mut self, turn: &mut Turn<'_>) {
        self.abandon(turn);
        if let Phase::Out(past) = &mut self.phase {
            past.left_ms = None;
        }
    }
}

impl Base {
    pub(super) fn tell_removed(
        &self,
        turn: &mut Turn<'_>,
        session: SessionId,
        attachment: &Attachment,
        own: Option<&Kept>,
        told: Option<&Stanza>,
    ) {
        let Some(told) = told else {
            let occupant_id = own.and_then(|own| occupant_id(own));
            turn.deliver(session, technical(self.me.occupant(), occupant_id));
            return;
        };
        let mut told = told.clone();
        name_session(&mut told, &self.me.account, &attachment.jid);
        add_code(&mut told, status::SELF); // Converse trusts nothing else
        turn.deliver(session, told);
    }
}
