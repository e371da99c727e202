//! The account is no longer in the room, and did not ask for it (XEP-0045 §8.2, §9, §10.9, §11.2).

use super::{Occupancy, Past, Phase};
use crate::error::StanzaError;
use crate::event::{Action, SessionId};
use crate::muc::{Departure, MucUser, status};
use crate::room::Room;
use crate::self_presence::{add_code, name_session, occupant_id, technical};
use crate::sessions::{Attachment, Stage};
use crate::stanza::{Kept, Stanza};
use crate::turn::Turn;

impl Occupancy {
    /// The room says that the account is out. A permanent removal is told as it came (K1), a transient one as
    /// technical (K3).
    pub(super) fn removed(&mut self, turn: &mut Turn<'_>, stanza: &Stanza, occupant: &MucUser) {
        let departure = Departure::read(occupant);
        let told = (!departure.is_transient()).then_some(stanza);
        self.lose(turn, departure, told);
    }

    /// The occupancy ends: whoever was shown the room is told, whoever waits is tried upstream (K2).
    pub(super) fn lose(&mut self, turn: &mut Turn<'_>, departure: Departure, told: Option<&Stanza>) {
        log::debug!("{} is out of {}: {departure:?}", self.me.account, self.me.room);
        turn.act(Action::Drop { account: self.me.account.clone(), room: self.me.room.clone() });
        self.answer_pingers(turn, Some(StanzaError::NOT_JOINED));
        self.refuse_orphans(turn);
        let own = self.room.own.take();
        let crossed = self.stay().is_some_and(|stay| stay.upstream.awaits_join());
        let sent_nick = self.me.nick.clone();
        self.phase = Phase::Out(Past {
            left: Some((turn.now.monotonic_ms, departure)),
            unanswered: None,
            crossed: self.room.sent.take().filter(|_| crossed),
            own: own.clone(),
        });
        let sessions = self.sessions.detach_all();
        for (session, attachment) in sessions {
            match attachment.stage {
                Stage::Waiting(mut ask) => {
                    ask.forget_groupchat();
                    self.sessions.attach(session, attachment.jid, attachment.presence, ask);
                }
                Stage::Live => self.tell_removed(turn, session, &attachment, own.as_ref(), told),
                Stage::Replaying(ref replay) => {
                    self.tell_removed(turn, session, &attachment, own.as_ref(), told);
                    self.refuse_held(turn, session, &replay.held);
                }
            }
        }
        self.room = Room::default();
        self.me.nick = sent_nick;
        self.try_next(turn);
    }

    fn tell_removed(
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

    /// The account goes at once, and its sessions are told that they are out: after a panic, from a blocked room,
    /// when the server stops.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        if !self.is_held() {
            return;
        }
        let leave = self.leave_stanza(turn, &[]);
        self.time_out_waiting(turn);
        self.lose(turn, Departure::Technical, None);
        self.await_answer(turn);
        turn.send(leave);
    }
}
