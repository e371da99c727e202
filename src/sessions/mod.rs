//! The sessions that are attached to an occupancy, and what each of them is shown next.

mod attachment;
mod avatar;
pub(crate) mod identity;
mod representative;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::avatar::Avatar;
use crate::event::SessionId;
use crate::lazy::can_be_empty;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::FullJid;
use crate::xmpp::stanza::Kept;

pub(crate) use self::attachment::{Ask, Attachment, Connection, LogFor, ResyncFor, SearchFor, Stage};
pub(crate) use self::representative::{is_nobody_there, nobody_there};

/// The attached sessions, and which of them the room is shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sessions {
    /// Boxed, because a node of the map has space for eleven.
    attached: BTreeMap<SessionId, Box<Attachment>>,
    representative: Option<SessionId>,
    /// The session that was detached last, since none is attached.
    #[serde(default)]
    last: Option<FullJid>,
    /// Counts the changes of the sessions. A later presence has a higher count.
    changes: u64,
    /// About how many bytes they cost, without what waits for them.
    cost: usize,
    pub(crate) avatar: Avatar,
}

can_be_empty!(Sessions);

impl Sessions {
    /// Attaches a session, or has an attached one ask anew; what it had sent meanwhile stays held.
    pub(crate) fn attach(&mut self, session: SessionId, jid: FullJid, presence: Kept, ask: Ask) {
        self.changes += 1;
        self.last = None;
        self.avatar.learn(&presence);
        let order = self.changes;
        self.cost += Attachment::COST + presence.cost() + jid.outside();
        match self.attached.get_mut(&session) {
            Some(known) => {
                self.cost = self.cost.saturating_sub(known.cost());
                known.ask_anew(presence, order, ask);
            }
            None => {
                self.attached.insert(session, Box::new(Attachment::new(jid, presence, order, ask)));
            }
        }
    }

    /// Takes in a presence that an attached session sent.
    pub(crate) fn update(&mut self, session: SessionId, presence: Kept) {
        self.changes += 1;
        self.avatar.learn(&presence);
        if let Some(attachment) = self.attached.get_mut(&session) {
            self.cost = (self.cost + presence.cost()).saturating_sub(attachment.presence.cost());
            attachment.presence = presence;
            attachment.order = self.changes;
        }
    }

    /// Forgets messages that came before the occupants: they belong to a stay that has ended.
    pub(crate) fn forget_first(&mut self) {
        for attachment in self.attached.values_mut() {
            if let Stage::Waiting(ask) = &mut attachment.stage {
                ask.first.clear();
            }
        }
    }

    pub(crate) fn detach(&mut self, session: SessionId) -> Option<Attachment> {
        self.changes += 1;
        if self.representative == Some(session) {
            self.representative = None;
        }
        let detached = self.attached.remove(&session)?;
        if self.attached.is_empty() {
            self.attached = BTreeMap::new(); // an empty map that was used keeps a node
        }
        self.cost = self.cost.saturating_sub(detached.cost());
        self.last = self.attached.is_empty().then(|| detached.jid.clone());
        Some(*detached)
    }

    /// The session that was the last, if none is attached.
    pub(crate) fn last(&self) -> Option<&FullJid> {
        self.last.as_ref()
    }

    /// Detaches all sessions that have seen some of the room, in order. Waiting ones have seen nothing.
    pub(crate) fn detach_shown(&mut self) -> BTreeMap<SessionId, Box<Attachment>> {
        self.changes += 1;
        self.representative = None;
        let all = std::mem::take(&mut self.attached).into_iter();
        let (waiting, shown) = all.partition(|(_, attachment)| attachment.ask().is_some());
        self.attached = waiting;
        for attachment in self.attached.values_mut() {
            attachment.forget_stay();
        }
        self.cost = self.attached.values().map(|attachment| attachment.cost()).sum();
        shown
    }

    /// Notes what became of a session's stream.
    pub(crate) fn note_connection(&mut self, session: SessionId, connection: Connection) {
        if let Some(attachment) = self.attached.get_mut(&session) {
            attachment.connection = connection;
        }
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<&Attachment> {
        self.attached.get(&session).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Attachment> {
        self.attached.get_mut(&session).map(Box::as_mut)
    }

    pub(crate) fn has(&self, session: SessionId) -> bool {
        self.attached.contains_key(&session)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.attached.is_empty()
    }

    /// All attached sessions.
    pub(crate) fn all(&self) -> Vec<SessionId> {
        self.attached.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Attachment)> {
        self.attached.iter().map(|(session, attachment)| (*session, &**attachment))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut Attachment)> {
        self.attached.iter_mut().map(|(session, attachment)| (*session, &mut **attachment))
    }

    /// The count of changes. While it is the same, the presence for the room is the same.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The joins that are not answered yet.
    pub(crate) fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.attached.values().filter_map(|attachment| attachment.ask())
    }

    /// The joins that are not answered yet, to be changed.
    pub(crate) fn asks_mut(&mut self) -> impl Iterator<Item = &mut Ask> {
        self.attached.values_mut().filter_map(|attachment| match &mut attachment.stage {
            Stage::Waiting(ask) => Some(ask),
            Stage::Replaying(_) | Stage::Live => None,
        })
    }

    /// Whether the join of any is not answered yet.
    pub(crate) fn any_waits(&self) -> bool {
        self.attached.values().any(|attachment| attachment.ask().is_some())
    }

    /// The first stanza that a session sent before it was shown the whole room, and whose turn has come.
    pub(crate) fn next_held(&mut self) -> Option<(SessionId, Kept)> {
        self.attached.iter_mut().find_map(|(session, attachment)| Some((*session, attachment.next_held()?)))
    }

    /// Whether any is being shown the room.
    pub(crate) fn any_is_shown_the_room(&self) -> bool {
        self.attached.values().any(|attachment| matches!(attachment.stage, Stage::Replaying(_)))
    }

    /// How many are attached.
    pub(crate) fn len(&self) -> usize {
        self.attached.len()
    }

    /// About how many bytes they cost, without what waits for them.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// About how many bytes wait with all of them.
    pub(crate) fn waiting_cost(&self) -> usize {
        self.attached.values().map(|attachment| attachment.waiting_cost()).sum()
    }

    /// The sessions whose joins are not answered yet.
    pub(crate) fn waiting(&self) -> Vec<SessionId> {
        self.iter().filter(|(_, attachment)| attachment.ask().is_some()).map(|(session, _)| session).collect()
    }
}
