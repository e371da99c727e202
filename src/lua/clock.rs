//! Time as Lua hands it over, in seconds, and as the core counts it, in milliseconds.

use crate::event::Now;

/// The monotonic clock and the time of day, both in seconds, as Lua hands them over.
pub(super) type Clocks = (f64, f64);

/// Both clocks as the core reads them.
pub(super) fn now((monotonic_s, utc_s): Clocks) -> Now {
    Now { monotonic_ms: milliseconds(monotonic_s), utc_ms: milliseconds(utc_s).cast_signed() }
}

/// Seconds in milliseconds; what is below zero or no number is zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
pub(super) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

/// Milliseconds in seconds.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 000 years")]
pub(super) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
