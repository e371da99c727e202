//! Who is notified of what (XEP-0357).

use minimix_core::bouncer::Bouncer;
use minimix_core::event::{Event, Now};
use minimix_core::push::{Rule, Ruling};
use minimix_core::xmpp::jid::{BareJid, Jid};
use minimix_core::xmpp::stanza::Kept;

use crate::shorthand::{ACCOUNT, ROOM, Way};

/// `is pushed`, `is pushed no more`, `wants - never, den@rooms.example always`, `displayed s1`; nothing for anything else.
pub(crate) fn of_push(account: &BareJid, what: &str) -> Option<Event> {
    let account = account.clone();
    match what {
        "is pushed" => return Some(Event::PushChanged { account, is_pushed: true }),
        "is pushed no more" => return Some(Event::PushChanged { account, is_pushed: false }),
        "alone is pushed" => return Some(Event::Pushed { accounts: vec![account] }),
        "and all others are pushed no more" => return Some(Event::Pushed { accounts: Vec::new() }),
        _ => {}
    }
    if let Some(stanza_id) = what.strip_prefix("displayed ") {
        return Some(Event::Displayed { account, room: BareJid::new(ROOM), stanza_id: stanza_id.to_owned() });
    }
    let rules = what.strip_prefix("wants ")?.split(", ").map(rule).collect();
    Some(Event::RulesRead { account, rules })
}

fn rule(said: &str) -> (BareJid, Rule) {
    let (room, rule) = said.split_once(' ').expect("a room and a rule");
    (BareJid::new(if room == "-" { ROOM } else { room }), Rule::read(rule).expect("a rule"))
}

/// `waits> gc bob m1`: whether a push service may be told of what waits for a session.
pub(crate) fn ruling(bouncer: &Bouncer, now: Now, line: &str) -> String {
    let stanza = Way::ToAccount.read(line);
    let from = stanza.from.as_ref().map(Jid::to_string).expect("a sender");
    let ruling = bouncer.push_ruling([ACCOUNT, &from], || Ok::<_, ()>((now, stanza)));
    match ruling {
        None => "not ours",
        Some(Ok(Ruling::Push(_))) => "push",
        Some(Ok(Ruling::Silence)) => "silence",
        Some(Err(())) => unreachable!("it is read"),
    }
    .to_owned()
}

pub(crate) fn tell_notice(stanza: Option<&Kept>) -> String {
    stanza.map_or_else(|| "notify".to_owned(), |stanza| format!("notify < {}", Way::ToAccount.write(stanza)))
}
