//! Messages that take another one back: by its author (XEP-0424), or by the room (XEP-0425).

use crate::room::self_presence::occupant_id;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Element, Stanza};

const NS_RETRACT: &str = "urn:xmpp:message-retract:1";
const NS_MODERATE: &str = "urn:xmpp:message-moderate:1";
const NS_FASTEN: &str = "urn:xmpp:fasten:0";
const NS_RETRACT_0: &str = "urn:xmpp:message-retract:0";
const NS_MODERATE_0: &str = "urn:xmpp:message-moderate:0";

/// What a message asks to take back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Retraction<'a> {
    /// The id of the message, given by the room or by its author.
    target: &'a str,
    /// Whether it is the room that takes it back.
    by_room: bool,
}

impl<'a> Retraction<'a> {
    /// Reads both forms of both; a moderation that is not from the room itself is none.
    pub(crate) fn read(stanza: &'a Stanza, room: &BareJid) -> Option<Self> {
        let (target, is_moderation) = current_form(stanza).or_else(|| fastened_form(stanza))?;
        let is_from_room = stanza.from.as_ref().is_some_and(|from| from.as_str() == room.as_str());
        (is_moderation == is_from_room).then_some(Self { target, by_room: is_moderation })
    }

    /// The stanza-id of the message, if it is the room that takes it back.
    pub(crate) fn target_of_room(&self) -> Option<&'a str> {
        self.by_room.then_some(self.target)
    }

    /// Whether it takes back that message (H9): an author only its own. By their nicks both may be of the same.
    pub(crate) fn takes_back(
        &self,
        message: &Stanza,
        has_same_author: bool,
        stanza: &Stanza,
        room: &BareJid,
    ) -> bool {
        self.names(message, room) && (self.by_room || is_same_author(message, has_same_author, stanza))
    }

    fn names(&self, message: &Stanza, room: &BareJid) -> bool {
        message.children.iter().any(|child| {
            let by_room = child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(room.as_str());
            let by_author = !self.by_room && child.is("origin-id", NS_STANZA_ID);
            (by_room || by_author) && child.attribute("id") == Some(self.target)
        })
    }
}

fn current_form(stanza: &Stanza) -> Option<(&str, bool)> {
    let retract = stanza.find("retract", NS_RETRACT)?;
    Some((retract.attribute("id")?, has(retract, "moderated", NS_MODERATE)))
}

fn fastened_form(stanza: &Stanza) -> Option<(&str, bool)> {
    let apply_to = stanza.find("apply-to", NS_FASTEN)?;
    let is_moderation = has(apply_to, "moderated", NS_MODERATE_0);
    let is_either = is_moderation || has(apply_to, "retract", NS_RETRACT_0);
    is_either.then_some((apply_to.attribute("id")?, is_moderation))
}

fn has(element: &Element, name: &str, namespace: &str) -> bool {
    element.elements().any(|child| child.is(name, namespace))
}

/// The same occupant-id; without one, the same occupant that has not left since.
fn is_same_author(message: &Stanza, by_nick: bool, stanza: &Stanza) -> bool {
    match (occupant_id(message), occupant_id(stanza)) {
        (Some(one), Some(other)) => one.attribute("id") == other.attribute("id"),
        (None, None) => by_nick,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(from: &str, inside: &str) -> Stanza {
        Stanza::from_xml(&format!("<message type='groupchat' from='{from}'>{inside}</message>")).unwrap()
    }

    #[track_caller]
    fn takes_back(from: &str, inside: &str, has_same_author: bool) -> bool {
        let room = BareJid::new("r@s");
        let target = message("r@s/bob", "<stanza-id xmlns='urn:xmpp:sid:0' by='r@s' id='s1'/>");
        let stanza = message(from, inside);
        let retraction = Retraction::read(&stanza, &room);
        retraction.is_some_and(|retraction| retraction.takes_back(&target, has_same_author, &stanza, &room))
    }

    #[test]
    fn h9_only_the_author_or_the_room_takes_a_message_back() {
        let by_author = "<retract xmlns='urn:xmpp:message-retract:1' id='s1'/>";
        assert!(takes_back("r@s/bob", by_author, true));
        assert!(takes_back("r@s/bobby", by_author, true), "whatever nick they have by now");
        assert!(!takes_back("r@s/bob", by_author, false));
        assert!(!takes_back("r@s/bob", "<retract xmlns='urn:xmpp:message-retract:1' id='s2'/>", true));
        let fastened = "<apply-to xmlns='urn:xmpp:fasten:0' id='s1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>";
        assert!(takes_back("r@s/bob", fastened, true));
    }

    #[test]
    fn h9_a_moderation_counts_from_the_room_alone() {
        let moderation = "<retract xmlns='urn:xmpp:message-retract:1' id='s1'>\
                          <moderated xmlns='urn:xmpp:message-moderate:1'/></retract>";
        assert!(takes_back("r@s", moderation, false));
        assert!(!takes_back("r@s/bob", moderation, true));
        let fastened = "<apply-to xmlns='urn:xmpp:fasten:0' id='s1'>\
                        <moderated xmlns='urn:xmpp:message-moderate:0'/></apply-to>";
        assert!(takes_back("r@s", fastened, false) && !takes_back("r@s/eve", fastened, true));
    }
}
