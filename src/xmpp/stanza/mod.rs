//! A stanza as the core sees it: complete, immutable once kept, without a copy of what it does not need.
//!
//! Every namespace is resolved: a child that Prosody built without `xmlns` has its parent's.

pub(crate) mod book;
mod element;
mod intern;
mod kept;
mod word;
mod xml;

pub use element::{Element, ElementBuilder, Node};
pub use kept::Kept;
pub use word::Word;
pub use xml::XmlError;

use crate::xmpp::jid::Jid;

/// The namespace of stanzas and of their unqualified children.
pub const NS_CLIENT: &str = "jabber:client";
/// How deep elements may nest in a stanza. Whoever reads one allows as much, or a snapshot could not be read.
pub(crate) const MAX_DEPTH: usize = 64;
/// The namespace of the conditions of stanza errors (RFC 6120 §8.3).
pub const NS_STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// The kind of a stanza, with the meaning of its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<presence/>`
    Presence(PresenceType),
    /// `<message/>`
    Message(MessageType),
    /// `<iq/>`
    Iq(IqType),
}

/// The `type` of a presence (RFC 6121 §4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceType {
    /// No `type`: available.
    Available,
    /// `unavailable`
    Unavailable,
    /// `probe`
    Probe,
    /// `error`
    Error,
    /// A subscription, or anything that no room sends.
    Other,
}

/// The `type` of a message (RFC 6121 §5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// `groupchat`
    Groupchat,
    /// `chat`
    Chat,
    /// `normal`, no `type`, `headline`, or one that nobody knows.
    Normal,
    /// `error`
    Error,
}

/// The `type` of an IQ (RFC 6120 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    /// `get`
    Get,
    /// `set`
    Set,
    /// `result`
    Result,
    /// `error`
    Error,
}

impl Kind {
    /// Reads the name of a stanza and its `type`; nothing if it is no stanza, or an IQ without a known type.
    pub fn read(name: &str, type_attribute: Option<&str>) -> Option<Self> {
        Some(match name {
            "presence" => Self::Presence(match type_attribute {
                None => PresenceType::Available,
                Some("unavailable") => PresenceType::Unavailable,
                Some("probe") => PresenceType::Probe,
                Some("error") => PresenceType::Error,
                Some(_) => PresenceType::Other,
            }),
            "message" => Self::Message(match type_attribute {
                Some("groupchat") => MessageType::Groupchat,
                Some("chat") => MessageType::Chat,
                Some("error") => MessageType::Error,
                Some(_) | None => MessageType::Normal,
            }),
            "iq" => Self::Iq(match type_attribute? {
                "get" => IqType::Get,
                "set" => IqType::Set,
                "result" => IqType::Result,
                "error" => IqType::Error,
                _ => return None,
            }),
            _ => return None,
        })
    }

    /// The element's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Presence(_) => "presence",
            Self::Message(_) => "message",
            Self::Iq(_) => "iq",
        }
    }

    /// The `type` attribute that says the same.
    pub fn type_attribute(self) -> Option<&'static str> {
        match self {
            Self::Presence(PresenceType::Available | PresenceType::Other)
            | Self::Message(MessageType::Normal) => None,
            Self::Presence(PresenceType::Unavailable) => Some("unavailable"),
            Self::Presence(PresenceType::Probe) => Some("probe"),
            Self::Message(MessageType::Groupchat) => Some("groupchat"),
            Self::Message(MessageType::Chat) => Some("chat"),
            Self::Iq(IqType::Get) => Some("get"),
            Self::Iq(IqType::Set) => Some("set"),
            Self::Iq(IqType::Result) => Some("result"),
            Self::Presence(PresenceType::Error)
            | Self::Message(MessageType::Error)
            | Self::Iq(IqType::Error) => Some("error"),
        }
    }
}

/// A presence, a message or an IQ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stanza {
    /// What it is, and its `type`.
    pub kind: Kind,
    /// Who sent it.
    pub from: Option<Jid>,
    /// Whom it is for; never set on a stanza that is kept.
    pub to: Option<Jid>,
    /// Its `id`.
    pub id: Option<Box<str>>,
    /// Every other attribute (`xml:lang` above all), in the order of their names.
    pub attributes: Vec<(Word, Word)>,
    /// Its payload, in order.
    pub children: Vec<Element>,
}

impl Stanza {
    /// Starts a stanza without addresses, id and payload.
    pub fn new(kind: Kind) -> Self {
        Self { kind, from: None, to: None, id: None, attributes: Vec::new(), children: Vec::new() }
    }

    /// Says who sent it.
    #[must_use]
    pub fn from(mut self, from: Jid) -> Self {
        self.from = Some(from);
        self
    }

    /// Says whom it is for.
    #[must_use]
    pub fn to(mut self, to: Jid) -> Self {
        self.to = Some(to);
        self
    }

    /// Sets or removes the id.
    #[must_use]
    pub fn id(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The first child of that name and namespace.
    pub fn find(&self, name: &str, namespace: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(name, namespace))
    }

    /// Whether there is a child of that name and namespace.
    pub fn has(&self, name: &str, namespace: &str) -> bool {
        self.find(name, namespace).is_some()
    }

    /// The nick of the occupant that sent it, if one did.
    pub fn sender_nick(&self) -> Option<crate::xmpp::jid::Nick> {
        self.from.as_ref().and_then(Jid::nick)
    }

    /// About how many bytes of text it holds.
    pub fn weight(&self) -> usize {
        let addresses = self.from.iter().chain(&self.to).map(|jid| jid.as_str().len()).sum::<usize>();
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let id = self.id.as_ref().map_or(0, |id| id.len());
        addresses + id + attributes + self.children.iter().map(Element::weight).sum::<usize>()
    }

    /// The nick that it is addressed to, if it is for an occupant.
    pub fn target_nick(&self) -> Option<crate::xmpp::jid::Nick> {
        self.to.as_ref().and_then(Jid::nick)
    }

    /// The condition of an error stanza (RFC 6120 §8.3.3).
    pub fn error_condition(&self) -> Option<&str> {
        let error = self.find("error", NS_CLIENT)?;
        error
            .elements()
            .find(|child| &*child.namespace == NS_STANZAS && &*child.name != "text")
            .map(|c| &*c.name)
    }

    /// The text of the `<body/>`, or of another unqualified child.
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.find(name, NS_CLIENT).map(Element::text)
    }
}
