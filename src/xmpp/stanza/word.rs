//! Short texts of which there are few.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The name of an element or an attribute, a namespace, or the value of an attribute. Those that nearly every
/// stanza of a room has are not held anew for each.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Box<str>", into = "Box<str>")]
pub struct Word(Text);

#[derive(Clone)]
enum Text {
    /// One of [`USUAL`], at its only place.
    Usual(&'static &'static str),
    /// Any other.
    Own(Box<str>),
}

/// What rooms send all the time.
static USUAL: [&str; 66] = [
    "",
    "100",
    "110",
    "170",
    "a",
    "active",
    "admin",
    "affiliation",
    "body",
    "by",
    "c",
    "code",
    "composing",
    "delay",
    "en",
    "encryption",
    "from",
    "groupchat",
    "hash",
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/chatstates",
    "http://jabber.org/protocol/muc",
    "http://jabber.org/protocol/muc#user",
    "id",
    "idle",
    "item",
    "jabber:client",
    "jid",
    "markable",
    "member",
    "message",
    "moderator",
    "namespace",
    "nick",
    "node",
    "none",
    "occupant-id",
    "origin-id",
    "outcast",
    "owner",
    "participant",
    "paused",
    "photo",
    "presence",
    "priority",
    "reaction",
    "reactions",
    "replace",
    "reply",
    "role",
    "sha-1",
    "show",
    "since",
    "stamp",
    "stanza-id",
    "status",
    "store",
    "subject",
    "to",
    "urn:xmpp:hints",
    "urn:xmpp:occupant-id:0",
    "urn:xmpp:sid:0",
    "vcard-temp:x:update",
    "ver",
    "x",
    "xml:lang",
];

/// How many places the usual texts are spread over, so that hardly two have the same.
const PLACES: usize = 512;

/// The usual texts by their places.
static TABLE: LazyLock<Vec<Vec<&'static &'static str>>> = LazyLock::new(|| {
    let of_place = |own| USUAL.iter().filter(move |text| place(text.as_bytes()) == own);
    (0..PLACES).map(|own| of_place(own).collect()).collect()
});

/// The place of a text: a hash of all its bytes would cost more than to compare with the one text that may be there.
fn place(bytes: &[u8]) -> usize {
    let byte = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
    (byte(bytes.first()) + byte(bytes.last()) * 9 + bytes.len() * 29) % PLACES
}

/// The usual text of those bytes.
fn usual(bytes: &[u8]) -> Option<&'static &'static str> {
    TABLE.get(place(bytes))?.iter().find(|text| text.as_bytes() == bytes).copied()
}

impl Word {
    /// Takes bytes, which have to be looked at no closer if they are a usual text.
    pub fn read<'a>(bytes: &'a [u8], text: impl FnOnce(&'a [u8]) -> Option<&'a str>) -> Option<Self> {
        match usual(bytes) {
            Some(usual) => Some(Self(Text::Usual(usual))),
            None => text(bytes).map(|text| Self(Text::Own(text.into()))),
        }
    }

    /// The text, if it is held for this word alone.
    pub(crate) fn own(&self) -> Option<&str> {
        match &self.0 {
            Text::Usual(_) => None,
            Text::Own(text) => Some(text),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Usual(text) => text,
            Text::Own(text) => text,
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(usual(text.as_bytes()).map_or_else(|| Text::Own(text.into()), Text::Usual))
    }
}

impl From<Box<str>> for Word {
    fn from(text: Box<str>) -> Self {
        Self::from(&*text)
    }
}

impl From<Word> for Box<str> {
    fn from(word: Word) -> Self {
        word.as_str().into()
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Text::Usual(one), Text::Usual(other)) => std::ptr::eq(*one, *other),
            (Text::Own(one), Text::Own(other)) => one == other,
            (Text::Usual(_), Text::Own(_)) | (Text::Own(_), Text::Usual(_)) => false,
        }
    }
}

impl Eq for Word {}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Text::Usual(text) => std::ptr::hash(*text, state),
            Text::Own(text) => text.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_its_text() {
        for text in USUAL.into_iter().chain(["unusual", "bodies", "ü"]) {
            let word = Word::from(text);
            assert_eq!((word.as_str(), &word), (text, &Word::from(text)));
            assert_eq!(matches!(word.0, Text::Usual(_)), USUAL.contains(&text));
        }
        assert_ne!(Word::from("body"), Word::from("bodies"));
        assert_eq!(size_of::<Word>(), size_of::<Box<str>>());
    }
}
