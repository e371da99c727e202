//! The one way in and the one way out of a session.

use super::Occupancy;
use super::base::Base;
use super::phase::{In, Phase, Stay};
use crate::event::{Action, SessionId};
use crate::sessions::{Ask, Attachment, Connection};
use crate::turn::Turn;
use crate::xmpp::jid::FullJid;
use crate::xmpp::stanza::{Kept, Stanza};

impl Base {
    /// A session asks to join. It is shown the room once the room is trusted and the copy is right.
    pub(super) fn attach(&mut self, session: SessionId, jid: FullJid, ask: Ask) {
        log::debug!("{jid} attaches to {}", self.me.room);
        let presence = super::join::shown_presence(&ask.join);
        self.sessions.attach(session, jid, presence, ask);
    }

    /// A session is no longer in, whatever the cause: nothing of it waits for the room. Its held stanzas are
    /// in the attachment. While the account is in, what the session was asked is answered in its place.
    pub(super) fn detach(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stay: Option<&mut Stay>,
    ) -> Option<Attachment> {
        let attachment = self.sessions.detach(session)?;
        let unanswered = self.queries.detach(session);
        if let Some(stay) = stay {
            stay.refuse_pingers_of(turn, session, &self.me);
            stay.upstream.forget(session);
            stay.probes.forget(session);
            for question in unanswered {
                self.answer_for_session(turn, question);
            }
        }
        Some(attachment)
    }
}

impl Occupancy {
    /// The session has ended: answers to it reach nobody.
    pub(crate) fn session_ended(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        if let Phase::In(stay) = &mut self.phase {
            stay.forget_pingers_of(session); // nobody is there to be answered
            stay.outbox.disown(session);
        }
        self.session_hides(turn, session);
        self.base.senders.disown(session);
        self.base.subscriptions.disown(session);
        self.base.room_archive.forget(session);
        if let Phase::Joining(joining) = &mut self.phase {
            joining.orphans.disown(session);
        }
        self.base.queries.forget(session);
    }

    /// The session hides from everybody: it is detached, and that is no leave (L4).
    pub(crate) fn session_hides(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.base.directs.note_end(turn, session);
        self.cancel_leave_of(turn, session);
        let (base, stay) = self.parts();
        let Some(attachment) = base.detach(turn, session, stay) else { return };
        log::debug!("{} detaches from {}", attachment.jid, self.base.me.room);
        self.release_held(turn, session, attachment);
    }

    /// The connection of a session broke; a leave that it has just sent was a quit.
    pub(crate) fn session_hibernated(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        self.cancel_leave_of(turn, session);
        self.base.sessions.note_connection(session, Connection::Broken);
    }

    /// The stream of a session was resumed.
    pub(crate) fn session_resumed(&mut self, turn: &Turn<'_>, session: SessionId) {
        self.base.sessions.note_connection(session, Connection::Resumed { at_ms: turn.now.monotonic_ms });
    }

    /// The session was only quitting.
    fn cancel_leave_of(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        if let Some(mut inside) = self.inside() {
            inside.cancel_leave_of(turn, session);
        }
    }
}

impl In<'_> {
    /// The session was only quitting: the private messages that have come meanwhile are stored (P4).
    fn cancel_leave_of(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let waiting = self.stay.attendance.take_waiting_leave(|waiting| waiting.session == session);
        let Some(waiting) = waiting else { return };
        for message in waiting.private.iter().filter(|message| !self.hides(message)) {
            let message = Stanza::clone(message).to(self.base.me.account.to_jid());
            turn.act(Action::StoreOffline { stanza: Some(Kept::own(message)) });
        }
        self.notify_late(turn, waiting.notices);
    }
}
