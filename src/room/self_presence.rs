//! The parts of a self-presence (XEP-0045 §7.2.2): addresses and status codes in it, and what tells of an end.

use crate::xmpp::jid::{BareJid, FullJid, Jid};
use crate::xmpp::muc::{MucUser, NS_MUC, NS_MUC_USER, status, status_element};
use crate::xmpp::stanza::{Element, Kind, Node, PresenceType, Stanza};

/// The payload of a presence that a client sends to a room, without what only the client or the room may say
/// (N9).
pub(crate) fn client_payload(presence: &Stanza) -> Vec<Element> {
    let private = |child: &&Element| !child.is("x", NS_MUC) && !child.is("x", NS_MUC_USER);
    presence.children.iter().filter(private).cloned().collect()
}

/// Puts the session's own full JID where the room names the account (N13).
pub(crate) fn name_session(presence: &mut Stanza, account: &BareJid, session: &FullJid) {
    let Some(x) = occupant_element(presence) else { return };
    for item in x.elements_mut().filter(|child| &*child.name == "item") {
        if item.attribute("jid") == Some(account.as_str()) {
            item.set_attribute("jid", Some(session.as_str()));
        }
    }
}

/// Keeps only the status codes that are wanted.
pub(crate) fn retain_codes(presence: &mut Stanza, wanted: impl Fn(u16) -> bool) {
    let Some(x) = occupant_element(presence) else { return };
    x.nodes.retain(|node| match node {
        Node::Element(child) if &*child.name == "status" => {
            child.attribute("code").and_then(|code| code.parse().ok()).is_none_or(&wanted)
        }
        Node::Element(_) | Node::Text(_) => true,
    });
}

/// Adds a status code that is not there.
pub(crate) fn add_code(presence: &mut Stanza, code: u16) {
    if MucUser::read(presence).has(code) {
        return;
    }
    if let Some(x) = occupant_element(presence) {
        x.nodes.push(Node::Element(status_element(code)));
    } else {
        presence.children.push(Element::build("x", NS_MUC_USER).child(status_element(code)).done());
    }
}

fn occupant_element(presence: &mut Stanza) -> Option<&mut Element> {
    presence.children.iter_mut().find(|child| child.is("x", NS_MUC_USER))
}

/// What a room says of an occupant that leaves: of its own presence's `<x/>` only who it is.
pub(super) fn left_element(affiliation: Option<&str>, own: &Element) -> Element {
    let mut item = own.find("item").cloned().unwrap_or_else(|| Element::build("item", NS_MUC_USER).done());
    item.set_attribute("affiliation", Some(affiliation.unwrap_or("none")));
    item.set_attribute("role", Some("none"));
    item.nodes.clear();
    Element::build("x", NS_MUC_USER).child(item).child(status_element(status::SELF)).done()
}

/// The presence that tells a session that it is out for a technical reason (J14, K3): 110, 333, 307.
pub(crate) fn technical(from: Jid, occupant_id: Option<&Element>) -> Stanza {
    let reason = Element::build("reason", NS_MUC_USER).text("You are not in the room").done();
    let item = Element::build("item", NS_MUC_USER)
        .attribute("affiliation", "none")
        .attribute("role", "none")
        .child(reason)
        .done();
    let mut x = Element::build("x", NS_MUC_USER).child(item);
    for code in [status::SELF, status::TECHNICAL, status::KICKED] {
        x = x.child(status_element(code));
    }
    Stanza::new(Kind::Presence(PresenceType::Unavailable))
        .from(from)
        .child(x.done())
        .children(occupant_id.cloned())
}

/// The occupant-id that the room gave the account (XEP-0421).
pub(crate) fn occupant_id(own: &Stanza) -> Option<&Element> {
    own.find("occupant-id", "urn:xmpp:occupant-id:0")
}
