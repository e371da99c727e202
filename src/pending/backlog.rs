//! Stanzas that wait, in order.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::xmpp::cost::Cost;
use crate::xmpp::stanza::Kept;

/// Stanzas that wait, oldest first, and what they cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "VecDeque<Kept>", into = "VecDeque<Kept>")]
pub(crate) struct Backlog {
    stanzas: VecDeque<Kept>,
    cost: usize,
}

impl Backlog {
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn len(&self) -> usize {
        self.stanzas.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.stanzas.iter()
    }

    pub(crate) fn push(&mut self, stanza: Kept) {
        self.cost += stanza.cost();
        self.stanzas.push_back(stanza);
    }

    /// Takes in another backlog, after what waits here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.cost += std::mem::take(&mut other.cost);
        self.stanzas.append(&mut other.stanzas);
    }

    /// Puts others before what waits.
    pub(crate) fn prepend(&mut self, others: &Self) {
        self.cost += others.cost;
        for stanza in others.stanzas.iter().rev() {
            self.stanzas.push_front(stanza.clone());
        }
    }

    /// Takes out the oldest.
    pub(crate) fn pop_front(&mut self) -> Option<Kept> {
        let oldest = self.stanzas.pop_front()?;
        self.cost = self.cost.saturating_sub(oldest.cost());
        Some(oldest)
    }

    /// Takes out those that are wanted.
    pub(crate) fn take(&mut self, wanted: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.stanzas).into_iter().partition(|stanza| wanted(stanza));
        *self = left.into();
        taken.into()
    }

    /// Puts others in the places of some.
    pub(crate) fn replace(&mut self, other: impl Fn(&Kept) -> Option<Kept>) {
        let replaced = |stanza: Kept| other(&stanza).unwrap_or(stanza);
        *self = std::mem::take(&mut self.stanzas).into_iter().map(replaced).collect::<VecDeque<_>>().into();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what is not wanted.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Kept) -> bool) {
        self.stanzas.retain(wanted);
        self.cost = self.stanzas.iter().map(Cost::cost).sum();
    }

    /// Forgets the oldest of those that can be spared, until so many bytes are free; false if that is not enough.
    pub(crate) fn spare(&mut self, mut bytes: usize, can_be_spared: impl Fn(&Kept) -> bool) -> bool {
        while bytes > 0 {
            let Some(position) = self.stanzas.iter().position(&can_be_spared) else { return false };
            let freed = self.stanzas.remove(position).map_or(0, |stanza| stanza.cost());
            self.cost = self.cost.saturating_sub(freed);
            bytes = bytes.saturating_sub(freed);
        }
        true
    }
}

impl IntoIterator for Backlog {
    type Item = Kept;
    type IntoIter = std::collections::vec_deque::IntoIter<Kept>;

    fn into_iter(self) -> Self::IntoIter {
        self.stanzas.into_iter()
    }
}

impl From<VecDeque<Kept>> for Backlog {
    fn from(stanzas: VecDeque<Kept>) -> Self {
        let cost = stanzas.iter().map(Cost::cost).sum();
        Self { stanzas, cost }
    }
}

impl From<Backlog> for VecDeque<Kept> {
    fn from(backlog: Backlog) -> Self {
        backlog.stanzas
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::stanza::Stanza;

    fn kept(id: &str) -> Kept {
        Kept::own(Stanza::from_xml(&format!("<message id='{id}'/>")).unwrap())
    }

    fn ids(backlog: &Backlog) -> Vec<&str> {
        backlog.iter().filter_map(|stanza| stanza.id.as_deref()).collect()
    }

    #[test]
    fn it_keeps_the_order_and_knows_its_cost() {
        let mut backlog = Backlog::default();
        let mut later = Backlog::default();
        backlog.push(kept("a"));
        backlog.push(kept("b"));
        later.push(kept("c"));
        backlog.append(&mut later);
        assert_eq!((backlog.cost(), later.cost()), (3 * kept("a").cost(), 0));
        backlog.retain(|stanza| stanza.id.as_deref() != Some("b"));
        assert_eq!((ids(&backlog), backlog.cost()), (vec!["a", "c"], 2 * kept("a").cost()));
        let text = serde_json::to_string(&backlog).unwrap();
        let read: Backlog = serde_json::from_str(&text).unwrap();
        assert_eq!((ids(&read), read.cost()), (vec!["a", "c"], 2 * kept("a").cost()));
    }

    #[test]
    fn what_is_taken_out_or_replaced_costs_no_more() {
        let mut backlog = Backlog::default();
        for id in ["a", "b", "c"] {
            backlog.push(kept(id));
        }
        assert_eq!(backlog.pop_front(), Some(kept("a")));
        backlog.replace(|stanza| (stanza.id.as_deref() == Some("b")).then(|| kept("long")));
        assert_eq!(backlog.cost(), kept("long").cost() + kept("c").cost());
        assert_eq!(backlog.take(|stanza| stanza.id.as_deref() == Some("c")), [kept("c")]);
        assert_eq!((ids(&backlog), backlog.cost()), (vec!["long"], kept("long").cost()));
    }

    #[test]
    fn the_oldest_that_can_be_spared_goes_first() {
        let mut backlog = Backlog::default();
        for id in ["a", "b", "c"] {
            backlog.push(kept(id));
        }
        let not_a = |stanza: &Kept| stanza.id.as_deref() != Some("a");
        assert!(backlog.spare(1, not_a));
        assert_eq!((ids(&backlog), backlog.cost()), (vec!["a", "c"], 2 * kept("a").cost()));
        assert!(!backlog.spare(backlog.cost(), not_a));
        assert_eq!(ids(&backlog), ["a"]);
    }
}
