//! A bookmark has the account join, holds it, and lets it go (XEP-0402, design decisions 2, 11).
//!
//! A join that no session asked for never creates a room: the account first asks whether there is one.

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::joining::Request;
use super::past::Past;
use super::phase::Phase;
use crate::bookmark::Bookmark;
use crate::config::limit;
use crate::event::Now;
use crate::room::kinds::NS_DISCO_INFO;
use crate::sessions::identity::Identity;
use crate::sessions::nobody_there;
use crate::turn::Turn;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::{Departure, NS_MUC};
use crate::xmpp::stanza::{Element, IqType, Kept, Kind, PresenceType, Stanza};

/// The account has asked whether there is a room that a bookmark has it join.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Inquiry {
    id: Box<str>,
    pub(super) until_ms: u64,
    bookmark: Bookmark,
}

impl Past {
    fn inquire(&mut self, turn: &mut Turn<'_>, bookmark: Bookmark, me: &Identity) {
        let id = turn.fresh_id();
        let query = me.question(IqType::Get, &id, Element::build("query", NS_DISCO_INFO).done());
        let until_ms = turn.after(limit::QUERY_MS);
        self.inquiry = Some(Box::new(Inquiry { id, until_ms, bookmark }));
        turn.send(query);
    }

    /// Takes out the inquiry that is answered, if it is.
    fn take_inquiry(&mut self, answer: &Stanza) -> Option<Box<Inquiry>> {
        self.inquiry.take_if(|inquiry| {
            matches!(answer.kind, Kind::Iq(IqType::Result | IqType::Error))
                && answer.id.as_deref() == Some(&*inquiry.id)
                && answer.sender_nick().is_none()
        })
    }
}

impl Occupancy {
    /// The account is to join because of a bookmark. If there is no such room, it does not.
    pub(crate) fn inquire(&mut self, turn: &mut Turn<'_>, bookmark: Bookmark) {
        let may_join = !self.base.has_directs() && !self.base.blocks(self.base.me.room.as_str());
        match &mut self.phase {
            Phase::Out(past) if may_join => past.inquire(turn, bookmark, &self.base.me),
            Phase::Out(_) | Phase::Joining(_) | Phase::In(_) => {}
        }
    }

    /// Whether the account has asked for a room, to join it.
    pub(crate) fn is_inquiring(&self) -> bool {
        self.inquiry().is_some()
    }

    pub(super) fn inquiry(&self) -> Option<&Inquiry> {
        match &self.phase {
            Phase::Out(past) => past.inquiry.as_deref(),
            Phase::Joining(_) | Phase::In(_) => None,
        }
    }

    /// Takes the answer whether there is such a room; false if the stanza is none.
    pub(super) fn inquiry_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let answered = match &mut self.phase {
            Phase::Out(past) => past.take_inquiry(answer),
            Phase::Joining(_) | Phase::In(_) => None,
        };
        let Some(inquiry) = answered else { return false };
        if is_room(answer) {
            self.base.kind_told(turn, answer);
            self.join_by_bookmark(turn, inquiry.bookmark);
        } else {
            let why = answer.error_condition().unwrap_or("it is no room");
            log::debug!(
                "a bookmark does not bring {} into {}: {why}",
                self.base.me.account,
                self.base.me.room
            );
        }
        true
    }

    /// Nobody says whether there is such a room, or nobody wants to know any more.
    pub(crate) fn stop_inquiry(&mut self) {
        if let Phase::Out(past) = &mut self.phase {
            past.inquiry = None;
        }
    }

    /// The account joins as somebody whose sessions are away.
    fn join_by_bookmark(&mut self, turn: &mut Turn<'_>, bookmark: Bookmark) {
        let id = turn.fresh_id();
        let nick = bookmark.nick.unwrap_or_else(|| Nick::new(self.base.me.account.localpart()));
        self.base.me.nick = nick.clone();
        let mut join = self.base.me.presence(PresenceType::Available, &id);
        let history = self.base.asks_history(turn);
        let mut x = Element::build("x", NS_MUC);
        if let Some(password) = &bookmark.password {
            x = x.child(Element::build("password", NS_MUC).text(password).done());
        }
        let x = x.child(history.element()).done();
        join.children = nobody_there().into_iter().chain([x]).collect();
        let sent = Stanza::new(Kind::Presence(PresenceType::Available)).children(nobody_there());
        let request = Request {
            id,
            asked_by: None,
            nick,
            password: bookmark.password.map(Into::into),
            sent: Kept::own(sent),
            history,
            is_reflected: false,
        };
        self.begin_joining(turn, request);
        turn.send(join);
    }

    /// The room has been created by a join that no session asked for.
    pub(super) fn leave_created(&mut self, turn: &mut Turn<'_>) {
        log::debug!("{} leaves {}, which a bookmark had it create", self.base.me.account, self.base.me.room);
        self.leave(turn, None);
    }

    /// A bookmark holds the account in the room from now on.
    pub(crate) fn hold_by_bookmark(&mut self) {
        if let Phase::In(stay) = &mut self.phase {
            stay.is_bookmarked = true;
        }
    }

    /// No bookmark holds the account any more: without a session it leaves.
    pub(crate) fn release_by_bookmark(&mut self, turn: &mut Turn<'_>) {
        if let Phase::In(stay) = &mut self.phase {
            stay.is_bookmarked = false;
        }
        let is_leaving = self.stay().is_some_and(|stay| stay.attendance.leave_until_ms().is_some());
        if self.is_occupied() && self.base.sessions.is_empty() && !is_leaving {
            self.depart(turn, Departure::Left, None);
        }
    }

    /// Whether the account has changed its nick so shortly before that its devices may still write it into their
    /// bookmarks.
    pub(crate) fn was_just_renamed(&self, now: Now) -> bool {
        self.base.me.renamed_ms().is_some_and(|renamed_ms| now.since(renamed_ms) < limit::BOOKMARK_NICK_MS)
    }
}

/// XEP-0045 §6.4.
fn is_room(answer: &Stanza) -> bool {
    let query = answer.find("query", NS_DISCO_INFO).filter(|_| answer.kind == Kind::Iq(IqType::Result));
    let is_conference = |child: &Element| {
        child.is("identity", NS_DISCO_INFO) && child.attribute("category") == Some("conference")
    };
    query.is_some_and(|query| query.elements().any(is_conference))
}
