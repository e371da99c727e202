//! What a good room answers.

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER, status_element};
use minimix_core::xmpp::stanza::{Element, IqType, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

/// Its answers to what it was sent.
pub(crate) fn of(sent: &Stanza) -> Vec<Stanza> {
    let (Some(to), Some(account)) = (sent.to.clone(), sent.from.as_ref().map(|from| Jid::new(from.bare())))
    else {
        return Vec::new();
    };
    let answer = |kind, from: &Jid| Stanza::new(kind).from(from.clone()).to(account.clone());
    let room = to.to_bare().to_jid();
    match sent.kind {
        Kind::Presence(kind @ (PresenceType::Available | PresenceType::Unavailable)) => {
            let own = answer(Kind::Presence(kind), &to).id(sent.id.as_deref()).child(own_item());
            if !sent.has("x", NS_MUC) {
                return vec![own];
            }
            let bob = answer(Kind::Presence(kind), &Jid::new(&format!("{}/bob", to.bare()))).child(item());
            let subject = answer(Kind::Message(MessageType::Groupchat), &room)
                .child(Element::build("subject", NS_CLIENT).done());
            vec![bob, own, subject]
        }
        Kind::Message(MessageType::Groupchat) => {
            let from = Jid::new(&format!("{}/alice", to.bare()));
            let reflection = answer(sent.kind, &from).id(sent.id.as_deref());
            vec![reflection.children(sent.children.iter().cloned()).child(stanza_id(to.bare(), "s1"))]
        }
        Kind::Iq(IqType::Get | IqType::Set) => {
            let result = answer(Kind::Iq(IqType::Result), &to).id(sent.id.as_deref());
            vec![result.children(sent.children.iter().filter_map(answer_to))]
        }
        Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => Vec::new(),
    }
}

fn answer_to(query: &Element) -> Option<Element> {
    match &*query.namespace {
        "urn:xmpp:mam:2" => {
            Some(Element::build("fin", &query.namespace).attribute("complete", "true").done())
        }
        "http://jabber.org/protocol/disco#info" => {
            let identity = Element::build("identity", &query.namespace).attribute("category", "conference");
            Some(Element::build("query", &query.namespace).child(identity.done()).done())
        }
        _ => None,
    }
}

fn item() -> Element {
    let item =
        Element::build("item", NS_MUC_USER).attribute("affiliation", "none").attribute("role", "participant");
    Element::build("x", NS_MUC_USER).child(item.done()).done()
}

fn own_item() -> Element {
    let mut x = item();
    x.nodes.push(minimix_core::xmpp::stanza::Node::Element(status_element(110)));
    x
}

fn stanza_id(by: &str, id: &str) -> Element {
    Element::build("stanza-id", "urn:xmpp:sid:0").attribute("by", by).attribute("id", id).done()
}
