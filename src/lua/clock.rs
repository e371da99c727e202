//! The two clocks, read here so that Lua need not hand them over with every stanza; the core gets them with
//! each event.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::event::Now;

/// When the library was first used: it stays in the process when the module is reloaded, and so does this.
#[expect(clippy::disallowed_methods, reason = "the binding is where time comes in")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the monotonic clock starts: what happened before a start has a time as well, and that is years before it.
const START_MS: u64 = 1 << 40;

/// What the clocks say.
#[expect(clippy::disallowed_methods, reason = "the binding is where time comes in")]
pub(super) fn now() -> Now {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        monotonic_ms: START_MS.saturating_add(START.elapsed().as_millis().try_into().unwrap_or(u64::MAX)),
        utc_ms: since_1970.as_millis().try_into().unwrap_or(i64::MAX),
    }
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
