//! The short forms of stanzas in which stories are written.
//!
//! A session says `join NICK ID`, `pres NICK ID`, `gone NICK ID`, `probe NICK ID`, `gc ID`, `pm NICK ID`,
//! `say ID` (a message to the room itself), `ping NICK ID`, `get|set|result|error NICK ID`; the room says
//! `occupant NICK`, `occupants COUNT` (a crowd), `self NICK ID CODES`, `gone NICK CODES`, `refused NICK ID TYPE/CONDITION`, `gc NICK ID`,
//! `pm NICK ID`, `subject NICK`, `notice`, `get|set|result|error NICK ID`, `bounce ID CONDITION`. `-` stands for
//! nothing: no id, or the room itself instead of an occupant. What follows is payload; text without a `<` is
//! a body. Anything that starts with `<` is the stanza itself.

use minimix_core::stanza::Stanza;

pub(crate) const ACCOUNT: &str = "alice@example.org";
pub(crate) const ROOM: &str = "lounge@rooms.example";
const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";

/// Splits off the first words; what follows is the payload.
fn words<const N: usize>(text: &str) -> ([&str; N], &str) {
    let mut rest = text;
    let words = std::array::from_fn(|_| {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after;
        word
    });
    (words, rest)
}

fn attribute(name: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('\'', "&apos;").replace('<', "&lt;");
    if value == "-" || value.is_empty() { String::new() } else { format!(" {name}='{value}'") }
}

fn address(nick: &str) -> String {
    if nick == "-" { ROOM.to_owned() } else { format!("{ROOM}/{nick}") }
}

fn payload(text: &str) -> String {
    if text.is_empty() || text.starts_with('<') { text.to_owned() } else { format!("<body>{text}</body>") }
}

fn spoken(name: &str, type_attribute: &str, nick: &str, id: &str, direction: &str, inside: &str) -> String {
    let place = attribute(direction, &address(nick));
    format!("<{name}{}{}{place}>{inside}</{name}>", attribute("type", type_attribute), attribute("id", id))
}

/// What a session says.
pub(crate) fn from_session(line: &str, from: &str) -> Stanza {
    let ([verb], rest) = words(line);
    let say = |name: &str, kind: &str, nick: &str, id: &str, inside: &str| {
        spoken(name, kind, nick, id, "to", inside)
    };
    let xml = match verb {
        "join" => {
            let ([nick, id], inside) = words(rest);
            let (muc, other) = inside.split_once('|').unwrap_or((inside, ""));
            say("presence", "-", nick, id, &format!("<x xmlns='{MUC}'>{muc}</x>{other}"))
        }
        "pres" | "gone" | "probe" => {
            let ([nick, id], inside) = words(rest);
            let kind = match verb {
                "gone" => "unavailable",
                "probe" => "probe",
                _ => "-",
            };
            say("presence", kind, nick, id, inside)
        }
        "gc" => {
            let ([id], text) = words(rest);
            say("message", "groupchat", "-", id, &payload(if text.is_empty() { id } else { text }))
        }
        "say" => {
            let ([id], text) = words(rest);
            say("message", "-", "-", id, &payload(text))
        }
        "pm" => {
            let ([nick, id], text) = words(rest);
            say("message", "chat", nick, id, &payload(text))
        }
        "ping" => {
            let ([nick, id], _) = words(rest);
            say("iq", "get", nick, id, "<ping xmlns='urn:xmpp:ping'/>")
        }
        "get" | "set" | "result" | "error" => {
            let ([nick, id], inside) = words(rest);
            say("iq", verb, nick, id, inside)
        }
        _ => line.to_owned(),
    };
    read(&xml).from(minimix_core::jid::Jid::new(from))
}

/// What the room says to the account.
pub(crate) fn from_room(line: &str) -> Stanza {
    let ([verb], rest) = words(line);
    let say = |name: &str, kind: &str, nick: &str, id: &str, inside: &str| {
        spoken(name, kind, nick, id, "from", inside)
    };
    let xml = match verb {
        "occupant" => {
            let ([nick], inside) = words(rest);
            let item = "<item affiliation='member' role='participant'/>";
            say("presence", "-", nick, "-", &format!("{inside}<x xmlns='{USER}'>{item}</x>"))
        }
        "self" => {
            let ([nick, id, codes], inside) = words(rest);
            say("presence", "-", nick, id, &format!("{inside}{}", own(codes, "participant")))
        }
        "gone" => {
            let ([nick, codes], inside) = words(rest);
            let x = if inside.is_empty() { own(codes, "none") } else { with_codes(inside, codes) };
            say("presence", "unavailable", nick, "-", &x)
        }
        "refused" => {
            let ([nick, id, error], _) = words(rest);
            say("presence", "error", nick, id, &error_element(error))
        }
        "bounce" => {
            let ([id, error], _) = words(rest);
            say("message", "error", "-", id, &error_element(error))
        }
        "gc" | "pm" => {
            let ([nick, id], text) = words(rest);
            let kind = if verb == "gc" { "groupchat" } else { "chat" };
            say("message", kind, nick, id, &payload(if text.is_empty() { id } else { text }))
        }
        "subject" => {
            let ([nick], text) = words(rest);
            say("message", "groupchat", nick, "-", &format!("<subject>{text}</subject>"))
        }
        "notice" => say("message", "-", "-", "-", rest),
        "get" | "set" | "result" => {
            let ([nick, id], inside) = words(rest);
            say("iq", verb, nick, id, inside)
        }
        "error" => {
            let ([nick, id, error], _) = words(rest);
            say("iq", "error", nick, id, &error_element(error))
        }
        _ => line.to_owned(),
    };
    read(&xml).to(minimix_core::jid::Jid::new(ACCOUNT))
}

fn own(codes: &str, role: &str) -> String {
    let item = format!("<item affiliation='member' role='{role}' jid='{ACCOUNT}'/>");
    with_codes(&item, codes)
}

fn with_codes(inside: &str, codes: &str) -> String {
    let codes = codes.split(',').filter(|code| !code.is_empty() && *code != "-");
    let codes = codes.map(|code| format!("<status code='{code}'/>")).collect::<Vec<_>>().concat();
    format!("<x xmlns='{USER}'>{inside}{codes}</x>")
}

fn error_element(error: &str) -> String {
    let (kind, condition) = error.split_once('/').unwrap_or(("cancel", error));
    format!("<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
}

fn read(xml: &str) -> Stanza {
    Stanza::from_xml(xml).unwrap_or_else(|error| panic!("{error}: {xml}"))
}
