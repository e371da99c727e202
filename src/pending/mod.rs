//! What waits: for its turn, or for an answer.

pub(crate) mod backlog;
pub(crate) mod exchanges;
pub(crate) mod expiring;
pub(crate) mod peer;
pub(crate) mod queries;
pub(crate) mod senders;
pub(crate) mod subscriptions;
