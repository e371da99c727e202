//! The last messages of a log: by what they are known when they come again.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize, Serializer};

use crate::config::limit;

/// Of how many messages that nobody can tell apart it is known who has received them.
const MOST_ALIKE: usize = 16;

/// The last messages, oldest first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<Entry>")]
pub(super) struct Recent {
    entries: VecDeque<Entry>,
    /// How many came before them.
    gone: u64,
    /// With the number of the entry: how many came before it.
    by_print: BTreeSet<(u64, u64)>,
}

/// A message in a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) print: u64,
    pub(super) at_ms: i64,
    pub(super) id: Box<str>,
    /// Whether it is in the log under no other id. What the past brings may have been there before a start.
    pub(super) is_settled: bool,
    /// If nobody has given it an id: who has received it. If one of them receives it again, it is another.
    pub(super) receivers: BTreeSet<u64>,
}

/// A message that has come, as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) id: Box<str>,
    /// Whether it is there under no other id.
    pub(crate) is_settled: bool,
    pub(crate) print: u64,
    /// When it was received, in UTC, by the first of the accounts.
    pub(crate) at_ms: i64,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

impl Entry {
    pub(super) fn logged(&self, is_new: bool) -> Logged {
        let (id, print, at_ms) = (self.id.clone(), self.print, self.at_ms);
        Logged { id, is_settled: self.is_settled, print, at_ms, is_new }
    }
}

impl Recent {
    /// The message that has come again, if it has. Of one without an id the receiver is told, who does not receive it twice.
    pub(super) fn receive(&mut self, print: u64, receiver: Option<u64>) -> Option<&Entry> {
        let position = self.alike(print).take(MOST_ALIKE).find(|position| {
            let receivers = self.entries.get(*position).map(|entry| &entry.receivers);
            let is_among = |receiver| receivers.is_some_and(|receivers| receivers.contains(receiver));
            !receiver.as_ref().is_some_and(is_among)
        });
        let known = self.entries.get_mut(position?)?;
        known.receivers.extend(receiver);
        Some(known)
    }

    /// The newest with that print.
    pub(super) fn newest(&self, print: u64) -> Option<&Entry> {
        self.entries.get(self.alike(print).next()?)
    }

    /// What was logged under that id.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().rfind(|entry| *entry.id == *id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The places of the messages with that print, the newest first.
    fn alike(&self, print: u64) -> impl Iterator<Item = usize> {
        let numbers = self.by_print.range((print, 0)..=(print, u64::MAX)).rev();
        numbers.filter_map(|(_, number)| usize::try_from(number - self.gone).ok())
    }

    pub(super) fn add(&mut self, entry: Entry) {
        let number = self.gone + self.entries.len() as u64;
        self.by_print.insert((entry.print, number));
        self.entries.push_back(entry);
        if self.entries.len() > limit::LOG_RECENT
            && let Some(oldest) = self.entries.pop_front()
        {
            self.by_print.remove(&(oldest.print, self.gone));
            self.gone += 1;
        }
    }
}

impl Serialize for Recent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl From<Vec<Entry>> for Recent {
    fn from(entries: Vec<Entry>) -> Self {
        let mut recent = Self::default();
        for entry in entries {
            recent.add(entry);
        }
        recent
    }
}
