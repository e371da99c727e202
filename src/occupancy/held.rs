//! What a session sends before its join is answered is held (M3), also presence (F36). After the answer it is
//! dealt with in order, as if it came then. What others are to get goes up even if the session has left or ended,
//! and ahead of a leave that ends the join. If the join fails, it is refused, up to the next join in it.

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::joining::Joining;
use super::phase::{Entering, In, Phase};
use crate::event::SessionId;
use crate::pending::backlog::Backlog;
use crate::sessions::{Ask, Attachment, Sessions};
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::muc::asks_to_join;
use crate::xmpp::stanza::{IqType, Kept, Kind, PresenceType, Stanza};

/// Held stanzas of sessions that left or ended before the account was in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Orphans {
    stanzas: Vec<Orphan>,
    cost: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Orphan {
    /// The session that gets answers and errors; none, once it has ended.
    session: Option<SessionId>,
    stanza: Kept,
}

impl Orphans {
    /// Takes in the held stanzas of a session.
    fn adopt(&mut self, session: SessionId, mut held: Backlog) {
        held.retain(|stanza| outlives_session(stanza));
        self.cost += held.cost();
        self.stanzas.extend(held.into_iter().map(|stanza| Orphan { session: Some(session), stanza }));
    }

    /// About how many bytes they cost.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The session has ended: nobody is told any more.
    pub(super) fn disown(&mut self, session: SessionId) {
        for orphan in self.stanzas.iter_mut().filter(|orphan| orphan.session == Some(session)) {
            orphan.session = None;
        }
    }
}

impl Base {
    /// Keeps what a session sends until its join is answered (M3).
    pub(super) fn hold(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        let held = self.sessions.get_mut(session).is_some_and(|a| a.hold(turn, Kept::own(stanza.clone())));
        if !held {
            turn.refuse(&self.me.room, session, stanza, StanzaError::OVER_LIMIT);
        }
    }

    /// Whether a stanza of that session is to be held: it has not been shown the whole room.
    pub(super) fn is_early(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(|attachment| !attachment.is_live())
    }

    /// What a session sent before its join was answered is refused (M3). With a join among it the session is
    /// attached again, and what follows waits for that join.
    pub(super) fn refuse_held(&mut self, turn: &mut Turn<'_>, session: SessionId, attachment: Attachment) {
        for stanza in attachment.into_held() {
            if let Some(attachment) = self.sessions.get_mut(session) {
                attachment.hold_on(stanza);
            } else if let Some((jid, ask)) = Ask::read(turn, &stanza) {
                self.attach(session, jid, ask);
            } else {
                self.refuse_one(turn, session, &stanza);
            }
        }
    }

    fn refuse_one(&self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        turn.about_earlier(|turn| turn.refuse(&self.me.room, session, stanza, StanzaError::NOT_JOINED));
    }
}

impl Occupancy {
    /// Deals with the first held stanza whose turn has come; false if there is none.
    pub(super) fn release_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let held = self.base.sessions.made_mut().and_then(Sessions::next_held);
        let Some((session, stanza)) = held else { return false };
        turn.about_earlier(|turn| match stanza.kind {
            Kind::Presence(_) if asks_to_join(&stanza) => {
                self.join_asked(turn, session, &stanza);
            }
            Kind::Presence(PresenceType::Available) => {
                self.presence_sent(turn, session, &stanza);
            }
            Kind::Presence(_) => {
                self.probe_sent(turn, session, Stanza::clone(&stanza));
            }
            Kind::Message(_) | Kind::Iq(_) => {
                // while the account is not in, no session has been shown the room, and so none has a turn
                if let Some(mut inside) = self.inside() {
                    inside.release(turn, Some(session), &stanza);
                }
            }
        });
        true
    }

    /// Sends up the held stanzas of a session that has just been detached, at once or when the account is in.
    pub(super) fn release_held(&mut self, turn: &mut Turn<'_>, session: SessionId, attachment: Attachment) {
        let held = attachment.into_held();
        match &mut self.phase {
            Phase::In(stay) => {
                let mut inside = In { stay, base: &mut self.base };
                for stanza in held {
                    inside.release(turn, Some(session), &stanza);
                }
            }
            Phase::Joining(joining) => {
                joining.orphans.adopt(session, held);
            }
            Phase::Out(_) => {}
        }
    }
}

impl In<'_> {
    /// Sends up a held message or query. A question of an ended session is dropped.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, stanza: &Stanza) {
        turn.about_earlier(|turn| match (stanza.kind, session) {
            (Kind::Message(_), _) => self.message_up(turn, session, stanza),
            (Kind::Iq(_), Some(session)) => self.query_up(turn, session, stanza),
            (Kind::Iq(IqType::Set), None) => self.base.map_up(turn, None, stanza, true),
            (Kind::Iq(_), None) | (Kind::Presence(_), _) => {}
        });
    }

    /// The account is in: the orphans go up.
    pub(super) fn release_orphans(&mut self, turn: &mut Turn<'_>, orphans: Orphans) {
        for Orphan { session, stanza } in orphans.stanzas {
            self.release(turn, session, &stanza);
        }
    }
}

impl Entering<'_> {
    /// Nobody waits for the join any more: the orphans go up ahead of the leave, self-pings too (L7).
    pub(super) fn release_orphans(&mut self, turn: &mut Turn<'_>) {
        for Orphan { session, stanza } in self.joining.take_orphans() {
            turn.about_earlier(|turn| match (stanza.kind, session) {
                (Kind::Message(_), _) => self.base.message_up(turn, session, &stanza),
                (Kind::Iq(_), Some(_)) | (Kind::Iq(IqType::Set), None) => {
                    self.base.map_up(turn, session, &stanza, false);
                }
                (Kind::Iq(_), None) | (Kind::Presence(_), _) => {}
            });
        }
    }

    /// The join has failed: the orphans are refused.
    pub(super) fn refuse_orphans(&mut self, turn: &mut Turn<'_>) {
        for Orphan { session, stanza } in self.joining.take_orphans() {
            if let Some(session) = session {
                self.base.refuse_one(turn, session, &stanza);
            }
        }
    }
}

impl Joining {
    fn take_orphans(&mut self) -> Vec<Orphan> {
        std::mem::take(&mut self.orphans).stanzas
    }
}

/// Whether a held stanza goes up although its session has left: others get it.
fn outlives_session(stanza: &Stanza) -> bool {
    !matches!(stanza.kind, Kind::Presence(_))
}
