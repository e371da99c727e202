//! The table of interned stanzas: one for the process, shared by all hosts that load the module, because
//! all accounts in a room are shown the same stanzas.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use super::kept::Held;

/// The table has so many parts: to sweep or to enlarge one takes a part of the time.
const PARTS: u64 = 256;
/// How many entries a part has before the dead ones are first swept.
const FIRST_SWEEP: usize = 16;

static TABLE: LazyLock<Vec<Mutex<Part>>> = LazyLock::new(|| (0..PARTS).map(|_| Mutex::default()).collect());

#[derive(Default)]
struct Part {
    /// By the hash of the stanza. Who finds two stanzas with one hash gains nothing: the later one is shared.
    entries: HashMap<u64, Weak<Held>>,
    sweep_at: usize,
}

/// The one shared copy of a stanza: that one, unless there is another.
pub(super) fn intern(stanza: Arc<Held>) -> Arc<Held> {
    let hash = FxBuildHasher.hash_one(&stanza.stanza);
    let number = usize::try_from((hash >> 32) % PARTS).unwrap_or_default();
    match TABLE.get(number) {
        Some(part) => part.lock().intern(hash, stanza),
        None => stanza,
    }
}

/// Gives back the memory of all that nobody keeps any more, at once.
pub(super) fn sweep() {
    for part in TABLE.iter() {
        let mut part = part.lock();
        part.sweep();
        part.entries.shrink_to_fit();
        part.sweep_at = part.entries.len() * 2;
    }
}

impl Part {
    fn intern(&mut self, hash: u64, stanza: Arc<Held>) -> Arc<Held> {
        match self.entries.get(&hash).and_then(Weak::upgrade) {
            Some(known) if known == stanza => known,
            Some(_) | None => self.insert(hash, stanza),
        }
    }

    fn insert(&mut self, hash: u64, stanza: Arc<Held>) -> Arc<Held> {
        if self.entries.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.sweep();
            self.sweep_at = self.entries.len() * 2;
        }
        stanza.charge();
        self.entries.insert(hash, Arc::downgrade(&stanza));
        stanza
    }

    fn sweep(&mut self) {
        self.entries.retain(|_, stanza| stanza.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kept, Kind, MessageType, Stanza};
    use crate::xmpp::jid::Jid;

    fn message(to: &str, id: &str) -> Stanza {
        Stanza::new(Kind::Message(MessageType::Groupchat)).to(Jid::new(to)).id(Some(id))
    }

    #[test]
    fn accounts_share_what_differs_only_in_its_addressee() {
        let one = Kept::shared(message("alice@example.org", "shared"));
        let other = Kept::shared(message("bob@example.org", "shared"));
        assert!(std::ptr::eq(&raw const *one, &raw const *other));
        assert_ne!(one, Kept::shared(message("bob@example.org", "another")));
    }
}
