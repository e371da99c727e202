//! Queries of sessions: self-pings, and what they ask the room and its occupants (XEP-0045 §17.4).

use std::ops::ControlFlow;

use super::Occupancy;
use super::base::Base;
use super::check::NS_PING;
use super::joining::Joining;
use super::phase::{In, Phase, StillIn};
use super::room_archive::NS_ARCHIVE;
use crate::config::limit;
use crate::event::{Id, SessionId, Verdict};
use crate::pending::exchanges;
use crate::pending::peer::Peer;
use crate::pending::queries::{Queries, Query};
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::kinds::may_answer_captcha;
use crate::xmpp::stanza::{IqType, Kept, Kind, Stanza};

/// Queries to the room itself that go out unchanged from the session that asks (I9).
const SESSION_NAMESPACES: [&str; 2] =
    ["http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"];

impl Occupancy {
    /// A session asks the room or an occupant something.
    pub(super) fn query_sent(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) -> Verdict {
        let Some(attachment) = self.base.sessions.get(session) else {
            return self.query_from_outside(turn, session, stanza);
        };
        let is_live = attachment.is_live();
        if stanza.target_nick().is_none() && asks_in(stanza, &NS_ARCHIVE) {
            self.base.note_archive_asked(turn, session, stanza);
            return Verdict::Pass("the room's archive answers the session itself");
        }
        if stanza.target_nick().is_none() && asks_in(stanza, &SESSION_NAMESPACES) {
            return Verdict::Pass("the room answers the session itself");
        }
        match &mut self.phase {
            Phase::In(stay) if is_live => In { stay, base: &mut self.base }.query_up(turn, session, stanza),
            Phase::Joining(joining) if joining.takes_for_captcha(stanza) => {
                self.base.map_up(turn, Some(session), stanza, false);
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => self.base.hold(turn, session, stanza),
        }
        Verdict::Handled
    }

    /// A session that is not in pings the account's occupant JID: it is told so, as the room would (I2).
    fn query_from_outside(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) -> Verdict {
        if self.is_in() && self.base.is_self_ping(turn, session, stanza) {
            turn.refuse(&self.base.me.room, session, stanza, StanzaError::NOT_JOINED);
            return Verdict::Handled;
        }
        Verdict::Pass("the session is not in the room")
    }
}

impl In<'_> {
    /// Answers a self-ping, and sends other queries up.
    pub(super) fn query_up(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        if self.base.is_self_ping(turn, session, stanza) {
            self.stay.pinged(turn, session, stanza, &self.base.me);
        } else {
            self.base.map_up(turn, Some(session), stanza, true);
        }
    }

    /// An answer from the room or an occupant.
    pub(super) fn answer_came<'a>(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> StillIn<'a> {
        if self.check_answered(turn, answer)?
            || self.gap_answered(turn, answer)
            || self.older_answered(turn, answer)
            || self.nick_asked_answered(turn, answer)
            || self.base.kind_answered(turn, answer)
        {
            return ControlFlow::Continue(());
        }
        let was_asked = self.base.query_answered(turn, answer);
        if was_asked && answer.error_condition() == Some("not-acceptable") {
            self.suspect(turn); // only an occupant is answered: one self-ping decides (K9)
        }
        ControlFlow::Continue(())
    }
}

impl Joining {
    /// Whether a stanza of a session may be the answer for which the room waits (J27). What is for an occupant is
    /// none.
    pub(super) fn takes_for_captcha(&self, stanza: &Stanza) -> bool {
        self.awaits_human() && stanza.target_nick().is_none() && may_answer_captcha(stanza)
    }
}

impl Base {
    /// An answer from the room or an occupant. False if it answers no query of a session.
    pub(super) fn query_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let Some(query) = self.queries.answered(answer) else {
            log::debug!("an answer from {} to nothing that was asked", self.me.room);
            return false;
        };
        if let Some(session) = query.session {
            turn.relay(vec![(session, Id::Set(query.id))]);
        }
        true
    }

    /// A query goes up as the account, under an id of ours (I1, I6); if too much is open it waits (I12). An
    /// occupant has time to answer a session for as long as the account is in.
    pub(super) fn map_up(
        &mut self,
        turn: &mut Turn<'_>,
        session: Option<SessionId>,
        stanza: &Stanza,
        is_in: bool,
    ) {
        let (Some(id), Some(peer)) = (stanza.id.clone(), stanza.to.clone()) else { return };
        if !self.queries.has_room() {
            return self.wait_with_query(turn, session, stanza);
        }
        let mapped = turn.fresh_id();
        let deadline_ms = turn.after(limit::QUERY_MS);
        let before = self.queries.cost();
        let query = Query { session, id, peer: Peer::new(peer.nick()) };
        match (session, peer.nick()) {
            (Some(session), Some(nick)) if is_in => {
                self.queries.propose(&nick, &exchanges::ids(stanza), session, &mapped);
                self.queries.ask_occupant(mapped.clone(), deadline_ms, query);
            }
            _ => self.queries.ask_room(mapped.clone(), deadline_ms, query),
        }
        turn.note_growth(before, self.queries.cost());
        turn.go_up(&self.me.account, stanza, Id::Set(mapped));
    }

    fn wait_with_query(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, query: &Stanza) {
        let before = self.queries.waiting_cost();
        let most = turn.most(before, limit::QUERIES_WAITING_COST);
        let waits = self.queries.wait(session, Kept::own(query.clone()), most);
        turn.note_growth(before, self.queries.waiting_cost());
        if let (false, Some(session)) = (waits, session) {
            turn.refuse(&self.me.room, session, query, StanzaError::OVER_LIMIT);
        }
    }

    /// Sends up the queries whose turn has come.
    pub(super) fn send_waiting_queries(&mut self, turn: &mut Turn<'_>, is_in: bool) {
        while let Some((session, query)) = self.queries.made_mut().and_then(Queries::next_waiting) {
            turn.about_earlier(|turn| self.map_up(turn, session, &query, is_in));
        }
    }

    /// Whether the session pings what it takes for its own occupant JID (XEP-0410 §3.1).
    fn is_self_ping(&self, turn: &Turn<'_>, session: SessionId, stanza: &Stanza) -> bool {
        stanza.kind == Kind::Iq(IqType::Get)
            && stanza.has("ping", NS_PING)
            && stanza.target_nick().is_some_and(|nick| {
                self.is_own_nick(turn, session, &nick)
                    || (self.me.had(&nick, turn) && !self.room.roster.has(&nick))
            })
    }

    /// The room has not answered in time, or an occupant not for so long that others may have its place.
    pub(super) fn expire_queries(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.now.monotonic_ms;
        let unanswered = self.queries.take_unanswered(now_ms);
        self.answer_for_peers(turn, unanswered, StanzaError::TIMEOUT);
        let too_many = self.queries.take_too_many(now_ms);
        self.answer_for_peers(turn, too_many, StanzaError::OVER_LIMIT);
    }

    /// The account is out, and so nobody in the room answers it.
    pub(super) fn end_queries(&mut self, turn: &mut Turn<'_>) {
        let unanswered = self.queries.end_stay();
        self.answer_for_peers(turn, unanswered, StanzaError::NOT_JOINED);
    }

    /// Tells sessions that nobody will answer what they asked.
    pub(super) fn answer_for_peers(&self, turn: &mut Turn<'_>, queries: Vec<Query>, error: StanzaError) {
        for Query { session, id, peer } in queries {
            let Some(session) = session else { continue };
            let from = peer.nick().map_or_else(|| self.me.room.to_jid(), |nick| self.me.room.occupant(nick));
            let answer = Stanza::new(Kind::Iq(IqType::Error)).from(from).id(Some(&id));
            turn.deliver(session, answer.child(error.element(self.me.room.as_str())));
        }
    }
}

pub(super) fn asks_in(query: &Stanza, namespaces: &[&str]) -> bool {
    query.children.iter().any(|child| namespaces.contains(&&*child.namespace))
}
