//! What must survive a reload of the module.

use serde::{Deserialize, Serialize};

use crate::bouncer::{Bouncer, Known};
use crate::config::Config;
use crate::ids::Seed;

/// The format of a snapshot; one of another format is refused.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    state: &'a Known,
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    state: Known,
}

impl Bouncer {
    /// Everything that must survive a reload, as text. Stanzas are in it as XML.
    pub fn snapshot(&self) -> Result<String, String> {
        serde_json::to_string(&Written { format: FORMAT, state: self.state() })
            .map_err(|error| error.to_string())
    }

    /// Takes up where a snapshot ended; the error says why it can't be read.
    pub fn restore(config: Config, seed: impl Into<Seed>, snapshot: &str) -> Result<Self, String> {
        let read: Read = serde_json::from_str(snapshot).map_err(|error| error.to_string())?;
        if read.format != FORMAT {
            return Err(format!("snapshot of format {}, this is {FORMAT}", read.format));
        }
        Ok(Self::with_state(config, seed.into(), read.state))
    }
}
