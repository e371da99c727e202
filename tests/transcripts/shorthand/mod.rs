//! The short forms of stanzas. Stories use the same forms for what happens and for what the core answers.
//!
//! | form | stanza |
//! |---|---|
//! | `pres NICK ID …`, `gone NICK ID …`, `probe NICK ID …` | presence: available, `unavailable`, `probe` |
//! | `refused NICK ID … ERROR` | presence: `error` |
//! | `gc NICK ID …`, `pm NICK ID …`, `say NICK ID …` | message: `groupchat`, `chat`, without type |
//! | `bounce NICK ID … ERROR` | message: `error` |
//! | `get`, `set`, `result NICK ID …`, `error NICK ID … ERROR` | IQ |
//! | `ping NICK ID` | IQ: `get` with a ping |
//!
//! To the room also:
//!
//! | form | stanza |
//! |---|---|
//! | `join NICK ID MUC\|…` | `pres NICK ID <x xmlns='muc'>MUC</x>…`; the account's MUC is `<history maxstanzas='50'/>` if left out |
//! | `gc ID …` | instead of `gc NICK ID …`: the room itself is meant |
//!
//! From the room also:
//!
//! | form | stanza |
//! |---|---|
//! | `occupant NICK ID …` | `pres NICK ID … {member/participant}` |
//! | `self NICK ID CODES …` | `pres NICK ID … {member/participant me CODES}` |
//! | `gone NICK ID CODES …` | `gone NICK ID … {member/none CODES}`, with `me` if one of the codes is 110 |
//! | `subject NICK TEXT …` | `gc NICK - <subject>TEXT</subject>…` |
//! | `archived QUERYID ID STAMP gc …` | what the room's archive has in answer to a query: a result with that message |
//!
//! NICK is an occupant of the room, or `-` for the room itself; a word with an `@` is a whole address. The ID `-`
//! is none. A `-` can be left out at the end, and in front of `<` and `{`. A message without text says its id:
//! `gc bob m1`.
//!
//! The payload, `…`, keeps its order:
//!
//! | form | element |
//! |---|---|
//! | text | `<body>text</body>` |
//! | `TYPE/CONDITION by ADDRESS: text`, the ERROR | `<error/>`; `by ADDRESS` and `: text` can be left out |
//! | `at=STAMP` | `<delay/>` by the room |
//! | `sid=ID`, `oid=ID` | `<stanza-id/>` by the room, `<occupant-id/>` |
//! | `{…}` | `<x/>` of muc#user |
//! | `<…>` | itself |
//!
//! In braces, `AFFILIATION/ROLE me jid=JID nick=NICK <actor/><reason/>` is an item, of which all but the `/` can be
//! left out; `110,201` are statuses; other elements are themselves. `me` is the address of the account or the
//! session to which the room speaks. The namespaces [`PROTOCOLS`] are told without their common beginning.
//!
//! What is stored is told only in a story that says `tell stores`: `store - TEXT`, `store first - TEXT` if it has to be written
//! before what follows, `nothing` for a record that goes. It is read by `account> loaded - TEXT, ROOM TEXT; BLOCKED …` and `room>
//! host loaded TEXT`.
//!
//! What bookmarks say: `account> bookmarks - NICK password=P`, `bookmarks - not`, `takes its bookmarks away`, and at a login `logs
//! in with - NICK, ROOM NICK`.
//!
//! What goes into the log of the room is told as `log 1500 ms #1: gc bob m1`, with the time since the story began, and in `said …`
//! when it was said, if that differs. The log is read in answer to `read log #2 since -9000 ms`, the newest message first: `log> #2 at
//! -5000 ms said -9000 ms: gc bob m1`, then `log> #2 pauses`, `ends` or `fails`. What has been logged `log> TIME-#1 is in`, or `was in
//! as TIME-ID`.
//!
//! Who is notified: `account> is pushed`, `is pushed no more`, `alone is pushed`, `and all others are pushed no more`; of what:
//! `account> wants - RULE, ROOM RULE`; what a device has shown: `account> displayed ID`. `waits> …` asks whether a push service may
//! be told of a stanza that waits for a session.
//!
//! Everything else is told as XML, without our own address. A stanza is told in the first form that gives back the
//! same stanza when it is read, so no form can hide anything.

mod read;
mod tests;
mod write;

use std::cell::RefCell;
use std::collections::HashMap;

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::{Stanza, XmlError};

pub(crate) const ACCOUNT: &str = "alice@example.org";
pub(crate) const ROOM: &str = "lounge@rooms.example";

const USER: &str = "http://jabber.org/protocol/muc#user";
const DELAY: &str = "urn:xmpp:delay";
const STANZA_ID: &str = "urn:xmpp:sid:0";
const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// What the account asks for when it joins.
const HISTORY: &str = "<history maxstanzas='50'/>";
/// Namespaces that begin with `http://jabber.org/protocol/`.
const PROTOCOLS: [&str; 6] = ["muc", "muc#user", "muc#admin", "caps", "chatstates", "disco#info"];

thread_local! {
    /// What has been told: a story is played again and again.
    static TOLD: RefCell<HashMap<(Way, Stanza), String>> = RefCell::default();
}

/// Between whom a stanza goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// From the room to the account.
    ToAccount,
    /// From the room to the session of that number, without `to`: so the core delivers it.
    ToSession(u32),
    /// From the account to the room.
    FromAccount,
    /// From the session of that number to the room.
    FromSession(u32),
}

impl Way {
    /// The way of what happens, by who says it: `D1`, `room`, or `room to D1` to that session's own address.
    pub(crate) fn of_event(who: &str) -> Option<Self> {
        match (who, who.strip_prefix("room to ")) {
            ("room", _) => Some(Self::ToAccount),
            (_, Some(session)) => number(session).map(Self::ToSession),
            (session, None) => number(session).map(Self::FromSession),
        }
    }

    /// The way of an answer, by who hears it: `D1`, `room`, or `room from D1` from that session's own address.
    pub(crate) fn of_answer(who: &str) -> Option<Self> {
        match (who, who.strip_prefix("room from ")) {
            ("room", _) => Some(Self::FromAccount),
            ("store offline", _) => Some(Self::ToAccount),
            (_, Some(session)) => number(session).map(Self::FromSession),
            (session, None) => number(session).map(Self::ToSession),
        }
    }

    /// Tells an answer: who hears it, and what.
    pub(crate) fn answer(self, stanza: &Stanza) -> String {
        let who = match self {
            Self::ToAccount => "store offline".to_owned(),
            Self::ToSession(number) => format!("D{number}"),
            Self::FromAccount => "room".to_owned(),
            Self::FromSession(number) => format!("room from D{number}"),
        };
        format!("{who} < {}", self.write(stanza))
    }

    /// Reads what a line tells.
    pub(crate) fn read(self, line: &str) -> Stanza {
        self.try_read(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Tells a stanza in as few words as it can be told. Fails if no line gives it back.
    pub(crate) fn write(self, stanza: &Stanza) -> String {
        TOLD.with_borrow_mut(|told| {
            told.entry((self, stanza.clone())).or_insert_with(|| self.shortest(stanza)).clone()
        })
    }

    fn shortest(self, stanza: &Stanza) -> String {
        write::lines(self, stanza)
            .into_iter()
            .find(|line| !line.contains('\n') && self.try_read(line).as_ref() == Ok(stanza))
            .unwrap_or_else(|| panic!("cannot be told: {stanza:?}"))
    }

    /// Reads what a line tells, if it tells a stanza.
    pub(crate) fn try_read(self, line: &str) -> Result<Stanza, XmlError> {
        let stanza = Stanza::from_xml(&read::xml(self, line))?;
        Ok(match self {
            Self::ToAccount => stanza.to(Jid::new(ACCOUNT)),
            Self::ToSession(_) => stanza,
            Self::FromAccount | Self::FromSession(_) => stanza.from(Jid::new(&self.ours())),
        })
    }

    /// Our own address: the account's or the session's.
    pub(crate) fn ours(self) -> String {
        match self {
            Self::ToAccount | Self::FromAccount => ACCOUNT.to_owned(),
            Self::ToSession(number) | Self::FromSession(number) => format!("{ACCOUNT}/d{number}"),
        }
    }

    fn is_from_room(self) -> bool {
        matches!(self, Self::ToAccount | Self::ToSession(_))
    }
}

fn number(session: &str) -> Option<u32> {
    session.strip_prefix('D')?.parse().ok()
}

fn with_whole_namespaces(xml: &str) -> String {
    PROTOCOLS.iter().fold(xml.to_owned(), |xml, name| xml.replace(&short(name), &whole(name)))
}

fn with_short_namespaces(xml: &str) -> String {
    PROTOCOLS.iter().fold(xml.to_owned(), |xml, name| xml.replace(&whole(name), &short(name)))
}

fn short(name: &str) -> String {
    format!(" xmlns='{name}'")
}

fn whole(name: &str) -> String {
    format!(" xmlns='http://jabber.org/protocol/{name}'")
}
