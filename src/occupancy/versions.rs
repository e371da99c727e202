//! Affiliation versions (XEP-0463): a session asks what has changed since it last looked. The room answers,
//! and no other session gets that answer (J22, J23).

use super::base::Base;
use super::phase::In;
use crate::config::limit;
use crate::event::SessionId;
use crate::room::Room;
use crate::sessions::{Ask, Attachment, Sessions, Stage};
use crate::turn::Turn;
use crate::xmpp::muc::{NS_MUC, NS_MUC_USER};
use crate::xmpp::stanza::{Element, Kept, Node, Stanza};

const NS_VERSIONS: [&str; 2] = ["urn:xmpp:muc:affiliations:1", "urn:xmpp:muc:affiliations:0"];

/// The `<mav/>` of a join, or of what a room says.
fn version(stanza: &Stanza) -> Option<&Element> {
    let x = stanza.find("x", NS_MUC).or_else(|| stanza.find("x", NS_MUC_USER))?;
    x.elements().find(|child| is_version(child))
}

fn is_version(element: &Element) -> bool {
    &*element.name == "mav" && NS_VERSIONS.contains(&&*element.namespace)
}

/// Whether a stanza says what has changed between two versions.
pub(super) fn tells_versions(stanza: &Stanza) -> bool {
    version(stanza).is_some()
}

/// Takes out a version that is not for this session.
pub(super) fn strip_version(presence: &mut Stanza) {
    for x in presence.children.iter_mut().filter(|child| child.is("x", NS_MUC_USER)) {
        x.nodes.retain(|node| !matches!(node, Node::Element(child) if is_version(child)));
    }
}

/// The first waiting session that only the room can answer: it asks for versions, and the room has them.
pub(super) fn asks_versions(sessions: &Sessions, room: &Room) -> Option<SessionId> {
    let asks = |attachment: &Attachment| attachment.ask().is_some_and(Ask::asks_versions);
    sessions.iter().find(|(_, attachment)| room.versioned && asks(attachment)).map(|(session, _)| session)
}

impl Ask {
    /// The version since which the session wants to know.
    fn version(&self) -> Option<&Element> {
        version(&self.join)
    }

    /// Whether it asks for versions, and the room has not been asked.
    pub(super) fn asks_versions(&self) -> bool {
        self.version().is_some() && !self.versions_told
    }
}

impl Base {
    /// The first waiting session that only the room can answer.
    pub(super) fn asks_versions(&self) -> Option<SessionId> {
        asks_versions(&self.sessions, &self.room)
    }

    /// What that session asks of versions, for a join of the account.
    pub(super) fn version_asked(&self, session: SessionId) -> Option<Element> {
        self.sessions.get(session)?.ask()?.version().cloned()
    }

    /// The room is asked on behalf of that session.
    pub(super) fn note_versions_asked(&mut self, session: SessionId) {
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = self.sessions.get_mut(session) {
            ask.versions_told = ask.version().is_some();
        }
    }

    /// Keeps what the room says to that session before it shows the occupants.
    pub(super) fn keep_versions_for(&mut self, turn: &mut Turn<'_>, session: SessionId, message: &Stanza) {
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = self.sessions.get_mut(session)
            && !turn.keep(&mut ask.first, limit::LATER_COST, Kept::shared(message.clone()))
        {
            log::debug!("what {} says of versions is too much to be kept", self.me.room);
        }
    }
}

impl In<'_> {
    /// Forgets the versions in our self-presence: the session that asked for them has them.
    pub(super) fn forget_versions(&mut self) {
        if tells_versions(self.stay.own.shown()) {
            self.stay.own.amend(|mut shown| {
                strip_version(&mut shown);
                shown
            });
        }
    }
}
