//! Stanzas that outlive the event that brought them.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::{Stanza, intern};
use crate::xmpp::cost::{COPY, Cost};
use crate::xmpp::jid::Jid;
use crate::xmpp::memory::Charge;

/// A stanza that is kept: immutable, shared, and one copy in the process however many accounts keep the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept(Arc<Held>);

/// The copy, and what it costs as long as it is shared.
pub(super) struct Held {
    pub(super) stanza: Stanza,
    charge: OnceLock<Charge>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.stanza == other.stanza
    }
}

impl Eq for Held {}

impl Held {
    /// It is shared from now on, and its domain pays for it.
    pub(super) fn charge(&self) {
        self.charge.get_or_init(|| {
            let cost = COPY + self.stanza.cost();
            let mut charge = Charge::of(self.stanza.from.as_ref().map_or("", Jid::domain));
            charge.set(cost, cost);
            charge
        });
    }
}

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

    /// The same, of one that nobody else keeps.
    pub(crate) fn into_shared(self) -> Self {
        Self(intern::intern(self.0))
    }

    /// Gives back the memory of what was shared and nobody keeps any more. Else that happens little by little.
    #[cfg_attr(not(feature = "lua"), expect(dead_code, reason = "only the binding ends a core"))]
    pub(crate) fn sweep_shared() {
        intern::sweep();
    }

    /// Keeps a stanza that only one account will ever hold.
    pub fn own(stanza: Stanza) -> Self {
        Self(Arc::new(Held { stanza, charge: OnceLock::new() }))
    }

    /// Where the copy is: two that are at the same place are one.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// About how many bytes it occupies, if it is shared.
    pub(crate) fn charged(&self) -> Option<usize> {
        self.0.charge.get().map(Charge::cost)
    }
}

impl Deref for Kept {
    type Target = Stanza;

    fn deref(&self) -> &Stanza {
        &self.0.stanza
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.stanza.fmt(formatter)
    }
}
