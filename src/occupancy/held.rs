//! Stanzas that a session sends before its join is answered are held. They go up when the account is in, even
//! if the session has left or ended, and ahead of a leave that ends the join. If the join fails, they are
//! refused (M3).

use serde::{Deserialize, Serialize};

use super::{Occupancy, Phase};
use crate::config::limit;
use crate::event::SessionId;
use crate::sessions::Attachment;
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::stanza::{IqType, Kept, Kind, Stanza};

/// Held stanzas of sessions that left or ended before the account was in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Orphans(Vec<Orphan>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Orphan {
    /// The session that gets answers and errors; none, once it has ended.
    session: Option<SessionId>,
    stanza: Kept,
}

impl Orphans {
    /// Takes in the held stanzas of a session. Gives back those that there is no space for.
    fn adopt(&mut self, session: SessionId, mut held: Vec<Kept>) -> Vec<Kept> {
        let space = limit::HELD_BACK.saturating_sub(self.0.len()).min(held.len());
        let refused = held.split_off(space);
        self.0.extend(held.into_iter().map(|stanza| Orphan { session: Some(session), stanza }));
        refused
    }

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
            turn.refuse(&self.me.room, session, stanza, StanzaError::OVER_LIMIT);
        }
    }

    /// Sends a held stanza up. A question of an ended session is dropped.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, stanza: &Stanza) {
        turn.about_held(|turn| match (stanza.kind, session) {
            (Kind::Message(_), _) => self.message_up(turn, session, stanza),
            (Kind::Iq(_), Some(session)) => self.query_up(turn, session, stanza),
            (Kind::Iq(IqType::Set), None) => self.map_up(turn, None, stanza),
            (Kind::Iq(_), None) | (Kind::Presence(_), _) => {}
        });
    }

    /// Sends up the held stanzas of a session that has just been detached, at once or when the account is in.
    pub(super) fn release_held(&mut self, turn: &mut Turn<'_>, session: SessionId, attachment: Attachment) {
        let held = attachment.into_held();
        match &mut self.phase {
            Phase::In(_) => {
                for stanza in held {
                    self.release(turn, Some(session), &stanza);
                }
            }
            Phase::Joining(joining) => {
                let refused = joining.orphans.adopt(session, held);
                self.refuse_all(turn, session, &refused, StanzaError::OVER_LIMIT);
            }
            Phase::Out(_) => {}
        }
    }

    /// Sends up the orphans.
    pub(super) fn release_orphans(&mut self, turn: &mut Turn<'_>, orphans: Orphans) {
        for Orphan { session, stanza } in orphans.0 {
            self.release(turn, session, &stanza);
        }
    }

    /// The join has failed: the orphans are refused.
    pub(super) fn refuse_orphans(&mut self, turn: &mut Turn<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        for Orphan { session, stanza } in std::mem::take(&mut joining.orphans.0) {
            if let Some(session) = session {
                self.refuse_held(turn, session, &[stanza]);
            }
        }
    }

    /// What a session sent before its join was answered can't go up (M3).
    pub(super) fn refuse_held(&self, turn: &mut Turn<'_>, session: SessionId, held: &[Kept]) {
        self.refuse_all(turn, session, held, StanzaError::NOT_JOINED);
    }

    fn refuse_all(&self, turn: &mut Turn<'_>, session: SessionId, held: &[Kept], error: StanzaError) {
        turn.about_held(|turn| {
            for stanza in held {
                turn.refuse(&self.me.room, session, stanza, error);
            }
        });
    }
}
