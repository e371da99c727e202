//! The room's archive (XEP-0313). A session asks it by itself, and gets the results. If the room answers
//! occupants only, the account asks again on behalf of the session (I8).

use serde::{Deserialize, Serialize};

use super::base::Base;
use crate::config::limit;
use crate::event::SessionId;
use crate::pending::expiring::{Expiring, OfSession, Value};
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Element, IqType, Kept, Kind, Stanza};

/// The namespaces of queries to an archive, and of their results.
pub(super) const NS_ARCHIVE: [&str; 4] =
    ["urn:xmpp:mam:2", "urn:xmpp:mam:1", "urn:xmpp:mam:0", "urn:xmpp:mam:tmp"];

/// The queries to the room's archive that may have to be asked again, and those that have been.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RoomArchive {
    /// By the id that the session gave.
    asked: Expiring<Option<Box<str>>, Asked>,
    /// By the `queryid` of ours.
    repeated: Expiring<Box<str>, Repeated>,
}

/// A query that went out from the session itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    session: SessionId,
    query: Kept,
}

/// A query that the account has asked again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Repeated {
    session: SessionId,
    queryid: Option<Box<str>>,
}

impl Value for Asked {}
impl Value for Repeated {}

impl Cost for Asked {
    fn outside(&self) -> usize {
        self.query.outside()
    }
}

impl Cost for Repeated {
    fn outside(&self) -> usize {
        self.queryid.outside()
    }
}

impl OfSession for Asked {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
}

impl OfSession for Repeated {
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
}

impl RoomArchive {
    /// Whether an error to a session may have to be looked at.
    pub(super) fn has_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The session has ended.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.asked.forget(session);
        self.repeated.forget(session);
    }

    /// About how many bytes what is asked costs.
    pub(super) fn cost(&self) -> usize {
        self.asked.cost() + self.repeated.cost()
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.asked.deadline().into_iter().chain(self.repeated.deadline()).min()
    }

    pub(super) fn expire(&mut self, turn: &Turn<'_>) {
        self.asked.take_due(turn.now.monotonic_ms);
        self.repeated.take_due(turn.now.monotonic_ms);
    }

    /// The query of a session that an error answers.
    fn refused(&mut self, error: &Stanza) -> Option<Asked> {
        self.asked.take(&error.id, |asked| asked.query.from == error.to)
    }

    fn repeated_by(&self, message: &Stanza) -> Option<&Repeated> {
        let result = message.children.iter().find(|child| is_of_archive("result", child))?;
        self.repeated.get(&result.attribute("queryid")?.into())
    }
}

fn is_result(message: &Stanza) -> bool {
    message.children.iter().any(|child| is_of_archive("result", child))
}

fn is_of_archive(name: &str, element: &Element) -> bool {
    &*element.name == name && NS_ARCHIVE.contains(&&*element.namespace)
}

fn set_queryid(stanza: &mut Stanza, name: &str, queryid: Option<&str>) {
    for element in stanza.children.iter_mut().filter(|child| is_of_archive(name, child)) {
        element.set_attribute("queryid", queryid);
    }
}

impl Base {
    /// A session asks the archive by itself.
    pub(super) fn note_archive_asked(&mut self, turn: &mut Turn<'_>, session: SessionId, query: &Stanza) {
        let is_query = query.kind == Kind::Iq(IqType::Set)
            && query.children.iter().any(|child| is_of_archive("query", child));
        if !is_query {
            return;
        }
        let asked = Asked { session, query: Kept::own(query.clone()) };
        let deadline_ms = turn.after(limit::QUERY_MS);
        let before = self.room_archive.asked.cost();
        let most = turn.most(before, limit::ARCHIVE_COST);
        self.room_archive.asked.insert_within(most, query.id.clone(), deadline_ms, asked);
        turn.note_growth(before, self.room_archive.asked.cost());
    }

    /// The room refuses a session its archive: the account asks again, if it is in. False if nobody does.
    pub(super) fn archive_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza, is_in: bool) -> bool {
        let Some(Asked { session, query, .. }) = self.room_archive.refused(error) else { return false };
        let is_forbidden = matches!(error.error_condition(), Some("forbidden" | "not-allowed"));
        if !is_forbidden || !self.sessions.has(session) || !is_in {
            return false;
        }
        let mapped = turn.fresh_id();
        let queryid = query.children.iter().find_map(|child| child.attribute("queryid")).map(Into::into);
        let mut again = Stanza::clone(&query);
        set_queryid(&mut again, "query", Some(&mapped));
        let deadline_ms = turn.after(limit::QUERY_MS);
        // sessions ask for one page after the other, so the oldest has had its results
        let repeated = Repeated { session, queryid };
        let before = self.room_archive.repeated.cost();
        let most = turn.most(before, limit::ARCHIVE_COST);
        self.room_archive.repeated.insert_within(most, mapped, deadline_ms, repeated);
        turn.note_growth(before, self.room_archive.repeated.cost());
        turn.about_earlier(|turn| self.map_up(turn, Some(session), &again, is_in));
        true
    }

    /// A result for the account goes to the session that asked, under its own `queryid`; to nobody if it comes too late,
    /// or was never asked for. False if it is none.
    pub(super) fn archive_result_came(&mut self, turn: &mut Turn<'_>, message: &Stanza) -> bool {
        let Some(repeated) = self.room_archive.repeated_by(message) else { return is_result(message) };
        let (session, queryid) = (repeated.session, repeated.queryid.clone());
        let mut result = message.clone();
        set_queryid(&mut result, "result", queryid.as_deref());
        turn.deliver(session, result);
        true
    }

    /// Whether a message from the room is a result of its archive, for the account.
    pub(super) fn is_archive_result(&self, message: &Stanza) -> bool {
        let is_from_room = message.from.as_ref().map(Jid::as_str) == Some(self.me.room.as_str());
        is_from_room && is_result(message)
    }
}
