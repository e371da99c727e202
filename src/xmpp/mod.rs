//! The words of the field: addresses, stanzas and what they say.

pub(crate) mod archive;
pub mod cost;
pub(crate) mod delay;
pub mod error;
pub mod jid;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod mention;
pub mod muc;
pub mod stanza;
