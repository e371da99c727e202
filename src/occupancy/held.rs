//! What a session sends before its join is answered: it goes up when the account is in, also if the session has
//! left or ended meanwhile, or before the leave that ends the join; it is refused when the join fails (M3).

use serde::{Deserialize, Serialize};

use super::{Occupancy, Phase, Way};
use crate::config::limit;
use crate::error::StanzaError;
use crate::event::SessionId;
use crate::sessions::{Attachment, Stage};
use crate::stanza::{IqType, Kept, Kind, Stanza};
use crate::turn::Turn;

/// What sessions have sent that left or ended before the account was in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Orphans(Vec<Orphan>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Orphan {
    /// Who is told what becomes of it; nobody, once the session has ended.
    session: Option<SessionId>,
    stanza: Kept,
}

impl Orphans {
    /// The session has ended: nobody is told any more.
    pub(super) fn disown(&mut self, session: SessionId) {
        for orphan in self.0.iter_mut().filter(|orphan| orphan.session == Some(session)) {
            orphan.session = None;
        }
    }
}

impl Occupancy {
    /// Keeps what a session sends until its join is answered (M3).
    pub(super) fn hold(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        let held = self.sessions.get_mut(session).is_some_and(|a| a.hold(Kept::own(stanza.clone())));
        if !held {
            self.refuse(turn, session, stanza, StanzaError::OVER_LIMIT, Way::InHand);
        }
    }

    /// What a session had sent before its join was answered goes up. Nobody waits for what an ended session
    /// wanted to know.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, stanza: &Stanza) {
        match (stanza.kind, session) {
            (Kind::Message(_), _) => self.message_up(turn, session, stanza, Way::Held),
            (Kind::Iq(_), Some(session)) => self.query_up(turn, session, stanza, Way::Held),
            (Kind::Iq(IqType::Set), None) => self.map_up(turn, None, stanza, Way::Held),
            (Kind::Iq(_), None) | (Kind::Presence(_), _) => {}
        }
    }

    /// What a session had sent that has just been detached goes up, now or when the account is in.
    pub(super) fn release_held(&mut self, turn: &mut Turn<'_>, session: SessionId, attachment: Attachment) {
        let held = match attachment.stage {
            Stage::Waiting(ask) => ask.held,
            Stage::Replaying(replay) => replay.held,
            Stage::Live => Vec::new(),
        };
        match &mut self.phase {
            Phase::In(_) => {
                for stanza in held {
                    self.release(turn, Some(session), &stanza);
                }
            }
            Phase::Joining(joining) => {
                let orphans = &mut joining.orphans.0;
                let space = limit::HELD_BACK.saturating_sub(orphans.len());
                let mut held = held.into_iter();
                let orphan = |stanza| Orphan { session: Some(session), stanza };
                orphans.extend(held.by_ref().take(space).map(orphan));
                for stanza in held {
                    self.refuse(turn, session, &stanza, StanzaError::OVER_LIMIT, Way::Held);
                }
            }
            Phase::Out(_) => {}
        }
    }

    pub(super) fn release_orphans(&mut self, turn: &mut Turn<'_>, orphans: Orphans) {
        for Orphan { session, stanza } in orphans.0 {
            self.release(turn, session, &stanza);
        }
    }

    /// Nothing comes of the join.
    pub(super) fn refuse_orphans(&mut self, turn: &mut Turn<'_>) {
        let Some(joining) = self.joining_mut() else { return };
        for Orphan { session, stanza } in std::mem::take(&mut joining.orphans.0) {
            if let Some(session) = session {
                self.refuse(turn, session, &stanza, StanzaError::NOT_JOINED, Way::Held);
            }
        }
    }

    /// What a session sent before its join was answered can't go up (M3).
    pub(super) fn refuse_held(&self, turn: &mut Turn<'_>, session: SessionId, held: &[Kept]) {
        for stanza in held {
            self.refuse(turn, session, stanza, StanzaError::NOT_JOINED, Way::Held);
        }
    }
}
