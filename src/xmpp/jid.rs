//! Addresses (RFC 6122), typed. Prosody has prepared every JID that it hands us, so nothing here folds
//! case or checks code points: two addresses are the same when their text is.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Any address of a stanza: a domain, with or without a localpart and a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Jid(Arc<str>);

/// A bare JID: an account, a room, or a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BareJid(Arc<str>);

/// The full JID of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FullJid(Jid);

/// A nick: the resource of an occupant JID (XEP-0045 §4.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nick(Arc<str>);

impl Jid {
    /// Takes an address as Prosody prepared it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first slash.
    pub fn bare(&self) -> &str {
        bare_part(&self.0)
    }

    /// The part after the first slash, if it is not empty (a nick may contain further slashes).
    pub fn resource(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_, resource)| resource).filter(|resource| !resource.is_empty())
    }

    /// The bare JID of this address.
    pub fn to_bare(&self) -> BareJid {
        if self.bare().len() == self.0.len() {
            return BareJid(Arc::clone(&self.0));
        }
        BareJid::new(self.bare())
    }

    /// The host, or the room's service.
    pub fn domain(&self) -> &str {
        domain_of(self.bare())
    }

    /// The resource as a nick.
    pub fn nick(&self) -> Option<Nick> {
        self.resource().map(Nick::new)
    }
}

/// The part of an address before its first slash.
pub fn bare_part(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

fn domain_of(bare: &str) -> &str {
    bare.split_once('@').map_or(bare, |(_, domain)| domain)
}

impl BareJid {
    /// Takes a bare JID as Prosody prepared it.
    pub fn new(text: &str) -> Self {
        Self(bare_part(text).into())
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the at sign.
    pub fn localpart(&self) -> &str {
        self.0.split_once('@').map_or("", |(localpart, _)| localpart)
    }

    /// The part after the at sign: the host, or the room's service.
    pub fn domain(&self) -> &str {
        domain_of(&self.0)
    }

    /// The address itself, for a stanza.
    pub fn to_jid(&self) -> Jid {
        Jid(Arc::clone(&self.0))
    }

    /// The occupant JID of `nick` in this room.
    pub fn occupant(&self, nick: &Nick) -> Jid {
        Jid(format!("{}/{}", self.0, nick.0).into())
    }
}

impl FullJid {
    /// Takes an address that has a resource.
    pub fn new(jid: &Jid) -> Option<Self> {
        jid.resource().map(|_| Self(jid.clone()))
    }

    /// The address itself, for a stanza.
    pub fn as_jid(&self) -> &Jid {
        &self.0
    }

    /// The account of the session.
    pub fn account(&self) -> BareJid {
        self.0.to_bare()
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Nick {
    /// Takes a nick as Prosody prepared it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text of the nick.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for BareJid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Nick {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<String> for Jid {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Jid> for String {
    fn from(jid: Jid) -> Self {
        jid.0.as_ref().to_owned()
    }
}

macro_rules! display_as_text {
    ($($address:ty),*) => {$(
        impl fmt::Display for $address {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}
display_as_text!(Jid, BareJid, FullJid, Nick);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nick_is_all_after_the_first_slash() {
        let jid = Jid::new("lounge@rooms.example/a@b/c");
        assert_eq!(jid.bare(), "lounge@rooms.example");
        assert_eq!(jid.resource(), Some("a@b/c"));
        assert_eq!(jid.to_bare().occupant(&Nick::new("/help")).as_str(), "lounge@rooms.example//help");
    }

    #[test]
    fn a_bare_jid_has_no_resource() {
        assert_eq!(Jid::new("rooms.example").resource(), None);
        assert_eq!(Jid::new("lounge@rooms.example/").nick(), None);
        assert_eq!(BareJid::new("lounge@rooms.example").domain(), "rooms.example");
        assert!(FullJid::new(&Jid::new("alice@example.org")).is_none());
    }
}
