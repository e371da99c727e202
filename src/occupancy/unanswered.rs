//! The room refuses a presence of ours, does not answer it, or will not (design decision 4).

use std::ops::ControlFlow;

use super::phase::{In, StillIn};
use super::upstream::{Pending, What};
use crate::event::Id;
use crate::sessions::ResyncFor;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::stanza::Stanza;

impl In<'_> {
    /// The room answers a presence of ours with an error: only the session that caused it is told (N4). False
    /// if it answers none.
    pub(super) fn presence_refused<'a>(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> StillIn<'a, bool> {
        let known_as = |id: Option<Box<str>>| id.map_or(Id::Remove, Id::Set);
        ControlFlow::Continue(match self.stay.upstream.refused(error) {
            Some(What::Nick(wish) | What::NickAsked { wish, .. }) => {
                if let Some(session) = wish.session {
                    self.relay_to(turn, session, known_as(wish.id), error);
                }
                true
            }
            Some(What::Update(echoes)) => {
                for echo in echoes {
                    self.relay_to(turn, echo.session, known_as(echo.id), error);
                }
                false
            }
            Some(What::Resync(_)) if self.stay.loss.is_some() => {
                self.rejoin_refused(turn, error)?;
                true
            }
            Some(What::Resync(_)) => {
                self.resync_unanswered(turn);
                false
            }
            None => false,
        })
    }

    /// The room will not answer a presence of ours: the account is out. What waits for the room to be shown again waits on.
    pub(super) fn end_unanswered(&mut self, turn: &mut Turn<'_>) {
        match self.stay.upstream.pending.take().map(|pending| pending.what) {
            Some(What::Update(echoes)) => self.show_echoes(turn, &echoes, false),
            Some(What::Nick(wish) | What::NickAsked { wish, .. }) => {
                self.refuse_nick(turn, &wish, StanzaError::JOIN_TIMEOUT);
            }
            Some(What::Resync(_)) | None => {}
        }
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.resync == ResyncFor::Asked) {
            ask.resync = ResyncFor::Wished;
        }
    }

    /// The room does not answer a presence of ours.
    pub(super) fn presence_unanswered(&mut self, turn: &mut Turn<'_>) {
        if self.stay.upstream.waits_on(turn, self.stay.trust.sign_ms()) {
            return;
        }
        let Some(pending) = self.stay.upstream.pending.take() else { return };
        let Pending { id, what, .. } = *pending;
        let is_unanswered = match &what {
            What::Update(_) => true,
            What::Resync(resync) => resync.entry.is_asked(),
            What::Nick(_) | What::NickAsked { .. } => false,
        };
        if is_unanswered {
            self.stay.upstream.overdue.note(id, &self.stay.own.sent);
        }
        match what {
            What::Update(echoes) => self.show_echoes(turn, &echoes, false),
            What::Nick(wish) => self.ask_for_nick(turn, wish),
            What::NickAsked { wish, .. } => self.nick_unanswered(turn, &wish),
            What::Resync(resync) if resync.entry.is_let_in() => self.resynced(turn),
            What::Resync(_) => {
                self.resync_unanswered(turn);
                self.suspect(turn);
            }
        }
    }
}
