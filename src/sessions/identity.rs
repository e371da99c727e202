//! Who the account is in a room: its address there, and the nicks it had.

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::SessionId;
use crate::turn::Turn;
use crate::xmpp::jid::{BareJid, Jid, Nick};
use crate::xmpp::stanza::{Element, IqType, Kind, PresenceType, Stanza};

/// The account, the room, and the nick that the account has, had or asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) account: BareJid,
    pub(crate) room: BareJid,
    pub(crate) nick: Nick,
    former: Vec<FormerNick>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FormerNick {
    nick: Nick,
    changed_ms: u64,
    changed_by: Option<SessionId>,
}

impl Identity {
    pub(crate) fn new(account: BareJid, room: BareJid, nick: Nick) -> Self {
        Self { account, room, nick, former: Vec::new() }
    }

    /// The account's own occupant JID.
    pub(crate) fn occupant(&self) -> Jid {
        self.room.occupant(&self.nick)
    }

    /// Starts a presence of the account to its own occupant JID.
    pub(crate) fn presence(&self, presence_type: PresenceType, id: &str) -> Stanza {
        Stanza::new(Kind::Presence(presence_type))
            .from(self.account.to_jid())
            .to(self.occupant())
            .id(Some(id))
    }

    /// A question of the account to the room.
    pub(crate) fn question(&self, kind: IqType, id: &str, payload: Element) -> Stanza {
        Stanza::new(Kind::Iq(kind))
            .from(self.account.to_jid())
            .to(self.room.to_jid())
            .id(Some(id))
            .child(payload)
    }

    /// Takes another nick; the old one is remembered for an hour (design decision 5).
    pub(crate) fn rename(&mut self, nick: Nick, changed_by: Option<SessionId>, turn: &Turn<'_>) {
        let changed_ms = turn.now.monotonic_ms;
        self.former
            .retain(|former| turn.since(former.changed_ms) < limit::FORMER_NICK_MS && former.nick != nick);
        if self.former.len() >= limit::FORMER_NICKS {
            self.former.remove(0);
        }
        let old = std::mem::replace(&mut self.nick, nick);
        self.former.push(FormerNick { nick: old, changed_ms, changed_by });
    }

    /// When it took another nick the last time, if it is known.
    pub(crate) fn renamed_ms(&self) -> Option<u64> {
        self.former.last().map(|former| former.changed_ms)
    }

    /// Whether the account had that nick within the hour.
    pub(crate) fn had(&self, nick: &Nick, turn: &Turn<'_>) -> bool {
        self.former
            .iter()
            .any(|former| former.nick == *nick && turn.since(former.changed_ms) < limit::FORMER_NICK_MS)
    }

    /// Whether presence of that session to that nick crossed with a nick change that it did not ask for (N3).
    pub(crate) fn crossed(&self, nick: &Nick, session: SessionId, turn: &Turn<'_>) -> bool {
        self.former.iter().any(|former| {
            former.nick == *nick
                && former.changed_by != Some(session)
                && turn.since(former.changed_ms) < limit::NICK_CROSSING_MS
        })
    }
}
