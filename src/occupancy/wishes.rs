//! What sessions want of the account's presence: to see their own reflected, and another nick.

use serde::{Deserialize, Serialize};

use super::phase::In;
use crate::event::SessionId;
use crate::sessions::Ask;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;

/// A session that wants to see its own presence reflected (N7).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Echo {
    pub(super) session: SessionId,
    pub(super) id: Option<Box<str>>,
}

/// A session's wish for another nick (N1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NickWish {
    /// Who wants it; nobody, once that session has gone.
    pub(super) session: Option<SessionId>,
    pub(super) id: Option<Box<str>>,
    pub(super) nick: Nick,
    /// It came as a join, as mcabber sends it: the session is then shown the room.
    pub(super) ask: Option<Ask>,
    /// The room has said 303.
    pub(super) renamed: bool,
}

impl NickWish {
    pub(super) fn new(session: SessionId, nick: Nick, id: Option<Box<str>>, ask: Option<Ask>) -> Self {
        Self { session: Some(session), id, nick, ask, renamed: false }
    }

    pub(super) fn echo(&self) -> Option<Echo> {
        self.session.map(|session| Echo { session, id: self.id.clone() })
    }
}

impl Cost for Echo {
    fn outside(&self) -> usize {
        self.id.outside()
    }
}

impl Cost for NickWish {
    fn outside(&self) -> usize {
        self.id.outside() + self.nick.outside() + self.ask.outside()
    }
}

/// What the room's self-presence answers.
#[derive(Debug)]
pub(super) enum Answered {
    Nothing,
    Update(Vec<Echo>),
    Nick(Box<NickWish>),
}

impl In<'_> {
    /// Notes that a session has updated its presence and waits to see the update. If too many wait, it sees it
    /// at once.
    pub(super) fn wish_echo(&mut self, turn: &mut Turn<'_>, echo: Echo) {
        if let Some(echo) = self.stay.upstream.wish_echo(turn, echo) {
            self.show_echoes(turn, &[echo], false);
        }
    }
}
