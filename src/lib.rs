//! The deciding core of `mod_minimix`.
pub mod bouncer;
pub mod config;
pub mod error;
pub mod event;
pub mod jid;
pub mod lua;
pub mod muc;
pub mod stanza;
