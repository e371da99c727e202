//! Stanzas with anything in them, as XML.

use crate::random::Random;
use crate::step::account_of;

pub(crate) const NS_MUC: &str = "http://jabber.org/protocol/muc";
const CODES: [&str; 18] = [
    "100", "101", "104", "110", "110", "110", "170", "172", "173", "201", "210", "301", "303", "307", "321",
    "332", "333", "99999999",
];
const STAMPS: [&str; 6] = [
    "",
    "2026-01-01T00:00:00Z",
    "-9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "20260101T00:00:00",
    "2025-12-31T23:59:59.999999+14:00",
];
const IDS: [&str; 9] = ["$id", "$id", "$before", "one", "two", "q1", "m1", "j", ""];
const CONDITIONS: [&str; 14] = [
    "conflict",
    "not-acceptable",
    "item-not-found",
    "jid-malformed",
    "forbidden",
    "not-authorized",
    "not-allowed",
    "registration-required",
    "service-unavailable",
    "remote-server-not-found",
    "remote-server-timeout",
    "resource-constraint",
    "policy-violation",
    "gone",
];

pub(crate) fn room(random: &mut Random) -> &'static str {
    random.pick(&[
        "lounge@rooms.example",
        "lounge@rooms.example",
        "lounge@rooms.example",
        "den@rooms.example",
        "chan@irc.example",
        "r1@rooms.example",
    ])
}

fn nick(random: &mut Random) -> &'static str {
    random.pick(&["", "", "/alice", "/alice", "/ally", "/bob", "/bob", "/n%n", "/n1", "/", "/a/b", "/übung"])
}

fn address(random: &mut Random) -> String {
    match random.below(16) {
        0 => random
            .pick(&["rooms.example", "bob@example.net", "alice@example.org", "a@b/c", "@", ""])
            .to_owned(),
        _ => format!("{}{}", room(random), nick(random)),
    }
}

/// A stanza of a room to the account of that session, or of a session to a room.
pub(crate) fn stanza(random: &mut Random, of: Option<u32>) -> String {
    let (name, kinds): (&str, &[&str]) = match random.below(5) {
        0..=1 => ("presence", &["", "", "", "unavailable", "unavailable", "error", "probe", "subscribe"]),
        2..=3 => ("message", &["groupchat", "groupchat", "groupchat", "chat", "", "error", "headline"]),
        _ => ("iq", &["get", "set", "result", "error"]),
    };
    let kind = random.pick(kinds);
    let mut text = format!("<{name}");
    let address = address(random);
    match of {
        Some(session) => {
            let resource = if random.once_in(6) { format!("/d{session}") } else { String::new() };
            text += &format!(" from='{address}' to='{}{resource}'", account_of(session));
        }
        None => text += &format!(" to='{address}'"),
    }
    if !kind.is_empty() {
        text += &format!(" type='{kind}'");
    }
    if !random.once_in(5) {
        text += &format!(" id='{}'", random.pick(&IDS));
    }
    text.push('>');
    if kind == "error" && !random.once_in(8) {
        text += &error(random);
    }
    for _ in 0..random.below(5) {
        text += &child(random);
    }
    text + &format!("</{name}>")
}

fn error(random: &mut Random) -> String {
    let condition = random.pick(&CONDITIONS);
    format!("<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
}

fn item(random: &mut Random) -> String {
    let mut text = "<item".to_owned();
    let attributes: [(&str, &[&str]); 4] = [
        ("affiliation", &["none", "member", "owner", "outcast", "x"]),
        ("role", &["none", "visitor", "participant", "moderator", "x"]),
        ("nick", &["alice", "ally", "bob", "", "n1"]),
        ("jid", &["alice@example.org", "alice@example.org/d0", "bob@example.net/x", "?"]),
    ];
    for (name, values) in attributes {
        if !random.once_in(2) {
            text += &format!(" {name}='{}'", random.pick(values));
        }
    }
    text + random.pick(&["/>", "><actor nick='bob'/><reason>why</reason></item>"])
}

fn muc_user(random: &mut Random) -> String {
    let mut text = format!("<x xmlns='{NS_MUC}#user'>");
    for _ in 0..random.below(3) {
        text += &item(random);
    }
    for _ in 0..random.below(4) {
        text += &format!("<status code='{}'/>", random.pick(&CODES));
    }
    if random.once_in(6) {
        text += random.pick(&[
            "<destroy jid='new@rooms.example'/>",
            "<invite from='bob@example.net'/>",
            "<decline/>",
            "<password>p</password>",
        ]);
    }
    text + "</x>"
}

fn muc(random: &mut Random) -> String {
    let number = random.pick(&["-1", "0", "5", "2000", "99999999999999999999", "x", "2026-01-01T00:00:00Z"]);
    let which = random.pick(&["maxstanzas", "maxchars", "seconds", "since"]);
    match random.below(4) {
        0..=1 => format!("<x xmlns='{NS_MUC}'/>"),
        2 => format!("<x xmlns='{NS_MUC}'><history {which}='{number}'/></x>"),
        _ => format!("<x xmlns='{NS_MUC}'><password>p</password></x>"),
    }
}

fn archive(random: &mut Random, depth: usize) -> String {
    let (id, by) = (random.pick(&IDS), random.pick(&["s1", "s2", "%n", ""]));
    match random.below(4) {
        0..=1 => {
            let inner = inner_message(random, depth);
            format!(
                "<result xmlns='urn:xmpp:mam:2' queryid='{id}' id='{by}'><forwarded xmlns='urn:xmpp:forward:0'>{}{inner}\
                 </forwarded></result>",
                delay(random)
            )
        }
        2 => format!(
            "<fin xmlns='urn:xmpp:mam:2' complete='{}'><set xmlns='http://jabber.org/protocol/rsm'><last>{by}</last>\
             <count>9</count></set></fin>",
            random.pick(&["true", "false", ""])
        ),
        _ => format!("<query xmlns='urn:xmpp:mam:2' queryid='{id}'/>"),
    }
}

fn inner_message(random: &mut Random, depth: usize) -> String {
    if depth > 3 {
        return String::new();
    }
    let (room, nick) = (room(random), nick(random));
    format!(
        "<message xmlns='jabber:client' from='{room}{nick}' type='groupchat' id='{}'>{}</message>",
        random.pick(&IDS),
        child_at(random, depth + 1)
    )
}

fn delay(random: &mut Random) -> String {
    let stamp = random.pick(&STAMPS);
    let (name, namespace) =
        if random.once_in(4) { ("x", "jabber:x:delay") } else { ("delay", "urn:xmpp:delay") };
    format!("<{name} xmlns='{namespace}' from='{}' stamp='{stamp}'/>", room(random))
}

/// The same again and again, deep, or long.
fn bulk(random: &mut Random) -> String {
    let count = random.size(400);
    match random.below(6) {
        0 => format!("<x xmlns='urn:example:bulk'>{}</x>", "t<a/>".repeat(count)),
        1 => format!("{}{}", "<a>".repeat(count.min(70)), "</a>".repeat(count.min(70))),
        2 => format!("<body>{}</body>", random.pick(&["'&amp;", "Übung, ", "\u{130}ß日"]).repeat(count * 4)),
        3 => format!("<x xmlns='{NS_MUC}#user'>{}</x>", "<status code='110'/>".repeat(count)),
        4 => child(random).repeat(count.min(60)),
        _ => {
            let attributes: String = (0..count.min(200)).map(|at| format!(" a{at}='1'")).collect();
            format!("<a{attributes}/>")
        }
    }
}

/// An element in a stanza.
pub(crate) fn child(random: &mut Random) -> String {
    child_at(random, 0)
}

fn child_at(random: &mut Random, depth: usize) -> String {
    match random.below(24) {
        0..=4 => muc_user(random),
        5..=7 => muc(random),
        8 => delay(random),
        9 => archive(random, depth),
        10 => error(random),
        11 => bulk(random),
        12..=14 => {
            let name = random.pick(&["body", "body", "subject", "thread", "show", "status", "priority"]);
            format!("<{name}>{}</{name}>", random.pick(&["", "text", "away", "dnd", "-1"]))
        }
        15 => {
            let (by, id) = (room(random), random.pick(&["s1", "s2", "%n", ""]));
            let by = if random.once_in(4) { "alice@example.org" } else { by };
            format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='{id}'/>")
        }
        16 => format!("<origin-id xmlns='urn:xmpp:sid:0' id='{}'/>", random.pick(&IDS)),
        17 => format!(
            "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/>",
            random.pick(&["o1", "o2", "%n", ""])
        ),
        18 => retraction(random),
        19..=20 => exchange(random),
        _ => plain(random),
    }
}

fn retraction(random: &mut Random) -> String {
    let id = random.pick(&["s1", "m1", "one", "%n", ""]);
    match random.below(4) {
        0 => format!("<replace xmlns='urn:xmpp:message-correct:0' id='{id}'/>"),
        1 => format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>"),
        2 => format!(
            "<retract xmlns='urn:xmpp:message-retract:1' id='{id}'><moderated xmlns='urn:xmpp:message-moderate:1'/></retract>"
        ),
        _ => format!(
            "<apply-to xmlns='urn:xmpp:fasten:0' id='{id}'><moderated xmlns='urn:xmpp:message-moderate:0'>\
             <retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>"
        ),
    }
}

fn exchange(random: &mut Random) -> String {
    let sid = random.pick(&["s1", "s2", "%n", ""]);
    let name = random.pick(&["open", "data", "close"]);
    match random.below(4) {
        0 => format!("<{name} xmlns='http://jabber.org/protocol/ibb' sid='{sid}'/>"),
        1 => format!("<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{sid}'/>"),
        2 => format!("<si xmlns='http://jabber.org/protocol/si' id='{sid}'/>"),
        _ => format!("<command xmlns='http://jabber.org/protocol/commands' node='n' sessionid='{sid}'/>"),
    }
}

fn plain(random: &mut Random) -> String {
    let (name, namespace) = [
        ("ping", "urn:xmpp:ping"),
        ("query", "jabber:iq:version"),
        ("query", "http://jabber.org/protocol/disco#info"),
        ("query", "http://jabber.org/protocol/disco#items"),
        ("query", "http://jabber.org/protocol/muc#owner"),
        ("vCard", "vcard-temp"),
        ("captcha", "urn:xmpp:captcha"),
        ("muji", "urn:xmpp:jingle:muji:0"),
        ("active", "http://jabber.org/protocol/chatstates"),
        ("no-store", "urn:xmpp:hints"),
        ("private", "urn:xmpp:carbons:2"),
        ("c", "http://jabber.org/protocol/caps"),
        ("x", "vcard-temp:x:update"),
        ("x", "jabber:x:conference"),
        ("nick", "http://jabber.org/protocol/nick"),
        ("a", ""),
    ][random.below(16)];
    format!("<{name} xmlns='{namespace}'/>")
}

/// What may be stored of a room.
pub(crate) fn record(random: &mut Random) -> String {
    let number = random.pick(&["1", "0", "-1", "\"x\"", "null", "99999999999999999999"]);
    let time = random.pick(&STAMPS);
    match random.below(5) {
        0..=1 => "$record".to_owned(),
        2 => format!("{{\"v\":1,\"nick\":\"alice\",\"detached\":\"{time}\",\"away\":true}}"),
        3 => format!("{{\"v\":{number},\"nick\":\"alice\",\"affiliation\":\"member\",\"gap\":\"{time}\"}}"),
        _ => random.pick(&["", "{", "[]", "{\"v\":1}", "nul"]).to_owned(),
    }
}

/// What may be stored of the host.
pub(crate) fn host_record(random: &mut Random) -> String {
    let time = random.pick(&STAMPS);
    match random.below(4) {
        0..=1 => format!("{{\"v\":1,\"alive\":\"{time}\"}}"),
        2 => "$record".to_owned(),
        _ => random.pick(&["", "{", "[]", "{\"v\":1}"]).to_owned(),
    }
}
