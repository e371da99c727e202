//! What has been asked and is not answered yet: one kind of table for all of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::SessionId;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::Nick;

/// Entries with a key and perhaps a deadline, oldest first. Several may have one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Entry<K, V>>", into = "Vec<Entry<K, V>>")]
#[serde(bound(
    serialize = "K: Serialize + Key, V: Serialize + Value",
    deserialize = "K: Deserialize<'de> + Key, V: Deserialize<'de> + Value"
))]
pub(crate) struct Expiring<K: Key, V: Value>(
    /// Nothing while there is no entry: most are empty most of the time.
    Option<Box<Tables<K, V>>>,
);

#[derive(Clone, Debug)]
struct Tables<K: Key, V: Value> {
    /// By their numbers, which count up.
    entries: BTreeMap<u64, Entry<K, V>>,
    by_key: BTreeSet<(K, u64)>,
    by_deadline: BTreeSet<(u64, u64)>,
    by_occupant: BTreeSet<(Nick, u64)>,
    cost: usize,
}

/// By what an entry is found.
pub(crate) trait Key: Ord + Clone + Cost + 'static {}
impl<K: Ord + Clone + Cost + 'static> Key for K {}

/// What an entry says.
pub(crate) trait Value: Clone + Cost + 'static {
    /// The occupant whom it is about, by the nick that it has.
    fn occupant(&self) -> Option<&Nick> {
        None
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry<K, V> {
    key: K,
    deadline_ms: Option<u64>,
    value: V,
    /// As it was when it was added; it may change a little.
    #[serde(skip)]
    cost: usize,
}

impl<K: Key, V: Value> Entry<K, V> {
    /// What an entry costs in all tables, a third of which is free.
    fn cost(key: &K, value: &V) -> usize {
        let of_occupant = value.occupant().map_or(0, |_| size_of::<(Nick, u64)>());
        let places = size_of::<(u64, Self)>() + size_of::<(K, u64)>() + size_of::<(u64, u64)>() + of_occupant;
        places * 3 / 2 + 2 * key.outside() + value.outside()
    }
}

/// What waits for an answer on behalf of a session.
pub(crate) trait OfSession {
    /// The session; nobody, once it has ended.
    fn session(&self) -> Option<SessionId>;
}

impl<K: Key, V: Value> Tables<K, V> {
    const EMPTY: &Self = &Self::new();

    const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_key: BTreeSet::new(),
            by_deadline: BTreeSet::new(),
            by_occupant: BTreeSet::new(),
            cost: 0,
        }
    }

    fn insert(&mut self, key: K, deadline_ms: Option<u64>, value: V) {
        let number = self.entries.last_key_value().map_or(0, |(last, _)| last + 1);
        self.by_key.insert((key.clone(), number));
        self.by_deadline.extend(deadline_ms.map(|deadline_ms| (deadline_ms, number)));
        self.by_occupant.extend(value.occupant().map(|occupant| (occupant.clone(), number)));
        let cost = Entry::cost(&key, &value);
        self.cost += cost;
        self.entries.insert(number, Entry { key, deadline_ms, value, cost });
    }

    fn remove(&mut self, number: u64) -> Option<V> {
        let entry = self.entries.remove(&number)?;
        if let Some(deadline_ms) = entry.deadline_ms {
            self.by_deadline.remove(&(deadline_ms, number));
        }
        if let Some(occupant) = entry.value.occupant() {
            self.by_occupant.remove(&(occupant.clone(), number));
        }
        self.cost = self.cost.saturating_sub(entry.cost);
        self.by_key.remove(&(entry.key, number));
        Some(entry.value)
    }

    /// Changes an entry; it may be about another occupant then.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut V)) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if let Some(before) = entry.value.occupant() {
            self.by_occupant.remove(&(before.clone(), number));
        }
        change(&mut entry.value);
        self.by_occupant.extend(entry.value.occupant().map(|occupant| (occupant.clone(), number)));
    }
}

impl<K: Key, V: Value> Expiring<K, V> {
    fn tables(&self) -> &Tables<K, V> {
        self.0.as_deref().unwrap_or(Tables::EMPTY)
    }

    pub(crate) fn len(&self) -> usize {
        self.tables().entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds an entry that expires at that time, or never.
    pub(crate) fn insert(&mut self, key: K, deadline_ms: impl Into<Option<u64>>, value: V) {
        self.0.get_or_insert_with(|| Box::new(Tables::new())).insert(key, deadline_ms.into(), value);
    }

    /// Adds an entry. If all then cost more than that, the oldest make space, but never the new one.
    pub(crate) fn insert_within(&mut self, most: usize, key: K, deadline_ms: u64, value: V) {
        self.insert(key, deadline_ms, value);
        while self.cost() > most && self.len() > 1 {
            let oldest = self.tables().entries.first_key_value().map(|(number, _)| *number);
            oldest.and_then(|oldest| self.remove(oldest));
        }
    }

    /// About how many bytes it costs.
    pub(crate) fn cost(&self) -> usize {
        self.tables().cost
    }

    /// The oldest entry of that key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.numbers(key)
            .next()
            .and_then(|number| self.tables().entries.get(&number))
            .map(|entry| &entry.value)
    }

    /// Takes out the oldest entry of that key that is wanted.
    pub(crate) fn take(&mut self, key: &K, wanted: impl Fn(&V) -> bool) -> Option<V> {
        let is_wanted =
            |number: &u64| self.tables().entries.get(number).is_some_and(|entry| wanted(&entry.value));
        let number = self.numbers(key).find(is_wanted)?;
        self.remove(number)
    }

    /// Takes out the oldest entry of any key that is wanted.
    pub(crate) fn take_any(&mut self, wanted: impl Fn(&V) -> bool) -> Option<V> {
        let number = self
            .tables()
            .entries
            .iter()
            .find(|(_, entry)| wanted(&entry.value))
            .map(|(number, _)| *number)?;
        self.remove(number)
    }

    /// Takes out everything that has expired.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Vec<V> {
        std::iter::from_fn(|| self.take_first_due(now_ms)).collect()
    }

    /// Takes out what expired first.
    pub(crate) fn take_first_due(&mut self, now_ms: u64) -> Option<V> {
        let (_, number) =
            *self.tables().by_deadline.first().filter(|(deadline_ms, _)| *deadline_ms <= now_ms)?;
        self.remove(number)
    }

    /// When the first entry expires.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.tables().by_deadline.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Takes out every entry that is wanted, oldest first.
    pub(crate) fn take_all(&mut self, wanted: impl Fn(&V) -> bool) -> Vec<V> {
        let numbers: Vec<u64> = self
            .tables()
            .entries
            .iter()
            .filter(|(_, entry)| wanted(&entry.value))
            .map(|(number, _)| *number)
            .collect();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Takes out the oldest entry about that occupant.
    pub(crate) fn take_first_about(&mut self, occupant: &Nick) -> Option<V> {
        let number = self.numbers_about(occupant).next()?;
        self.remove(number)
    }

    /// Takes out every entry about that occupant, oldest first.
    pub(crate) fn take_all_about(&mut self, occupant: &Nick) -> Vec<V> {
        std::iter::from_fn(|| self.take_first_about(occupant)).collect()
    }

    /// Changes every entry about that occupant, oldest first.
    pub(crate) fn change_all_about(&mut self, occupant: &Nick, mut change: impl FnMut(&mut V)) {
        let numbers: Vec<u64> = self.numbers_about(occupant).collect();
        let Some(tables) = self.0.as_deref_mut() else { return };
        for number in numbers {
            tables.change(number, &mut change);
        }
    }

    /// Takes out everything, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        let entries = self.0.take().map(|tables| tables.entries).unwrap_or_default();
        entries.into_values().map(|entry| (entry.key, entry.value))
    }

    /// The values, oldest first, to be changed. They stay about the same occupants.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().flat_map(|tables| tables.entries.values_mut()).map(|entry| &mut entry.value)
    }

    fn numbers_about(&self, occupant: &Nick) -> impl Iterator<Item = u64> {
        let all = (occupant.clone(), 0)..=(occupant.clone(), u64::MAX);
        self.tables().by_occupant.range(all).map(|(_, number)| *number)
    }

    fn numbers(&self, key: &K) -> impl Iterator<Item = u64> {
        self.tables().by_key.range((key.clone(), 0)..=(key.clone(), u64::MAX)).map(|(_, number)| *number)
    }

    fn remove(&mut self, number: u64) -> Option<V> {
        let tables = self.0.as_deref_mut()?;
        let value = tables.remove(number);
        if tables.entries.is_empty() {
            self.0 = None;
        }
        value
    }
}

impl<K: Key, V: Value + OfSession> Expiring<K, V> {
    /// Takes out the entries of a session that has ended: nobody waits for their answers.
    pub(crate) fn forget(&mut self, session: SessionId) -> Vec<V> {
        self.take_all(|value| value.session() == Some(session))
    }
}

impl<K: Key, V: Value> Default for Expiring<K, V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: Key, V: Value> From<Vec<Entry<K, V>>> for Expiring<K, V> {
    fn from(entries: Vec<Entry<K, V>>) -> Self {
        let mut expiring = Self::default();
        for Entry { key, deadline_ms, value, .. } in entries {
            expiring.insert(key, deadline_ms, value);
        }
        expiring
    }
}

impl<K: Key, V: Value> From<Expiring<K, V>> for Vec<Entry<K, V>> {
    fn from(expiring: Expiring<K, V>) -> Self {
        expiring.0.map(|tables| tables.entries.into_values().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cost for u32 {
        fn outside(&self) -> usize {
            0
        }
    }

    impl Value for u32 {}

    fn table(entries: &[(&'static str, u64, u32)]) -> Expiring<Box<str>, u32> {
        let mut table = Expiring::default();
        for (key, deadline_ms, value) in entries {
            table.insert((*key).into(), *deadline_ms, *value);
        }
        table
    }

    #[test]
    fn the_oldest_of_a_key_comes_first() {
        let mut table = table(&[("a", 30, 1), ("b", 10, 2), ("a", 20, 3)]);
        assert_eq!(table.get(&"a".into()), Some(&1));
        assert_eq!(table.take(&"a".into(), |value| *value != 1), Some(3));
        assert_eq!(table.take(&"a".into(), |_| true), Some(1));
        assert_eq!(table.take(&"a".into(), |_| true), None);
        assert_eq!(table.take_any(|_| true), Some(2));
        assert!(table.is_empty() && table.deadline().is_none());
    }

    #[test]
    fn what_expires_first_is_due_first() {
        let mut table = table(&[("a", 30, 1), ("b", 10, 2), ("c", 20, 3)]);
        assert_eq!(table.deadline(), Some(10));
        assert_eq!(table.take_due(20), [2, 3]);
        assert!(table.take_due(29).is_empty());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn what_has_no_deadline_stays() {
        let mut table = table(&[("a", 30, 1)]);
        table.insert("b".into(), None, 2);
        assert_eq!(table.take_first_due(u64::MAX), Some(1));
        assert_eq!((table.deadline(), table.take_due(u64::MAX)), (None, vec![]));
        assert_eq!(table.drain().collect::<Vec<_>>(), [("b".into(), 2)]);
        assert!(table.is_empty());
    }

    #[test]
    fn the_oldest_makes_space() {
        let mut table = table(&[("a", 30, 1), ("b", 10, 2)]);
        table.insert_within(table.cost(), "c".into(), 5, 3);
        assert_eq!(table.take_all(|_| true), [2, 3]);
        assert_eq!(table.cost(), 0);
        table.insert_within(0, "d".into(), 5, 4);
        assert_eq!(table.take_all(|_| true), [4], "the new one has its place");
    }

    #[test]
    fn a_table_survives_writing_and_reading() {
        let mut before = table(&[("a", 30, 1), ("b", 10, 2)]);
        before.insert("c".into(), None, 3);
        let text = serde_json::to_string(&before).unwrap();
        let mut after: Expiring<Box<str>, u32> = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&after).unwrap(), text);
        assert_eq!(after.take_due(10), [2]);
    }
}
