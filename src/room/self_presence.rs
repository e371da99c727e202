//! Makes the room's self-presence of the account into the one that a session would get if it had joined alone
//! (XEP-0045 §7.2.2).

use crate::xmpp::jid::{BareJid, FullJid, Jid};
use crate::xmpp::muc::{MucUser, NS_MUC, NS_MUC_USER, status, status_element};
use crate::xmpp::stanza::{Element, Kind, NS_CLIENT, Node, PresenceType, Stanza};

/// Payloads of clients, which a room only reflects. Everything else in a self-presence is the room's own.
const CLIENT_PAYLOADS: [(&str, &str); 8] = [
    ("show", NS_CLIENT),
    ("status", NS_CLIENT),
    ("priority", NS_CLIENT),
    ("c", "http://jabber.org/protocol/caps"),
    ("c", "urn:xmpp:caps"),
    ("x", "vcard-temp:x:update"),
    ("idle", "urn:xmpp:idle:1"),
    ("nick", "http://jabber.org/protocol/nick"),
];

/// The payload of a presence that a client sends to a room, without what only the client or the room may say
/// (N9).
pub(crate) fn client_payload(presence: &Stanza) -> Vec<Element> {
    let private = |child: &&Element| !child.is("x", NS_MUC) && !child.is("x", NS_MUC_USER);
    presence.children.iter().filter(private).cloned().collect()
}

/// The room's self-presence as the session with that address and payload is to see it; `sent` is the payload
/// that went up last. What the room reflects may still be an earlier one.
pub(crate) fn personal(
    own: &Stanza,
    sent: &[Element],
    account: &BareJid,
    session: &FullJid,
    payload: &[Element],
) -> Stanza {
    let mut made = own.clone();
    let reflected = own.children.iter().filter(|child| is_reflected(child, sent));
    if !reflected.eq(payload) {
        made.children.retain(|child| !is_reflected(child, sent));
        made.children.splice(0..0, payload.iter().cloned());
    }
    name_session(&mut made, account, session);
    made
}

/// What the room itself says in a self-presence: all but the reflected payload.
pub(crate) fn said_by_room(own: &Stanza, sent: &[Element]) -> Vec<Element> {
    own.children.iter().filter(|child| !is_reflected(child, sent)).cloned().collect()
}

fn is_reflected(child: &Element, sent: &[Element]) -> bool {
    let same = |name: &str, namespace: &str| child.is(name, namespace);
    CLIENT_PAYLOADS.iter().any(|(name, namespace)| same(name, namespace))
        || sent.iter().any(|ours| same(&ours.name, &ours.namespace))
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

/// What a stock room answers to the leave of a session (L1): made from the kept self-presence.
pub(crate) fn left(own: &Stanza, sent: &[Element], account: &BareJid, leave: &Stanza) -> Stanza {
    let mut made = Stanza::new(Kind::Presence(PresenceType::Unavailable)).id(leave.id.as_deref());
    made.attributes.clone_from(&leave.attributes);
    made.children = client_payload(leave);
    let affiliation = MucUser::read(own).affiliation;
    for mut child in said_by_room(own, sent) {
        if child.is("x", NS_MUC_USER) {
            child = left_element(affiliation.as_deref(), &child);
        }
        made.children.push(child);
    }
    if !made.has("x", NS_MUC_USER) {
        made.children.push(left_element(None, &Element::build("x", NS_MUC_USER).done()));
    }
    if let (Some(session), false) = (leave.from.as_ref().and_then(FullJid::new), own.from.is_none()) {
        name_session(&mut made, account, &session);
    }
    made
}

fn left_element(affiliation: Option<&str>, own: &Element) -> Element {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "alice@example.org";

    fn own() -> Stanza {
        Stanza::from_xml(
            "<presence from='lounge@rooms.example/alice' id='up'><show>away</show>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='member' role='participant' jid='alice@example.org'/>\
             <status code='100'/><status code='110'/></x>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/></presence>",
        )
        .unwrap()
    }

    fn session() -> FullJid {
        FullJid::new(&Jid::new("alice@example.org/desk")).unwrap()
    }

    fn show(text: &str) -> Element {
        Element::build("show", NS_CLIENT).text(text).done()
    }

    #[test]
    fn n13_j5_a_session_sees_its_own_address_and_show() {
        let account = BareJid::new(ACCOUNT);
        let made = personal(&own(), &[show("away")], &account, &session(), &[show("dnd")]);
        assert_eq!(made.text_of("show").as_deref(), Some("dnd"));
        assert_eq!(MucUser::read(&made).jid.as_deref(), Some("alice@example.org/desk"));
        assert_eq!(made.children.len(), 3);
    }

    #[test]
    fn the_representative_sees_what_the_room_sent() {
        let account = BareJid::new(ACCOUNT);
        let mut expected = own();
        name_session(&mut expected, &account, &session());
        assert_eq!(personal(&own(), &[show("away")], &account, &session(), &[show("away")]), expected);
    }

    #[test]
    fn l1_a_leave_is_answered_as_a_stock_room_does() {
        let leave = Stanza::from_xml(
            "<presence from='alice@example.org/desk' type='unavailable' id='l'><status>bye</status></presence>",
        )
        .unwrap();
        let made = left(&own(), &[show("away")], &BareJid::new(ACCOUNT), &leave);
        let occupant = MucUser::read(&made);
        assert_eq!(occupant.codes, [110]);
        assert_eq!(occupant.role.as_deref(), Some("none"));
        assert_eq!(occupant.affiliation.as_deref(), Some("member"));
        assert_eq!(occupant.jid.as_deref(), Some("alice@example.org/desk"));
        assert_eq!(made.text_of("status").as_deref(), Some("bye"));
        assert!(occupant_id(&made).is_some() && made.text_of("show").is_none());
    }
}
