//! When an account was in a room whose messages were logged: it sees of the log what came meanwhile (design decision 22).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::limit;
use crate::moment::Stamp;

/// The intervals, oldest first. Only the last may be open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intervals(Vec<Interval>);

/// From when to when, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Interval(i64, Option<Stamp>);

impl Intervals {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The account has received what was said at that time: it is in since then at least.
    pub(crate) fn begin(&mut self, at_ms: i64) {
        if let Some(Interval(from_ms, None)) = self.0.last_mut() {
            *from_ms = at_ms.min(*from_ms);
            return;
        }
        self.0.reserve_exact(1); // most accounts have one for ever
        self.0.push(Interval(at_ms, None));
        if self.0.len() > limit::INTERVALS {
            let Interval(oldest_ms, _) = self.0.remove(0);
            if let Some(Interval(from_ms, _)) = self.0.first_mut() {
                *from_ms = oldest_ms.min(*from_ms);
            }
        }
    }

    /// When the last one ended, if it did.
    fn ended_ms(&self) -> Option<i64> {
        self.0.last().and_then(|Interval(_, to)| Some((*to)?.ms()))
    }

    /// Since when the account is in, if it is.
    pub(crate) fn open_since_ms(&self) -> Option<i64> {
        match self.0.last() {
            Some(Interval(from_ms, None)) => Some(*from_ms),
            Some(Interval(_, Some(_))) | None => None,
        }
    }

    /// The account is out, or may be.
    pub(crate) fn end(&mut self, at_ms: i64) {
        if let Some(Interval(from_ms, to @ None)) = self.0.last_mut() {
            *to = Some(Stamp::at(at_ms.max(*from_ms)));
        }
    }

    /// Whether the account was in at that time.
    pub(crate) fn cover(&self, at_ms: i64) -> bool {
        self.0.iter().any(|Interval(from_ms, to)| *from_ms <= at_ms && to.is_none_or(|to| at_ms <= to.ms()))
    }

    /// The first and the last time at which it was in. If it still is, there is no last.
    pub(crate) fn span(&self) -> Option<(i64, Option<i64>)> {
        let first = self.0.iter().map(|Interval(from_ms, _)| *from_ms).min()?;
        Some((first, self.ended_ms()))
    }

    /// From when to when it was in, oldest first, up to that time if there is one. None overlaps another.
    pub(crate) fn apart(&self, until_ms: Option<i64>) -> Vec<(i64, Option<i64>)> {
        let least = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        let times = |Interval(from_ms, to): &Interval| (*from_ms, to.map(Stamp::ms));
        let mut sorted: Vec<(i64, Option<i64>)> = self.0.iter().map(times).collect();
        sorted.sort_unstable();
        let mut apart: Vec<(i64, Option<i64>)> = Vec::new();
        for (from_ms, to_ms) in sorted {
            match apart.last_mut() {
                Some((_, None)) => {}
                Some((_, Some(last_ms)))
                    if from_ms <= *last_ms && to_ms.is_some_and(|to_ms| to_ms <= *last_ms) => {}
                Some((_, last_ms)) if last_ms.is_some_and(|last_ms| from_ms <= last_ms) => *last_ms = to_ms,
                Some(_) | None => apart.push((from_ms, to_ms)),
            }
        }
        apart.retain(|(from_ms, _)| until_ms.is_none_or(|until_ms| *from_ms <= until_ms));
        apart.iter().map(|(from_ms, to_ms)| (*from_ms, least(*to_ms, until_ms))).collect()
    }

    /// The same without their ends. What ends the last one while the account is in can wait until something else is stored.
    pub(crate) fn begun(&self) -> Self {
        Self(self.0.iter().map(|Interval(from_ms, _)| Interval(*from_ms, None)).collect())
    }

    /// A number that changes when one begins.
    pub(crate) fn number(&self) -> u32 {
        let Some(Interval(from_ms, _)) = self.0.last() else { return 0 };
        let [a, b, c, d, ..] = from_ms.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Reads what is stored. What can't be read counts as absent.
    pub(crate) fn read<'de, D: Deserializer<'de>>(stored: D) -> Result<Self, D::Error> {
        let stored = Value::deserialize(stored)?;
        let mut intervals: Self = serde_json::from_value(stored).unwrap_or_default();
        intervals.0.shrink_to_fit();
        Ok(intervals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_an_account_was_in_from_each_begin_to_each_end() {
        let mut intervals = Intervals::default();
        intervals.end(5);
        assert_eq!(intervals.span(), None);
        intervals.begin(10);
        intervals.begin(8);
        intervals.begin(12);
        intervals.end(20);
        intervals.end(30);
        intervals.begin(40);
        let covered: Vec<i64> =
            [7, 8, 20, 21, 39, 40, 99].into_iter().filter(|at| intervals.cover(*at)).collect();
        assert_eq!(covered, [8, 20, 40, 99]);
        assert_eq!(intervals.span(), Some((8, None)));
    }

    #[test]
    fn s2_a_beginning_is_a_change_and_an_end_is_none() {
        let mut intervals = Intervals::default();
        intervals.begin(10);
        let (number, begun) = (intervals.number(), intervals.begun());
        intervals.end(20);
        assert_eq!((intervals.number(), intervals.begun()), (number, begun.clone()));
        intervals.begin(30);
        assert_ne!(intervals.number(), number);
        assert_ne!(intervals.begun(), begun);
    }

    #[test]
    fn a1_no_time_is_counted_twice() {
        let of = |intervals: &[(i64, Option<i64>)]| {
            Intervals(
                intervals.iter().map(|(from_ms, to_ms)| Interval(*from_ms, to_ms.map(Stamp::at))).collect(),
            )
        };
        let overlapping = of(&[(10, Some(30)), (12, Some(20)), (25, Some(40)), (50, Some(60)), (55, None)]);
        assert_eq!(overlapping.apart(None), [(10, Some(40)), (50, None)]);
        assert_eq!(overlapping.apart(Some(52)), [(10, Some(40)), (50, Some(52))]);
        assert_eq!(overlapping.apart(Some(45)), [(10, Some(40))]);
        assert_eq!(of(&[(50, None), (8, Some(9))]).apart(None), [(8, Some(9)), (50, None)]);
    }

    #[test]
    fn r7_of_too_many_the_oldest_become_one() {
        let mut intervals = Intervals::default();
        let count = i64::try_from(limit::INTERVALS).unwrap() + 1;
        for number in 0..count {
            intervals.begin(number * 10);
            intervals.end(number * 10 + 1);
        }
        assert_eq!(intervals.0.len(), limit::INTERVALS);
        assert!(intervals.cover(0) && intervals.cover(5), "the first two are one");
        assert!(intervals.cover(11) && !intervals.cover(15));
    }

    #[test]
    fn what_is_stored_otherwise_counts_as_absent() {
        let read = |text: &str| Intervals::read(&mut serde_json::Deserializer::from_str(text)).unwrap();
        assert_eq!(
            read("[[1,2],[3,null]]"),
            Intervals(vec![Interval(1, Some(Stamp::at(2))), Interval(3, None)])
        );
        assert_eq!(read("{\"later\":1}"), Intervals::default());
    }
}
