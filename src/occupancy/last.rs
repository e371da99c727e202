//! The last message of a room that is known before a gap (design decision 20).

use serde::{Deserialize, Serialize};

use crate::moment::Stamp;

/// The last message that is known: what the room calls it, and when it says that it was sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) id: Option<Box<str>>,
    pub(super) stamp: Option<Stamp>,
}

impl Last {
    pub(super) fn new(id: Option<Box<str>>, stamp_ms: Option<i64>) -> Self {
        Self { id, stamp: stamp_ms.map(Stamp::at) }
    }

    pub(super) fn stamp_ms(&self) -> Option<i64> {
        self.stamp.map(Stamp::ms)
    }
}
