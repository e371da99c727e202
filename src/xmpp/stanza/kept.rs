//! Stanzas that outlive the event that brought them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Stanza, intern};

/// A stanza that is kept: immutable, shared, and one copy in the process however many accounts keep the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept(Arc<Stanza>);

impl Kept {
    /// Keeps a stanza of a room; its `to`, which differs from account to account, is dropped, so that all
    /// accounts in the room share one copy.
    pub fn shared(stanza: Stanza) -> Self {
        Self::without_to(stanza).share()
    }

    /// Keeps a stanza without its `to`: on delivery it gets the address of the session.
    pub fn without_to(mut stanza: Stanza) -> Self {
        stanza.to = None;
        Self::own(stanza)
    }

    /// The copy that all accounts share, of a stanza without address.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(intern::intern(Arc::clone(&self.0)))
    }

    /// Gives back the memory of what was shared and nobody keeps any more. Else that happens little by little.
    #[cfg_attr(not(feature = "lua"), expect(dead_code, reason = "only the binding ends a core"))]
    pub(crate) fn sweep_shared() {
        intern::sweep();
    }

    /// Keeps a stanza that only one account will ever hold.
    pub fn own(stanza: Stanza) -> Self {
        Self(Arc::new(stanza))
    }
}

impl Deref for Kept {
    type Target = Stanza;

    fn deref(&self) -> &Stanza {
        &self.0
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_xml())
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let xml = String::deserialize(deserializer)?;
        let stanza = Stanza::from_xml(&xml).map_err(de::Error::custom)?;
        Ok(Self::own(stanza).share())
    }
}
