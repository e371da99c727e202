//! The stanzas of which stories are made, and the words for them.

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER, status_element};
use minimix_core::xmpp::stanza::{Element, IqType, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

pub(crate) const ACCOUNT: &str = "alice@example.org";
pub(crate) const ROOM: &str = "lounge@rooms.example";
/// Where the room numbers what it says in groupchat and in private messages.
pub(crate) const NS_NUMBER: &str = "urn:example:number";

/// What the room shows of an occupant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occupant {
    pub(crate) show: Option<String>,
    pub(crate) role: String,
    pub(crate) affiliation: String,
}

/// An unqualified element with that text.
pub(crate) fn element(name: &str, text: &str) -> Element {
    let element = Element::build(name, NS_CLIENT);
    if text.is_empty() { element.done() } else { element.text(text).done() }
}

pub(crate) fn jid(text: &str) -> Jid {
    Jid::new(text)
}

pub(crate) fn occupant_jid(nick: &str) -> Jid {
    jid(&format!("{ROOM}/{nick}"))
}

/// The number that the room gave a message.
pub(crate) fn number(stanza: &Stanza) -> Option<u64> {
    stanza.find("number", NS_NUMBER).and_then(|number| number.text().parse().ok())
}

impl Occupant {
    pub(crate) fn new(show: Option<String>) -> Self {
        Self { show, role: "participant".to_owned(), affiliation: "none".to_owned() }
    }

    pub(crate) fn x(&self, real: Option<&str>, codes: &[u16], role: &str) -> Element {
        let mut item = Element::build("item", NS_MUC_USER)
            .attribute("affiliation", &self.affiliation)
            .attribute("role", role);
        if let Some(real) = real {
            item = item.attribute("jid", real);
        }
        let x = Element::build("x", NS_MUC_USER).child(item.done());
        codes.iter().fold(x, |x, code| x.child(status_element(*code))).done()
    }
}

/// Only a room may say that (XEP-0421); each session claims it to be `forged`.
pub(crate) fn occupant_id(id: &str) -> Element {
    Element::build("occupant-id", "urn:xmpp:occupant-id:0").attribute("id", id).done()
}

/// What the room shows of a presence, besides who sent it.
pub(crate) fn shown(presence: &Stanza) -> Vec<Element> {
    let is_passed = |child: &&Element| !child.is("x", NS_MUC) && **child != occupant_id("forged");
    let passed = presence.children.iter().filter(is_passed).cloned();
    passed.chain([occupant_id("given")]).collect()
}

/// The number that the room gives a message.
pub(crate) fn numbered(number: u64) -> Element {
    Element::build("number", NS_NUMBER).text(&number.to_string()).done()
}

/// The id that the room gives it.
pub(crate) fn stanza_id(number: u64) -> Element {
    let by_room = Element::build("stanza-id", "urn:xmpp:sid:0").attribute("by", ROOM);
    by_room.attribute("id", &number.to_string()).done()
}

/// When the room says that it was sent.
pub(crate) fn delay(utc: &str) -> Element {
    Element::build("delay", "urn:xmpp:delay").attribute("from", ROOM).attribute("stamp", utc).done()
}

/// When a kept message was sent.
pub(crate) fn stamp(message: &Stanza) -> String {
    let delay = message.find("delay", "urn:xmpp:delay");
    delay.and_then(|delay| delay.attribute("stamp")).unwrap_or_default().to_owned()
}

/// That an occupant goes.
pub(crate) fn gone(nick: &str) -> Stanza {
    Stanza::new(Kind::Presence(PresenceType::Unavailable)).from(occupant_jid(nick))
}

/// The nick that a stanza is addressed to.
pub(crate) fn target(stanza: &Stanza) -> Option<String> {
    stanza.to.as_ref().and_then(|to| to.resource()).map(ToOwned::to_owned)
}

/// Whether a stanza answers one that was sent before.
pub(crate) fn is_answer(stanza: &Stanza) -> bool {
    matches!(
        stanza.kind,
        Kind::Iq(IqType::Result | IqType::Error)
            | Kind::Message(MessageType::Error)
            | Kind::Presence(PresenceType::Error)
    )
}
