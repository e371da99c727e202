//! What is known of as many rooms as there may be. One more takes the place of the one that was changed longest ago.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::xmpp::jid::BareJid;

/// Something of each of those rooms.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<(BareJid, T)>", bound(deserialize = "T: Deserialize<'de> + Default"))]
pub(crate) struct Latest<T> {
    /// With the number of the last change.
    rooms: BTreeMap<BareJid, (u64, T)>,
    by_change: BTreeMap<u64, BareJid>,
    changes: u64,
}

impl<T: Default> Latest<T> {
    /// What is known of that room.
    pub(crate) fn get(&self, room: &BareJid) -> Option<&T> {
        self.rooms.get(room).map(|(_, known)| known)
    }

    /// Changes what is known of that room, if anything is.
    pub(crate) fn change(&mut self, room: &BareJid) -> Option<&mut T> {
        let (changed, known) = self.rooms.get_mut(room)?;
        if *changed != self.changes {
            let room = self.by_change.remove(changed)?;
            self.changes += 1;
            *changed = self.changes;
            self.by_change.insert(self.changes, room);
        }
        Some(known)
    }

    /// Changes what is known of that room. If nothing is, and something of `most` rooms, the one that was changed longest
    /// ago is forgotten, and told beside it.
    pub(crate) fn make(&mut self, room: &BareJid, most: usize) -> (&mut T, Option<T>) {
        let mut forgotten = None;
        if self.change(room).is_none() {
            if self.rooms.len() >= most.max(1) {
                forgotten = self.take_oldest();
            }
            self.changes += 1;
            self.by_change.insert(self.changes, room.clone());
        }
        let known = self.rooms.entry(room.clone()).or_insert((self.changes, T::default()));
        (&mut known.1, forgotten)
    }

    /// Forgets the room that was changed longest ago.
    pub(crate) fn take_oldest(&mut self) -> Option<T> {
        let (_, oldest) = self.by_change.pop_first()?;
        self.rooms.remove(&oldest).map(|(_, known)| known)
    }

    /// What is known of each.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.rooms.values().map(|(_, known)| known)
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { rooms: BTreeMap::new(), by_change: BTreeMap::new(), changes: 0 }
    }
}

/// They are written in the order of their last change.
impl<T: Serialize> Serialize for Latest<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let in_order = self.by_change.values();
        serializer.collect_seq(in_order.filter_map(|room| Some((room, &self.rooms.get(room)?.1))))
    }
}

impl<T: Default> From<Vec<(BareJid, T)>> for Latest<T> {
    fn from(rooms: Vec<(BareJid, T)>) -> Self {
        let mut latest = Self::default();
        for (room, known) in rooms {
            *latest.make(&room, usize::MAX).0 = known;
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> BareJid {
        BareJid::new(&format!("{number}@rooms.example"))
    }

    fn known(latest: &Latest<usize>) -> Vec<usize> {
        (0..6).filter_map(|number| latest.get(&room(number)).copied()).collect()
    }

    fn of_three() -> Latest<usize> {
        let mut latest = Latest::default();
        for number in 0..3 {
            *latest.make(&room(number), 3).0 = number;
        }
        *latest.change(&room(0)).unwrap() = 10;
        latest
    }

    #[test]
    fn r7_one_more_takes_the_place_of_the_one_that_was_changed_longest_ago() {
        let mut latest = of_three();
        let (made, forgotten) = latest.make(&room(3), 3);
        *made = 3;
        assert_eq!(forgotten, Some(1));
        assert_eq!(known(&latest), [10, 2, 3]);
        assert!(latest.change(&room(1)).is_none());
        *latest.make(&room(2), 3).0 += 10;
        *latest.make(&room(4), 3).0 = 4;
        assert_eq!(known(&latest), [12, 3, 4]);
        assert_eq!((latest.rooms.len(), latest.by_change.len()), (3, 3));
    }

    #[test]
    fn g7_their_order_survives_a_reload() {
        let written = serde_json::to_string(&of_three()).unwrap();
        let mut latest: Latest<usize> = serde_json::from_str(&written).unwrap();
        *latest.make(&room(3), 3).0 = 3;
        assert_eq!(known(&latest), [10, 2, 3]);
    }
}
