//! What the core orders.

use super::{Id, SessionId};
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::{BareJid, FullJid};
use crate::xmpp::stanza::Kept;

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The stanza in hand to these sessions, readdressed.
    Relay {
        /// Whom to, and under which id.
        sessions: Vec<(SessionId, Id)>,
    },
    /// A stanza that the core kept or made, to one session; `to` is set on delivery.
    Deliver {
        /// The session.
        session: SessionId,
        /// The stanza.
        stanza: Kept,
    },
    /// The stanza in hand to the room, from the account; the last action of its outcome.
    Forward {
        /// Its id on the way.
        id: Id,
    },
    /// An error in answer to the stanza in hand.
    Reply {
        /// The error.
        error: StanzaError,
        /// The room, which the error names in `by`.
        by: BareJid,
    },
    /// A stanza that the core made, from the account to the room; queued.
    Send {
        /// The stanza, with `from` and `to`.
        stanza: Kept,
    },
    /// A stanza that the core made, from the full JID of a session to the room; queued.
    SendAs {
        /// The session's address.
        session: FullJid,
        /// The stanza, with `to`.
        stanza: Kept,
    },
    /// Takes back what is queued from that account to that room.
    Drop {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
    },
    /// A *sent* carbon of a stanza that another session sent, to those of these sessions that enabled
    /// carbons.
    Mirror {
        /// The other sessions.
        sessions: Vec<SessionId>,
        /// The stanza, if it was held until a join was answered. Otherwise it is the one in hand.
        stanza: Option<Kept>,
    },
    /// A query of the host itself for what a service is (XEP-0030): does it answer?
    AskService {
        /// The service.
        domain: String,
        /// The id of the query.
        id: Box<str>,
    },
    /// What is to be stored of an account.
    Store {
        /// The account.
        account: BareJid,
        /// The text of each room that has changed; nothing where the record goes.
        rooms: Vec<(BareJid, Option<String>)>,
        /// Whether it has to be written before the actions that follow are performed.
        at_once: bool,
    },
    /// The account's push services are to be told of a message that no session of theirs gets.
    Notify {
        /// The message, if it is not the stanza in hand.
        stanza: Option<Kept>,
    },
    /// A groupchat message into the log of its room, which is that of all accounts (design decision 22).
    Log {
        /// The room.
        room: BareJid,
        /// The id that the message gets in each of their archives.
        id: Box<str>,
        /// By what it is known when it comes again.
        print: u64,
        /// When it was received, in UTC.
        at_ms: i64,
        /// When it was said, if the room says so.
        said_ms: Option<i64>,
        /// The message, without `to`.
        stanza: Kept,
    },
    /// What the account sees of the log of a room is to be read, the newest message first, and told by [`Event::LogRead`].
    ReadLog {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
        /// The id of this order.
        id: Box<str>,
        /// Messages that were received before that time, in UTC, are not wanted.
        since_ms: Option<i64>,
    },
    /// A private message into the account's offline storage.
    StoreOffline {
        /// The message, if it is not the stanza in hand.
        stanza: Option<Kept>,
    },
}
