//! Exchanges that belong to one session: a file, a call, a command in several steps. What carries the id of
//! one goes to the session that opened or took it, whoever answers for the account otherwise.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::SessionId;
use crate::xmpp::jid::Nick;
use crate::xmpp::stanza::{Element, Kind, Stanza};

const NS_IN_BAND: &str = "http://jabber.org/protocol/ibb";
const NS_SOCKS: &str = "http://jabber.org/protocol/bytestreams";
const NS_INITIATION: &str = "http://jabber.org/protocol/si";
const NS_COMMANDS: &str = "http://jabber.org/protocol/commands";
const NS_JINGLE: &str = "urn:xmpp:jingle:1";
const NS_CALL: [&str; 2] = ["urn:xmpp:jingle-message:1", "urn:xmpp:jingle-message:0"];
/// The call messages by which one session makes a call its own; all of them say that it rings (XEP-0353).
const CALL_TAKEN: [&str; 3] = ["propose", "proceed", "accept"];

/// The exchanges of an account in one room, those used last at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Exchanges(VecDeque<Exchange>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Exchange {
    peer: Nick,
    id: Box<str>,
    session: SessionId,
    /// The query that proposes it, by the id of ours, until the other side agrees.
    proposal: Option<Box<str>>,
}

/// The ids of the exchanges that a stanza is part of. File transfers use one id in three protocols, and a
/// call names those of the streams that it opens, so an id counts whatever the protocol.
pub(crate) fn ids(stanza: &Stanza) -> Vec<Box<str>> {
    let is_iq = matches!(stanza.kind, Kind::Iq(_));
    let children = stanza.children.iter();
    let all = children.flat_map(|child| if is_iq { query_ids(child) } else { call_id(child) });
    all.filter(|id| !id.is_empty() && id.len() <= limit::EXCHANGE_ID_BYTES)
        .take(limit::EXCHANGES_OF_ONE)
        .map(Into::into)
        .collect()
}

fn query_ids(element: &Element) -> Vec<&str> {
    let name = match &*element.namespace {
        NS_IN_BAND | NS_SOCKS | NS_JINGLE => "sid",
        NS_INITIATION => "id",
        NS_COMMANDS => "sessionid",
        _ => return Vec::new(),
    };
    let transports =
        element.elements().flat_map(Element::elements).filter(|child| &*child.name == "transport");
    let streams = transports.filter_map(|transport| transport.attribute("sid"));
    element.attribute(name).into_iter().chain(streams).collect()
}

fn call_id(element: &Element) -> Vec<&str> {
    let takes_call = NS_CALL.contains(&&*element.namespace) && CALL_TAKEN.contains(&&*element.name);
    element.attribute("id").filter(|_| takes_call).into_iter().collect()
}

impl Exchanges {
    /// About how many bytes they cost at most.
    pub(crate) fn cost(&self) -> usize {
        self.0.len() * (size_of::<Exchange>() + limit::EXCHANGE_ID_BYTES + limit::NICK_BYTES / 4)
    }

    /// The session of the first exchange that is known.
    pub(crate) fn session(&self, peer: &Nick, ids: &[Box<str>]) -> Option<SessionId> {
        ids.iter().find_map(|id| self.0.iter().find(|known| known.is(peer, id))).map(|known| known.session)
    }

    /// A session begins or goes on with exchanges, unless they are another's. Those that are new are proposed
    /// by that query, or are agreed on.
    pub(crate) fn note(&mut self, peer: &Nick, ids: &[Box<str>], session: SessionId, proposal: Option<&str>) {
        for id in ids {
            let known = self.0.iter().position(|known| known.is(peer, id));
            let known = known.and_then(|position| self.0.remove(position));
            let exchange = known.unwrap_or_else(|| {
                self.make_room(peer);
                let proposal = proposal.map(Into::into);
                Exchange { peer: peer.clone(), id: id.clone(), session, proposal }
            });
            self.0.push_back(exchange);
        }
    }

    /// The oldest gives way: of that occupant, if it has too many, else of all.
    fn make_room(&mut self, peer: &Nick) {
        let of_peer = self.0.iter().filter(|known| known.peer == *peer).count();
        if of_peer >= limit::EXCHANGES_OF_ONE {
            let oldest = self.0.iter().position(|known| known.peer == *peer);
            oldest.and_then(|position| self.0.remove(position));
        } else if self.0.len() >= limit::EXCHANGES {
            self.0.pop_front();
        }
    }

    /// The other side has answered that query. What it refuses at the beginning is no exchange.
    pub(crate) fn answered(&mut self, query: &str, agrees: bool) {
        let is_proposed = |known: &Exchange| known.proposal.as_deref() == Some(query);
        self.0.retain(|known| agrees || !is_proposed(known));
        for known in self.0.iter_mut().filter(|known| is_proposed(known)) {
            known.proposal = None;
        }
    }

    /// An occupant goes on under another nick.
    pub(crate) fn follow(&mut self, old: &Nick, new: &Nick) {
        for known in self.0.iter_mut().filter(|known| known.peer == *old) {
            known.peer = new.clone();
        }
    }

    /// An occupant has gone.
    pub(crate) fn end_with(&mut self, peer: &Nick) {
        self.0.retain(|known| known.peer != *peer);
    }

    /// A session has gone.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.0.retain(|known| known.session != session);
    }
}

impl Exchange {
    fn is(&self, peer: &Nick, id: &str) -> bool {
        self.peer == *peer && &*self.id == id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    fn read(xml: &str) -> Vec<Box<str>> {
        ids(&Stanza::from_xml(xml).unwrap())
    }

    fn some(ids: &[&str]) -> Vec<Box<str>> {
        ids.iter().map(|id| (*id).into()).collect()
    }

    #[test]
    fn f31_each_kind_of_exchange_says_its_id() {
        let ids_in = |inside: &str| read(&format!("<iq type='set' id='q'>{inside}</iq>"));
        for (inside, id) in [
            ("<data xmlns='http://jabber.org/protocol/ibb' sid='a' seq='0'>qANQ</data>", "a"),
            ("<query xmlns='http://jabber.org/protocol/bytestreams' sid='b'/>", "b"),
            ("<si xmlns='http://jabber.org/protocol/si' id='c'/>", "c"),
            ("<command xmlns='http://jabber.org/protocol/commands' node='n' sessionid='d'/>", "d"),
            ("<jingle xmlns='urn:xmpp:jingle:1' sid='e'/>", "e"),
        ] {
            assert_eq!(ids_in(inside), some(&[id]), "{inside}");
        }
        assert!(ids_in("<query xmlns='jabber:iq:version' sid='a'/>").is_empty());
        assert!(ids_in("<command xmlns='http://jabber.org/protocol/commands' node='n'/>").is_empty());
    }

    #[test]
    fn f31_a_call_names_the_streams_that_it_opens() {
        let call = "<iq type='set' id='q'><jingle xmlns='urn:xmpp:jingle:1' sid='a'><content name='f'>\
                    <transport xmlns='urn:xmpp:jingle:transports:ibb:1' sid='b'/></content></jingle></iq>";
        assert_eq!(read(call), some(&["a", "b"]));
    }

    #[test]
    fn f31_a_call_is_taken_by_a_message() {
        let message = |name: &str| {
            read(&format!(
                "<message type='chat'><{name} xmlns='urn:xmpp:jingle-message:1' id='a'/></message>"
            ))
        };
        assert_eq!(message("proceed"), some(&["a"]));
        assert!(message("ringing").is_empty());
    }

    #[test]
    fn f31_an_exchange_is_of_the_session_that_began_it() {
        let (bob, eve) = (Nick::new("bob"), Nick::new("eve"));
        let mut exchanges = Exchanges::default();
        exchanges.note(&bob, &some(&["a", "b"]), ONE, None);
        exchanges.note(&bob, &some(&["a"]), TWO, None);
        assert_eq!(exchanges.session(&bob, &some(&["x", "b"])), Some(ONE));
        assert_eq!(exchanges.session(&bob, &some(&["a"])), Some(ONE));
        assert_eq!(exchanges.session(&eve, &some(&["a"])), None);
        exchanges.forget(ONE);
        assert_eq!(exchanges.session(&bob, &some(&["a"])), None);
    }

    #[test]
    fn f31_what_is_refused_at_once_is_no_exchange() {
        let bob = Nick::new("bob");
        let mut exchanges = Exchanges::default();
        exchanges.note(&bob, &some(&["a"]), ONE, Some("first"));
        exchanges.answered("first", false);
        assert_eq!(exchanges.session(&bob, &some(&["a"])), None);
        exchanges.note(&bob, &some(&["a"]), ONE, Some("second"));
        exchanges.answered("second", true);
        exchanges.note(&bob, &some(&["a"]), ONE, Some("third"));
        exchanges.answered("third", false);
        assert_eq!(exchanges.session(&bob, &some(&["a"])), Some(ONE), "a step that fails ends nothing");
    }

    #[test]
    fn f39_an_exchange_goes_along_with_its_occupant() {
        let (bob, bobby) = (Nick::new("bob"), Nick::new("bobby"));
        let mut exchanges = Exchanges::default();
        exchanges.note(&bob, &some(&["a"]), ONE, None);
        exchanges.follow(&bob, &bobby);
        assert_eq!(exchanges.session(&bobby, &some(&["a"])), Some(ONE));
        exchanges.end_with(&bobby);
        assert_eq!(exchanges.session(&bobby, &some(&["a"])), None);
    }

    #[test]
    fn r7_an_occupant_with_too_many_loses_its_own() {
        let (bob, eve) = (Nick::new("bob"), Nick::new("eve"));
        let mut exchanges = Exchanges::default();
        exchanges.note(&bob, &some(&["a"]), ONE, None);
        for number in 0..=limit::EXCHANGES {
            exchanges.note(&eve, &some(&[&number.to_string()]), TWO, None);
        }
        assert_eq!(exchanges.session(&bob, &some(&["a"])), Some(ONE));
        assert_eq!(exchanges.session(&eve, &some(&["0"])), None);
        for number in 0..limit::EXCHANGES {
            exchanges.note(&Nick::new(&number.to_string()), &some(&["a"]), TWO, None);
        }
        assert_eq!(exchanges.session(&bob, &some(&["a"])), None);
        assert_eq!(exchanges.0.len(), limit::EXCHANGES);
        assert!(
            read(&format!("<iq type='set'><si xmlns='{NS_INITIATION}' id='{}'/></iq>", "x".repeat(2_000)))
                .is_empty()
        );
    }
}
