//! Stanza errors that we make ourselves (RFC 6120 §8.3): each says whose fault it is and what to do next.

use crate::xmpp::stanza::{Element, Kind, MessageType, NS_CLIENT, NS_STANZAS, PresenceType, Stanza};

/// A stanza error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// `error@type`: what the receiver of the error may do.
    pub error_type: &'static str,
    /// The defined condition.
    pub condition: &'static str,
    /// The text for a human.
    pub text: &'static str,
}

/// Whether what an error says of a join may be otherwise a little later, without anybody deciding anything (J18, RFC 6120
/// §8.3.2): a room may be locked until somebody has configured it. A nick that somebody else has may be kept for ever.
pub(crate) fn may_pass(error: &Stanza) -> bool {
    const PASSING: [&str; 7] = [
        "internal-server-error",
        "item-not-found",
        "recipient-unavailable",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
        "service-unavailable",
    ];
    let says_wait =
        error.find("error", NS_CLIENT).is_some_and(|error| error.attribute("type") == Some("wait"));
    says_wait || error.error_condition().is_some_and(|condition| PASSING.contains(&condition))
}

impl StanzaError {
    /// The session is not in the room as far as the room is concerned (M3, P2, I2).
    pub const NOT_JOINED: Self =
        Self { error_type: "cancel", condition: "not-acceptable", text: "You are not in the room" };
    /// The room did not answer a join in time (J26).
    pub const JOIN_TIMEOUT: Self =
        Self { error_type: "wait", condition: "remote-server-timeout", text: "The room did not answer" };
    /// The room did not answer a self-ping or a query in time (I2, I12). Not of type `wait`: XEP-0410 §3.2.
    pub const TIMEOUT: Self =
        Self { error_type: "cancel", condition: "remote-server-timeout", text: "The room did not answer" };
    /// The account is in too many rooms, or has too much open (J25, I12).
    pub const OVER_LIMIT: Self = Self {
        error_type: "wait",
        condition: "resource-constraint",
        text: "Too much at once for this account",
    };
    /// The occupant that was asked has left (I1).
    pub const OCCUPANT_GONE: Self =
        Self { error_type: "cancel", condition: "item-not-found", text: "The occupant has left the room" };
    /// Nobody can answer the query (I5).
    pub const NO_ANSWER: Self =
        Self { error_type: "cancel", condition: "service-unavailable", text: "Nobody can answer this" };
    /// The `<error/>`, said by `by`.
    pub fn element(&self, by: &str) -> Element {
        Element::build("error", NS_CLIENT)
            .attribute("type", self.error_type)
            .attribute("by", by)
            .child(Element::build(self.condition, NS_STANZAS).done())
            .child(Element::build("text", NS_STANZAS).text(self.text).done())
            .done()
    }

    /// The error as an answer to a stanza, from the address to which that stanza was sent.
    pub fn reply_to(&self, stanza: &Stanza, by: &str) -> Stanza {
        let kind = match stanza.kind {
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Iq(_) => Kind::Iq(crate::xmpp::stanza::IqType::Error),
        };
        let mut reply = Stanza::new(kind).id(stanza.id.as_deref()).child(self.element(by));
        reply.from.clone_from(&stanza.to);
        reply.to.clone_from(&stanza.from);
        reply
    }
}
