//! What an occupancy has in every phase.

use serde::{Deserialize, Serialize};

use super::blocked::Blocked;
use super::direct::Directs;
use super::logging::View;
use super::notice::Notice;
use super::room_archive::RoomArchive;
use crate::lazy::Lazy;
use crate::pending::queries::Queries;
use crate::pending::senders::Senders;
use crate::pending::subscriptions::Subscriptions;
use crate::room::Room;
use crate::sessions::Sessions;
use crate::sessions::identity::Identity;
use crate::xmpp::jid::{BareJid, Nick};

/// Who the account is, its sessions, its copy of the room, and what awaits an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) me: Identity,
    pub(super) sessions: Lazy<Sessions>,
    pub(super) room: Lazy<Room>,
    pub(super) senders: Senders,
    pub(super) subscriptions: Subscriptions,
    pub(super) queries: Lazy<Queries>,
    pub(super) directs: Directs,
    pub(super) blocked: Blocked,
    pub(super) room_archive: RoomArchive,
    /// Nothing while nothing has been logged that the account sees.
    pub(super) view: Option<Box<View>>,
    /// Nothing while nobody wants to be notified.
    pub(super) notice: Option<Box<Notice>>,
}

impl Base {
    /// A join would show other presences than the kept ones.
    pub(super) fn forget_current(&mut self) {
        if let Some(room) = self.room.made_mut() {
            room.is_current = false;
        }
    }

    /// The account is out, and no session waits to come in: none need be known.
    pub(super) fn forget_last_session(&mut self) {
        if self.sessions.made_mut().is_some_and(|sessions| sessions.is_empty()) {
            self.sessions = Lazy::default();
        }
    }

    pub(super) fn new(account: BareJid, room: BareJid) -> Self {
        Self {
            me: Identity::new(account, room, Nick::new("")),
            sessions: Lazy::default(),
            room: Lazy::default(),
            senders: Senders::default(),
            subscriptions: Subscriptions::default(),
            queries: Lazy::default(),
            directs: Directs::default(),
            blocked: Blocked::default(),
            room_archive: RoomArchive::default(),
            view: None,
            notice: None,
        }
    }
}
