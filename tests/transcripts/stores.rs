//! What is stored, and what is read after a start.

use minimix_core::event::Event;
use minimix_core::xmpp::jid::{BareJid, Jid};

use crate::shorthand::ROOM;

/// `loaded - {…}, den@rooms.example {…}; mallory@example.net`: the text of each room, and whom the account blocks.
pub(crate) fn of_records(account: BareJid, loaded: &str) -> Event {
    let (records, blocked) = loaded.split_once("; ").unwrap_or((loaded, ""));
    let record = |record: &str| {
        let (room, text) = record.split_once(' ').expect("a room and its text");
        (BareJid::new(if room == "-" { ROOM } else { room }), text.to_owned())
    };
    let blocked = blocked.split_whitespace().map(Jid::new).collect();
    Event::Loaded { account, records: records.split(", ").map(record).collect(), blocked }
}

/// The texts of rooms; `first` if they have to be written before what follows.
pub(crate) fn tell_store(rooms: &[(BareJid, Option<String>)], at_once: bool) -> String {
    let told = rooms.iter().map(|(room, text)| {
        let room = if room.as_str() == ROOM { "-" } else { room.as_str() };
        format!("{room} {}", text.as_deref().unwrap_or("nothing"))
    });
    format!("{} {}", if at_once { "store first" } else { "store" }, told.collect::<Vec<_>>().join(", "))
}
