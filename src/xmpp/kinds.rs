//! Kinds of messages that their `type` does not tell.

use crate::xmpp::muc::{MucUser, NS_MUC_USER, status};
use crate::xmpp::stanza::{Element, IqType, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

/// Whether a stanza of that kind is for one session alone, whatever it says: an error, or an answer.
pub(crate) fn is_reply(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Presence(PresenceType::Error)
            | Kind::Message(MessageType::Error)
            | Kind::Iq(IqType::Result | IqType::Error)
    )
}

/// Whether a presence is that of the account itself (110).
pub(crate) fn is_own_presence(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Presence(_)) && MucUser::read(stanza).has(status::SELF)
}

/// Whether a message from a room is for the account whether or not it is in: an invitation, a decline, an
/// affiliation notice (§7.8.2, §9, 101).
pub(crate) fn is_for_the_account(stanza: &Stanza) -> bool {
    let occupant = MucUser::read(stanza);
    occupant.invites || occupant.has(status::AFFILIATION_CHANGED)
}

/// Whether a message says that somebody declines an invitation (§7.8.2).
pub(crate) fn declines(stanza: &Stanza) -> bool {
    stanza.find("x", NS_MUC_USER).is_some_and(|x| x.find("decline").is_some())
}

/// Whether a stanza of a room is a private message of an occupant (§7.5).
pub(crate) fn is_private(stanza: &Stanza) -> bool {
    stanza.sender_nick().is_some()
        && matches!(stanza.kind, Kind::Message(MessageType::Chat | MessageType::Normal))
}

/// Whether a private message is worth storing (P4): without a body it means nothing later.
pub(crate) fn is_worth_storing(stanza: &Stanza) -> bool {
    stanza.kind != Kind::Message(MessageType::Error)
        && (stanza.has("body", NS_CLIENT) || stanza.has("encryption", "urn:xmpp:eme:0"))
}

/// Whether a groupchat message says something that people read: a text, or something encrypted. What only changes or
/// takes back another message does not.
pub(crate) fn says_something(stanza: &Stanza) -> bool {
    const ASIDES: [(&str, &str); 4] = [
        ("retract", "urn:xmpp:message-retract:1"),
        ("retract", "urn:xmpp:message-retract:0"),
        ("apply-to", "urn:xmpp:fasten:0"),
        ("reactions", "urn:xmpp:reactions:0"),
    ];
    let is_aside = |child: &Element| ASIDES.iter().any(|(name, namespace)| child.is(name, namespace));
    !stanza.children.iter().any(is_aside) && (has_text(stanza) || is_encrypted(stanza))
}

fn has_text(stanza: &Stanza) -> bool {
    stanza.children.iter().any(|child| child.is("body", NS_CLIENT) && !child.nodes.is_empty())
}

/// Whether what a message says is encrypted (XEP-0380, XEP-0384, XEP-0373, XEP-0027). An OMEMO message without a payload
/// only carries keys, unless a text tells those who cannot read it that there is something to read.
pub(crate) fn is_encrypted(stanza: &Stanza) -> bool {
    let omemo = |child: &&Element| {
        &*child.name == "encrypted"
            && (child.namespace.starts_with("urn:xmpp:omemo:")
                || &*child.namespace == "eu.siacs.conversations.axolotl")
    };
    if let Some(encrypted) = stanza.children.iter().find(omemo) {
        return encrypted.find("payload").is_some() || has_text(stanza);
    }
    stanza.has("encryption", "urn:xmpp:eme:0")
        || stanza.has("openpgp", "urn:xmpp:openpgp:0")
        || stanza.has("x", "jabber:x:encrypted")
}

/// Whether a stanza can be a CAPTCHA or the answer to one (XEP-0158 §3).
pub(crate) fn may_answer_captcha(stanza: &Stanza) -> bool {
    let is_groupchat = stanza.kind == Kind::Message(MessageType::Groupchat);
    !is_groupchat
        && stanza.children.iter().any(|child| {
            &*child.namespace == "urn:xmpp:captcha"
                || child.is("x", "jabber:x:data")
                || child.is("body", NS_CLIENT)
        })
}
