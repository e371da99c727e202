//! A join has failed: the waiting sessions are told (XEP-0045 §7.2.5 to §7.2.11).

use super::base::Base;
use super::phase::Stay;
use crate::event::{Id, SessionId};
use crate::sessions::Attachment;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::BareJid;
use crate::xmpp::muc::NS_MUC;
use crate::xmpp::stanza::{Element, Stanza};

impl Base {
    /// Passes the room's refusal on to the sessions that asked for the same.
    pub(super) fn tell_refused(
        &mut self,
        turn: &mut Turn<'_>,
        error: &Stanza,
        refused: Vec<SessionId>,
        mut stay: Option<&mut Stay>,
    ) {
        let (_, refused): (Vec<_>, Vec<_>) = refused
            .into_iter()
            .partition(|session| self.gives_up_adopting(turn, *session, stay.as_deref_mut()));
        if let Some(echo) = error.find("x", NS_MUC).filter(|x| x.find("history").is_some()) {
            self.tell_refused_as_asked(turn, error, echo, &refused);
        } else {
            turn.relay(refused.iter().map(|session| (*session, self.join_id(*session))).collect());
        }
        for session in refused {
            self.refuse_waiting(turn, session, stay.as_deref_mut());
        }
    }

    /// ejabberd gives the join back in its refusal: each session sees what it asked for, and not the history
    /// that the account did (H13, J16).
    fn tell_refused_as_asked(
        &self,
        turn: &mut Turn<'_>,
        error: &Stanza,
        echo: &Element,
        refused: &[SessionId],
    ) {
        for session in refused {
            let Some(ask) = self.sessions.get(*session).and_then(Attachment::ask) else { continue };
            let asked = ask.join.find("x", NS_MUC);
            let restored = |child: &Element| if child == echo { asked } else { Some(child) }.cloned();
            let mut told = error.clone().id(ask.join.id.as_deref());
            told.children = error.children.iter().filter_map(restored).collect();
            turn.deliver(*session, told);
        }
    }

    /// The id under which a session expects the answer to its join.
    fn join_id(&self, session: SessionId) -> Id {
        let ask = self.sessions.get(session).and_then(Attachment::ask);
        ask.and_then(|ask| ask.join.id.clone()).map_or(Id::Remove, Id::Set)
    }

    /// Detaches a waiting session, and refuses the stanzas that it has sent meanwhile (M3).
    fn refuse_waiting(&mut self, turn: &mut Turn<'_>, session: SessionId, stay: Option<&mut Stay>) {
        if let Some(attachment) = self.detach(turn, session, stay) {
            self.refuse_held(turn, session, attachment);
        }
    }

    /// Tells every waiting session that the room does not answer (J26). The joins that are held get no other
    /// answer.
    pub(super) fn time_out_waiting(&mut self, turn: &mut Turn<'_>, mut stay: Option<&mut Stay>) {
        for session in self.sessions.all() {
            if self.gives_up_adopting(turn, session, stay.as_deref_mut()) {
                continue;
            }
            let Some(attachment) = self.sessions.get_mut(session) else { continue };
            let asked = attachment.ask().map(|ask| ask.join.clone());
            let waits = asked.is_some();
            for join in asked.into_iter().chain(attachment.take_held_joins()) {
                turn.deliver(session, join_error(StanzaError::JOIN_TIMEOUT, &join, &self.me.room));
            }
            if waits {
                self.refuse_waiting(turn, session, stay.as_deref_mut());
            }
        }
    }
}

/// An error of our own in answer to a join (J16): profanity and slixmpp know one only by the `<x/>`.
pub(crate) fn join_error(error: StanzaError, join: &Stanza, room: &BareJid) -> Stanza {
    let mut error = error.reply_to(join, room.as_str());
    error.children.insert(0, Element::build("x", NS_MUC).done());
    error
}
