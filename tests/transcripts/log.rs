//! What goes into the log of the room, and how it is read.

use minimix_core::event::{Event, InLog};
use minimix_core::xmpp::jid::{BareJid, Jid};
use minimix_core::xmpp::stanza::Stanza;

use crate::scene::BEGIN_MS;
use crate::shorthand::{ACCOUNT, ROOM, Way};

/// `log 1500 ms #1: gc bob m1 tea?`: when it was received since the story began, and the id; when it was said if that differs.
pub(crate) fn tell_log(id: &str, said_ms: Option<i64>, stanza: &Stanza) -> String {
    let (at_ms, id) = id.split_once('-').expect("a time and an id");
    let at_ms = i64::from_str_radix(at_ms, 16).expect("a time") - BEGIN_MS;
    let said = said_ms.map(|said_ms| format!(" said {} ms", said_ms - BEGIN_MS)).unwrap_or_default();
    format!("log {at_ms} ms {id}{said}: {}", Way::ToAccount.write(&stanza.clone().to(Jid::new(ACCOUNT))))
}

/// `read log #1 since -300000 ms`: the order of that id; from when on messages are wanted, if not all are.
pub(crate) fn tell_order(id: &str, since_ms: Option<i64>) -> String {
    let since = since_ms.map(|since_ms| format!(" since {} ms", since_ms - BEGIN_MS)).unwrap_or_default();
    format!("read log {id}{since}")
}

/// `#1 at -5000 ms said -9000 ms: gc bob m1 tea?`, `#1 pauses`, `#1 ends`, `#1 fails`. The message's id of
/// the archive is the time, and its own. `ID is in`, `ID was in as OTHER`: what has become of what was logged.
pub(crate) fn of_log(what: &str) -> Event {
    let (id, found) = what.split_once(' ').expect("an id");
    let known_as = if found == "is in" { Some(id) } else { found.strip_prefix("was in as ") };
    if let Some(known_as) = known_as {
        let (id, known_as) = (id.to_owned(), known_as.to_owned());
        return Event::LogSettled { room: BareJid::new(ROOM), id, known_as };
    }
    let found = match found {
        "pauses" => InLog::Pause,
        "ends" => InLog::End,
        "fails" => InLog::Unreadable,
        _ => of_message(found.strip_prefix("at ").expect("when it was received")),
    };
    Event::LogRead { account: BareJid::new(ACCOUNT), room: BareJid::new(ROOM), id: id.to_owned(), found }
}

fn of_message(what: &str) -> InLog {
    let (times, message) = what.split_once(": ").expect("a message");
    let mut times = times.split(" said ").map(|time| {
        BEGIN_MS + time.strip_suffix(" ms").and_then(|time| time.parse::<i64>().ok()).expect("a time")
    });
    let at_ms = times.next().expect("a time");
    let stanza = Way::ToAccount.read(message);
    let id = format!("{at_ms:011x}-{}", stanza.id.as_deref().unwrap_or_default());
    InLog::Message { id, at_ms, said_ms: times.next(), stanza }
}
