//! The room's archive (XEP-0313): a session asks it by itself, and so gets its results. A room that has them
//! for occupants only is asked again by the account, on behalf of the session (I8).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Occupancy, Phase, Way};
use crate::config::limit;
use crate::event::SessionId;
use crate::jid::Jid;
use crate::stanza::{Element, IqType, Kept, Kind, Stanza};
use crate::turn::Turn;

/// The namespaces of queries to an archive, and of their results.
pub(super) const NS_ARCHIVE: [&str; 4] =
    ["urn:xmpp:mam:2", "urn:xmpp:mam:1", "urn:xmpp:mam:0", "urn:xmpp:mam:tmp"];

/// The queries to the room's archive that may have to be asked again, and those that have been.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Archive {
    asked: VecDeque<Asked>,
    /// By the `queryid` of ours.
    repeated: BTreeMap<Box<str>, Repeated>,
}

/// A query that went out from the session itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    session: SessionId,
    query: Kept,
    deadline_ms: u64,
}

/// A query that the account has asked again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Repeated {
    session: SessionId,
    queryid: Option<Box<str>>,
    deadline_ms: u64,
}

impl Archive {
    /// Whether an error to a session may have to be looked at.
    pub(super) fn has_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether results may come for the account.
    pub(super) fn has_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.asked.retain(|asked| asked.session != session);
        self.repeated.retain(|_, repeated| repeated.session != session);
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let asked = self.asked.iter().map(|asked| asked.deadline_ms);
        asked.chain(self.repeated.values().map(|repeated| repeated.deadline_ms)).min()
    }

    pub(super) fn expire(&mut self, turn: &Turn<'_>) {
        self.asked.retain(|asked| !turn.is_due(asked.deadline_ms));
        self.repeated.retain(|_, repeated| !turn.is_due(repeated.deadline_ms));
    }

    /// Sessions ask for one page after the other, so the oldest has had its results.
    fn make_space(&mut self) {
        let oldest = self.repeated.iter().min_by_key(|(_, repeated)| repeated.deadline_ms);
        if let Some(oldest) =
            oldest.map(|(id, _)| id.clone()).filter(|_| self.repeated.len() >= limit::ARCHIVE_QUERIES)
        {
            self.repeated.remove(&oldest);
        }
    }

    /// The query of a session that an error answers.
    fn refused(&mut self, error: &Stanza) -> Option<Asked> {
        let is_answered = |asked: &Asked| asked.query.id == error.id && asked.query.from == error.to;
        let position = self.asked.iter().position(is_answered)?;
        self.asked.remove(position)
    }

    fn repeated_by(&self, message: &Stanza) -> Option<&Repeated> {
        let result = message.children.iter().find(|child| is_of_archive("result", child))?;
        self.repeated.get(result.attribute("queryid")?)
    }

    /// Whether a message is a result that the account has asked for.
    pub(super) fn is_result(&self, message: &Stanza) -> bool {
        self.repeated_by(message).is_some()
    }
}

fn is_of_archive(name: &str, element: &Element) -> bool {
    &*element.name == name && NS_ARCHIVE.contains(&&*element.namespace)
}

fn set_queryid(stanza: &mut Stanza, name: &str, queryid: Option<&str>) {
    for element in stanza.children.iter_mut().filter(|child| is_of_archive(name, child)) {
        element.set_attribute("queryid", queryid);
    }
}

impl Occupancy {
    /// A session asks the archive by itself.
    pub(super) fn note_archive_asked(&mut self, turn: &Turn<'_>, session: SessionId, query: &Stanza) {
        let is_query = query.kind == Kind::Iq(IqType::Set)
            && query.children.iter().any(|child| is_of_archive("query", child));
        if !is_query {
            return;
        }
        if self.archive.asked.len() >= limit::ARCHIVE_QUERIES {
            self.archive.asked.pop_front();
        }
        let asked =
            Asked { session, query: Kept::own(query.clone()), deadline_ms: turn.after(limit::QUERY_MS) };
        self.archive.asked.push_back(asked);
    }

    /// The room refuses a session its archive: the account asks again, if it is in. False if nobody does.
    pub(super) fn archive_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let Some(Asked { session, query, .. }) = self.archive.refused(error) else { return false };
        let is_forbidden = matches!(error.error_condition(), Some("forbidden" | "not-allowed"));
        if !is_forbidden || !self.sessions.has(session) || !matches!(self.phase, Phase::In(_)) {
            return false;
        }
        self.archive.make_space();
        let mapped = turn.fresh_id();
        let queryid = query.children.iter().find_map(|child| child.attribute("queryid")).map(Into::into);
        let mut again = Stanza::clone(&query);
        set_queryid(&mut again, "query", Some(&mapped));
        let deadline_ms = turn.after(limit::QUERY_MS);
        self.archive.repeated.insert(mapped, Repeated { session, queryid, deadline_ms });
        self.map_up(turn, Some(session), &again, Way::Held);
        true
    }

    /// A result for the account goes to the session that asked, under its own `queryid`. False if it is none.
    pub(super) fn archive_result_came(&mut self, turn: &mut Turn<'_>, message: &Stanza) -> bool {
        let Some(repeated) = self.archive.repeated_by(message) else { return false };
        let (session, queryid) = (repeated.session, repeated.queryid.clone());
        let mut result = message.clone();
        set_queryid(&mut result, "result", queryid.as_deref());
        turn.deliver(session, result);
        true
    }

    /// Whether a message from the room is a result that the account has asked for.
    pub(crate) fn is_archive_result(&self, message: &Stanza) -> bool {
        let is_from_room = message.from.as_ref().map(Jid::as_str) == Some(self.me.room.as_str());
        is_from_room && self.archive.is_result(message)
    }

    /// Whether such results may come.
    pub(crate) fn awaits_archive_results(&self) -> bool {
        self.archive.has_repeated()
    }
}
