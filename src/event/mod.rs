//! All that goes into the core and all that comes out of it.

mod action;

use serde::{Deserialize, Serialize};

pub use self::action::Action;
use crate::bookmark::Bookmark;
use crate::config::Config;
use crate::push::Rule;
use crate::xmpp::jid::{BareJid, FullJid, Jid};
use crate::xmpp::stanza::Stanza;

/// The two clocks, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// A clock that only goes forward, for deadlines.
    pub monotonic_ms: u64,
    /// The time of day since 1970 in UTC, for stamps.
    pub utc_ms: i64,
}

impl Now {
    /// How long that time by the clock for deadlines is ago, in milliseconds.
    pub(crate) fn since(self, past_ms: u64) -> u64 {
        self.monotonic_ms.saturating_sub(past_ms)
    }
}

/// The wrapper's number of a session. No other session ever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// What happened. Every event is a fact.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session sent a stanza; its `from` is the session's full JID.
    ClientStanza {
        /// The session.
        session: SessionId,
        /// What it sent.
        stanza: Stanza,
    },
    /// A session sent `unavailable` without `to` (RFC 6121 §4.5).
    SessionUnavailable {
        /// The session.
        session: SessionId,
    },
    /// The connection of a session broke, its stream may be resumed (XEP-0198 §5).
    Hibernated {
        /// The session.
        session: SessionId,
    },
    /// The stream of a session was resumed.
    Resumed {
        /// The session.
        session: SessionId,
    },
    /// A session ended.
    SessionGone {
        /// The session.
        session: SessionId,
    },
    /// A room, or somebody in it, sent a stanza to the account, or to a session that is in by itself.
    RoomStanza {
        /// What was sent; `to` is the account or the session, `from` the room or an occupant.
        stanza: Stanza,
    },
    /// A stanza of a room could not be delivered to a session.
    DeliveryFailed {
        /// The session, if it is known.
        session: Option<SessionId>,
        /// The `to` of the stanza.
        to: Jid,
        /// The `from` of the stanza.
        from: Jid,
        /// The stanza itself, if it is still there.
        stanza: Option<Stanza>,
    },
    /// A stream to another server is being set up. Until it is, what rooms there are asked waits.
    StreamBegun {
        /// The other server.
        domain: String,
    },
    /// A stream to another server has been set up, or can't be. What waited is sent, or bounced.
    StreamSettled {
        /// The other server.
        domain: String,
    },
    /// A stream with another server stands.
    StreamEstablished {
        /// The other server.
        domain: String,
        /// Whether the other server has set it up.
        is_of_peer: bool,
    },
    /// A stream with another server has ended. Accounts may be out of the rooms there.
    ServiceLost {
        /// The other server.
        domain: String,
        /// Whether it was closed as it should be, for being idle perhaps. Otherwise the server may be out of reach.
        in_peace: bool,
        /// Whether it brought what the service says: that may be lost with it.
        is_incoming: bool,
    },
    /// What a service was asked by [`Action::AskService`] is answered.
    ServiceAnswered {
        /// The service.
        domain: String,
        /// The id of the question.
        id: String,
        /// The condition of the error that has come instead of an answer.
        error: Option<String>,
    },
    /// A session has been in a room by itself since before the module was loaded.
    AlreadyIn {
        /// The session.
        session: SessionId,
        /// Its full JID.
        jid: FullJid,
        /// Its occupant JID.
        occupant: Jid,
    },
    /// A session begins or ends to watch a service for activity in rooms that it is not in (XEP-0437).
    WatchChanged {
        /// The session.
        session: SessionId,
        /// Its account.
        account: BareJid,
        /// The service.
        service: BareJid,
        /// Whether it watches.
        watches: bool,
    },
    /// The whole block list of the account (XEP-0191): occupants, rooms, services.
    BlockListChanged {
        /// The account.
        account: BareJid,
        /// All that it blocks.
        blocked: Vec<Jid>,
    },
    /// The account is deleted.
    AccountGone {
        /// The account.
        account: BareJid,
    },
    /// The account has published an avatar (XEP-0084).
    AvatarPublished {
        /// The account.
        account: BareJid,
        /// Its hash; empty if the avatar was taken away.
        hash: String,
    },
    /// A bookmark was published, perhaps as it was, or was taken away (XEP-0402).
    BookmarkChanged {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
        /// What it says; nothing if it does not have the account join.
        bookmark: Option<Bookmark>,
    },
    /// All bookmarks were taken away.
    BookmarksPurged {
        /// The account.
        account: BareJid,
    },
    /// The account logs in, or may again, and its bookmarks were read.
    LoggedIn {
        /// The account.
        account: BareJid,
        /// Those that have it join rooms; nothing if they can't be read.
        bookmarks: Option<Vec<(BareJid, Bookmark)>>,
    },
    /// These accounts, and no others, have push services (XEP-0357).
    Pushed {
        /// The accounts.
        accounts: Vec<BareJid>,
    },
    /// An account has a push service, or none any more.
    PushChanged {
        /// The account.
        account: BareJid,
        /// Whether it has one.
        is_pushed: bool,
    },
    /// What bookmarks say of notifications (XEP-0492).
    RulesRead {
        /// The account.
        account: BareJid,
        /// What the bookmark of each room says.
        rules: Vec<(BareJid, Rule)>,
    },
    /// A device of the account has shown its user a room, up to a message (XEP-0490).
    Displayed {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
        /// The room's id of that message.
        stanza_id: String,
    },
    /// The log of a room is read, as [`Action::ReadLog`] has ordered.
    LogRead {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
        /// The id of the order.
        id: String,
        /// What has been found.
        found: InLog,
    },
    /// A message of the past, logged by [`Action::Log`], is in the log.
    LogSettled {
        /// The room.
        room: BareJid,
        /// The id that it was to get.
        id: String,
        /// The id that it has there: another if it has been there before.
        known_as: String,
    },
    /// The options have changed; rooms that they now exclude are handed back.
    Configured {
        /// The options.
        config: Config,
    },
    /// An event about that room caused a panic.
    Abandoned {
        /// The account.
        account: BareJid,
        /// The room.
        room: BareJid,
    },
    /// The earliest deadline has come.
    DeadlineReached,
    /// The module is unloaded for good: every session takes over its rooms itself. As the next one and
    /// [`Event::ServerStopping`], it comes again as long as [`crate::bouncer::Bouncer::has_more`].
    Unloading,
    /// The host is taken down while the server goes on: the accounts leave.
    HostGone,
    /// What is stored of the host; comes before anything that is stored of an account.
    HostLoaded {
        /// As [`crate::bouncer::Bouncer::host_record`] made it.
        text: String,
    },
    /// What is stored of an account, and whom it blocks.
    Loaded {
        /// The account.
        account: BareJid,
        /// The text of each room.
        records: Vec<(BareJid, String)>,
        /// All that it blocks.
        blocked: Vec<Jid>,
    },
    /// The server stops. The accounts stay in their rooms.
    ServerStopping,
}

/// What is found in the log of a room, the newest first.
#[derive(Clone, Debug)]
pub enum InLog {
    /// A message that the account sees.
    Message {
        /// The id that it has in the account's archive.
        id: String,
        /// When it was received, in UTC.
        at_ms: i64,
        /// When it was said, if the room has said so.
        said_ms: Option<i64>,
        /// The message.
        stanza: Stanza,
    },
    /// Some messages have been told. [`crate::bouncer::Bouncer::reads_log`] says whether more are wanted.
    Pause,
    /// There are no more.
    End,
    /// It can't be read.
    Unreadable,
}

/// In whose name the other modules of the host are shown a stanza of a room, before the core takes it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownFor {
    /// In nobody's: the core takes it in at once.
    Nobody,
    /// In that of the session which stands for the account.
    Session(SessionId),
    /// In that of the session which was the last to stand for it: none is attached.
    Absent,
}

/// What becomes of the stanza in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Prosody goes on with it as if we were not there; the reason is for the log.
    Pass(&'static str),
    /// It has been dealt with.
    Handled,
}

/// The id under which a session or a room is sent a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// As it is.
    Keep,
    /// Another one.
    Set(Box<str>),
    /// None.
    Remove,
}

impl Id {
    /// The stanza under that id.
    #[must_use]
    pub fn put_on(self, mut stanza: Stanza) -> Stanza {
        match self {
            Self::Keep => {}
            Self::Set(id) => stanza.id = Some(id),
            Self::Remove => stanza.id = None,
        }
        stanza
    }
}

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of the stanza in hand.
    pub verdict: Verdict,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// When the core wants to be woken, on the monotonic clock; armed before the actions are performed.
    pub wake_at: Option<u64>,
}
