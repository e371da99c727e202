//! What is on its way and may be answered.

pub(crate) mod exchanges;
pub(crate) mod expiring;
pub(crate) mod peer;
pub(crate) mod queries;
pub(crate) mod senders;
