//! How much an account may tell its rooms that no session has just said to them: little said to the account is not to
//! become much said by it.

use serde::{Deserialize, Serialize};

use crate::config::{SECOND_MS, limit};
use crate::event::Now;

/// What an account may tell its rooms in all, without a session having just said it to them.
///
/// What nobody has said to the room at all, like the end of a session, has a pace. What one session causes by a presence to
/// the room, while another's presence is told, is paid for in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Allowance {
    /// When the last one of a row went up, or will.
    last_ms: u64,
    /// How many are in that row, without a second between them.
    count: u64,
    /// How many bytes may be told; less than none, if some have been promised.
    bytes: i64,
    /// When that was so.
    counted_ms: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { last_ms: 0, count: 0, bytes: limit::UNPAID_BYTES, counted_ms: 0 }
    }
}

impl Allowance {
    /// When the next presence may go up that no session has asked for: some at once, then so many a second.
    pub(crate) fn next_ms(&mut self, now: Now) -> u64 {
        if now.monotonic_ms >= self.last_ms.saturating_add(SECOND_MS) {
            self.count = 0;
        }
        let pause_ms = match self.count {
            0..limit::UPDATES_PER_SECOND => 0,
            limit::UPDATES_PER_SECOND => SECOND_MS,
            _ => SECOND_MS / limit::UPDATES_PER_SECOND,
        };
        self.last_ms = (self.last_ms + pause_ms).max(now.monotonic_ms);
        self.count += 1;
        self.last_ms
    }

    /// A session has said so many bytes to a room.
    pub(crate) fn earn(&mut self, now: Now, bytes: usize) {
        self.count_up(now);
        self.bytes = self.bytes.saturating_add(limit::PAID_PER_BYTE * signed(bytes)).min(limit::UNPAID_BYTES);
    }

    /// When a presence of so many bytes may go up that a session causes, and another has sent before.
    pub(crate) fn paid_ms(&mut self, now: Now, bytes: usize) -> u64 {
        self.count_up(now);
        let owed = self.bytes.min(0).unsigned_abs();
        self.bytes = self.bytes.saturating_sub(signed(bytes));
        now.monotonic_ms + (owed * SECOND_MS).div_ceil(limit::UNPAID_BYTES_PER_SECOND)
    }

    fn count_up(&mut self, now: Now) {
        let most = limit::UNPAID_BYTES.saturating_sub(self.bytes).unsigned_abs();
        let elapsed_ms = now.monotonic_ms.saturating_sub(self.counted_ms);
        let more = elapsed_ms.saturating_mul(limit::UNPAID_BYTES_PER_SECOND) / SECOND_MS;
        self.bytes = self.bytes.saturating_add_unsigned(more.min(most));
        self.counted_ms = now.monotonic_ms;
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, utc_ms: 0 }
    }

    #[test]
    fn r7_what_nobody_asked_for_goes_up_twenty_a_second() {
        let mut allowance = Allowance::default();
        let slots: Vec<u64> = (0..100).map(|_| allowance.next_ms(at(5_000))).collect();
        assert_eq!(slots[..22], [[5_000; 20].as_slice(), &[6_000, 6_050]].concat());
        for first in 0..80 {
            assert!(slots[first + 20] - slots[first] >= SECOND_MS, "{first}");
        }
    }

    #[test]
    fn r7_after_a_second_without_any_they_go_up_at_once() {
        let mut allowance = Allowance::default();
        let last_ms = (0..30).map(|_| allowance.next_ms(at(0))).max().unwrap();
        assert_eq!(allowance.next_ms(at(last_ms + 10)), last_ms + 50);
        assert_eq!(allowance.next_ms(at(last_ms + 1_050)), last_ms + 1_050);
        assert_eq!(allowance.next_ms(at(last_ms + 1_050)), last_ms + 1_050);
    }

    #[test]
    fn r7_what_a_session_causes_it_pays_for_or_it_waits() {
        let mut allowance = Allowance::default();
        let (large, unpaid) = (10_000, usize::try_from(limit::UNPAID_BYTES_PER_SECOND).unwrap());
        assert_eq!(allowance.paid_ms(at(0), large), 0, "one may be owed");
        let waits_ms = allowance.paid_ms(at(0), unpaid);
        assert_eq!(waits_ms, (10_000 - 4_096) * 1_000 / 256 + 1);
        assert_eq!(allowance.paid_ms(at(waits_ms), 0), waits_ms + 1_000, "after what is promised");
        allowance.earn(at(waits_ms), unpaid);
        assert_eq!(allowance.paid_ms(at(waits_ms), 0), waits_ms);
    }

    #[test]
    fn r7_what_is_paid_is_not_saved_up() {
        let mut allowance = Allowance::default();
        allowance.earn(at(0), 1 << 40);
        assert_eq!(allowance.paid_ms(at(u64::MAX / 2), 8_192), u64::MAX / 2);
        assert!(allowance.paid_ms(at(u64::MAX / 2), 1) > u64::MAX / 2 + 15_000);
    }
}
