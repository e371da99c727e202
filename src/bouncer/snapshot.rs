//! What must survive a reload of the module.

use std::io::Write;

use serde::Deserialize;
use serde::ser::Error;
use serde_json::value::RawValue;

use crate::bouncer::Bouncer;
use crate::config::Config;
use crate::ids::Seed;
use crate::xmpp::stanza::book::{self, Page};

/// The format of a snapshot; one of another format is refused.
const FORMAT: u32 = 2;

/// A snapshot as it is written. It stands beside all that it tells of, so it grows by little at a time.
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.0.capacity() - self.0.len() < part.len() {
            self.0.reserve_exact(part.len().max(self.0.len() / 16));
        }
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A snapshot as it is read.
#[derive(Deserialize)]
struct Read<'a> {
    format: u32,
    /// Where a stanza is kept, it has its number among them.
    #[serde(borrow)]
    state: &'a RawValue,
    #[serde(default)]
    stanzas: Vec<Page>,
}

impl Bouncer {
    /// Everything that must survive a reload, as text. Stanzas are in it as XML, each once.
    pub fn snapshot(&self) -> Result<String, String> {
        self.written().map_err(|error| error.to_string())
    }

    fn written(&self) -> serde_json::Result<String> {
        let mut text = Text(format!("{{\"format\":{FORMAT},\"state\":").into_bytes());
        let (written, stanzas) = book::write(|| serde_json::to_writer(&mut text, self.state()));
        written?;
        text.0.extend(b",\"stanzas\":");
        serde_json::to_writer(&mut text, &stanzas)?;
        text.0.push(b'}');
        String::from_utf8(text.0).map_err(serde_json::Error::custom)
    }

    /// Takes up where a snapshot ended; the error says why it can't be read.
    pub fn restore(config: Config, seed: impl Into<Seed>, snapshot: &str) -> Result<Self, String> {
        let read: Read<'_> = serde_json::from_str(snapshot).map_err(|error| error.to_string())?;
        if read.format != FORMAT {
            return Err(format!("snapshot of format {}, this is {FORMAT}", read.format));
        }
        let state = book::read(read.stanzas, || serde_json::from_str(read.state.get()));
        Ok(Self::with_state(config, seed.into(), state.map_err(|error| error.to_string())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Now};
    use crate::xmpp::jid::BareJid;

    const NOW: Now = Now { monotonic_ms: 0, utc_ms: 1_000 };

    /// An account that is in two rooms.
    fn bouncer() -> Bouncer {
        let mut bouncer = Bouncer::new(Config::default(), 1);
        let record = |nick: &str| format!(r#"{{"v":1,"nick":"{nick}","affiliation":"member"}}"#);
        let records = [("lounge@rooms.example", "alice"), ("den@rooms.example", "ann")];
        let records = records.map(|(room, nick)| (BareJid::new(room), record(nick)));
        let account = BareJid::new("alice@example.org");
        bouncer.handle(NOW, Event::Loaded { account, records: records.into(), blocked: Vec::new() });
        bouncer
    }

    #[test]
    fn m1_a_room_that_cant_be_read_costs_no_other() {
        let snapshot = bouncer().snapshot().unwrap();
        let spoilt = snapshot.replacen("\"nick\":\"ann\"", "\"nick\":{}", 1);
        let restored = Bouncer::restore(Config::default(), 1, &spoilt).unwrap();
        assert_eq!(restored.occupied_rooms(), ["lounge@rooms.example"]);
    }

    #[test]
    fn m1_a_stanza_that_cant_be_read_costs_who_keeps_it() {
        let snapshot = bouncer().snapshot().unwrap();
        assert_eq!(snapshot.matches("<presence").count(), 1, "both rooms keep the same");
        let spoilt = snapshot.replace("<presence", "<<");
        let restored = Bouncer::restore(Config::default(), 1, &spoilt).unwrap();
        assert!(restored.occupied_rooms().is_empty());
    }

    #[test]
    fn a_snapshot_of_another_format_is_refused() {
        let snapshot = bouncer().snapshot().unwrap().replacen("{\"format\":2", "{\"format\":1", 1);
        let refused = Bouncer::restore(Config::default(), 1, &snapshot);
        assert_eq!(refused.err().as_deref(), Some("snapshot of format 1, this is 2"));
    }
}
