//! Times that take no more space if they may be missing.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// A monotonic time, in milliseconds. An `Option` of it takes the space of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(crate) struct Moment(NonZeroU64); // one more, so that it is not zero

impl Moment {
    /// That time.
    pub(crate) fn at(ms: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(ms))
    }

    /// The time in milliseconds.
    pub(crate) fn ms(self) -> u64 {
        self.0.get() - 1
    }
}

impl From<u64> for Moment {
    fn from(ms: u64) -> Self {
        Self::at(ms)
    }
}

impl From<Moment> for u64 {
    fn from(moment: Moment) -> Self {
        moment.ms()
    }
}

/// A time in UTC, in milliseconds since 1970. An `Option` of it takes the space of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub(crate) struct Stamp(NonZeroU64); // counted from the earliest, which would be zero: it is made the next one

impl Stamp {
    /// That time.
    pub(crate) fn at(ms: i64) -> Self {
        Self(NonZeroU64::new((ms ^ i64::MIN).cast_unsigned()).unwrap_or(NonZeroU64::MIN))
    }

    /// The time in milliseconds.
    pub(crate) fn ms(self) -> i64 {
        self.0.get().cast_signed() ^ i64::MIN
    }
}

impl From<i64> for Stamp {
    fn from(ms: i64) -> Self {
        Self::at(ms)
    }
}

impl From<Stamp> for i64 {
    fn from(stamp: Stamp) -> Self {
        stamp.ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_small_and_written_as_a_number() {
        assert_eq!(size_of::<Option<Stamp>>(), size_of::<i64>());
        for ms in [i64::MIN + 1, -1, 0, 1, 1 << 40, i64::MAX] {
            assert_eq!(Stamp::at(ms).ms(), ms);
            let text = serde_json::to_string(&Some(Stamp::at(ms))).unwrap();
            assert_eq!(text, ms.to_string());
            assert_eq!(serde_json::from_str::<Option<Stamp>>(&text).unwrap(), Some(Stamp::at(ms)));
        }
        assert_eq!(Stamp::at(i64::MIN).ms(), i64::MIN + 1);
    }

    #[test]
    fn it_is_small_and_written_as_a_number() {
        assert_eq!(size_of::<Option<Moment>>(), size_of::<u64>());
        for ms in [0, 1, 1 << 40, u64::MAX - 1] {
            assert_eq!(Moment::at(ms).ms(), ms);
            let text = serde_json::to_string(&Some(Moment::at(ms))).unwrap();
            assert_eq!(text, ms.to_string());
            assert_eq!(serde_json::from_str::<Option<Moment>>(&text).unwrap(), Some(Moment::at(ms)));
        }
    }
}
