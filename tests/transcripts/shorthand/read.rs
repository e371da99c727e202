//! Reads the short forms: turns a line into the XML of its stanza.

use super::{DELAY, HISTORY, OCCUPANT_ID, ROOM, STANZA_ID, USER, Way, with_whole_namespaces};

/// The XML of what a line tells, without our own address.
pub(super) fn xml(way: Way, line: &str) -> String {
    with_whole_namespaces(&Line { way, rest: line }.stanza())
}

/// What is left of a line.
struct Line<'a> {
    way: Way,
    rest: &'a str,
}

impl<'a> Line<'a> {
    fn stanza(mut self) -> String {
        let line = self.rest;
        let verb = self.word();
        if verb == "archived" {
            return self.archived();
        }
        let (name, kind) = match verb {
            "pres" | "join" | "occupant" | "self" => ("presence", "-"),
            "gone" => ("presence", "unavailable"),
            "probe" => ("presence", "probe"),
            "refused" => ("presence", "error"),
            "gc" | "subject" => ("message", "groupchat"),
            "pm" => ("message", "chat"),
            "say" => ("message", "-"),
            "bounce" => ("message", "error"),
            "ping" => ("iq", "get"),
            "get" | "set" | "result" | "error" => ("iq", verb),
            _ => return line.to_owned(),
        };
        let from_room = self.way.is_from_room();
        let place = if verb == "gc" && !from_room { "-" } else { self.word() };
        let id = if verb == "subject" { "-" } else { self.word() };
        let inside = self.inside(verb, id);
        let place = attribute(if from_room { "from" } else { "to" }, &address(place));
        format!("<{name}{}{}{place}>{inside}</{name}>", attribute("type", kind), attribute("id", id))
    }

    fn inside(&mut self, verb: &str, id: &str) -> String {
        match verb {
            "join" => self.joining(),
            "occupant" => self.payload(body) + &self.user("member/participant"),
            "self" => {
                let codes = self.word();
                self.payload(body) + &self.user(&format!("member/participant me {codes}"))
            }
            "gone" if self.way.is_from_room() => self.leaving(),
            "refused" | "bounce" | "error" => self.payload(error),
            "subject" => format!("<subject>{}</subject>{}", self.text(), self.payload(body)),
            "ping" => "<ping xmlns='urn:xmpp:ping'/>".to_owned() + &self.payload(body),
            "gc" | "pm" if self.rest.is_empty() && id != "-" => body(id),
            _ => self.payload(body),
        }
    }

    /// A result of an archive: the query, the archive's id, when the message was sent, and the message.
    fn archived(mut self) -> String {
        let (query, id, stamp) = (self.word(), self.word(), self.word());
        let result = attribute("queryid", query) + &attribute("id", id);
        let message = Line { way: self.way, rest: self.rest }.stanza();
        let message = message.replacen("<message", "<message xmlns='jabber:client'", 1);
        format!(
            "<message from='{ROOM}'><result xmlns='urn:xmpp:mam:2'{result}><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='{DELAY}'{}/>{message}</forwarded></result></message>",
            attribute("stamp", stamp)
        )
    }

    fn joining(&mut self) -> String {
        let (muc, other) = self.rest.split_once('|').unwrap_or((self.rest, ""));
        let by_account = matches!(self.way, Way::FromAccount);
        let muc = if muc.is_empty() && by_account { HISTORY } else { muc };
        self.rest = other;
        format!("<x xmlns='muc'>{muc}</x>{}", self.payload(body))
    }

    fn leaving(&mut self) -> String {
        let codes = self.word();
        let payload = self.payload(body);
        if codes == "-" && payload.contains("muc#user") {
            return payload;
        }
        let own = codes.split(',').any(|code| code == "110");
        payload + &self.user(&format!("member/none {} {codes}", if own { "me" } else { "" }))
    }

    /// The next word; a word can be missing in front of a payload, and at the end.
    fn word(&mut self) -> &'a str {
        if self.rest.is_empty() || self.rest.starts_with(['<', '{']) {
            return "-";
        }
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        self.rest = rest;
        word
    }

    /// The rest of the line. `text` says what text means in this stanza: a body or an error.
    fn payload(&mut self, text: fn(&str) -> String) -> String {
        let mut xml = String::new();
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.rest.is_empty() {
                return xml;
            }
            let part = if self.rest.starts_with('<') {
                self.take(element_end(self.rest)).to_owned()
            } else if let Some(rest) = self.rest.strip_prefix('{') {
                self.rest = rest;
                self.statuses_and_items()
            } else if is_named(self.rest) {
                named(self.take(self.rest.find(' ').unwrap_or(self.rest.len())))
            } else {
                text(self.text())
            };
            xml.push_str(&part);
        }
    }

    /// Text ends where another part of the payload begins.
    fn text(&mut self) -> &'a str {
        let is_end = |position: &usize| {
            let rest = &self.rest[*position..];
            rest.starts_with(['<', '{']) || is_named(rest)
        };
        let mut starts = std::iter::once(0).chain(self.rest.match_indices(' ').map(|(space, _)| space + 1));
        let end = starts.find(is_end).unwrap_or(self.rest.len());
        self.take(end).trim_end_matches(' ')
    }

    /// The `<x/>` that stands for these words.
    fn user(&self, words: &str) -> String {
        Line { way: self.way, rest: &format!("{words}}}") }.statuses_and_items()
    }

    /// What stands in braces.
    fn statuses_and_items(&mut self) -> String {
        let (mut xml, mut item) = (format!("<x xmlns='{USER}'>"), None::<Item>);
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.rest.is_empty() || self.rest.starts_with('}') {
                self.take(1.min(self.rest.len()));
                return xml + &item.map_or_else(String::new, Item::xml) + "</x>";
            }
            let is_element = self.rest.starts_with('<');
            let end = if is_element { element_end(self.rest) } else { word_end(self.rest) };
            let part = self.take(end);
            if item.as_mut().is_some_and(|item| item.takes(part, self.way)) {
                continue;
            }
            xml.push_str(&item.take().map_or_else(String::new, Item::xml));
            match part.split_once('/').filter(|_| !is_element) {
                Some((affiliation, role)) => item = Some(Item::new(affiliation, role)),
                None if is_element => xml.push_str(part),
                None => xml.push_str(&statuses(part)),
            }
        }
    }

    fn take(&mut self, end: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// An item of muc#user, while it is read.
struct Item {
    attributes: String,
    inside: String,
}

impl Item {
    fn new(affiliation: &str, role: &str) -> Self {
        let attributes = attribute("affiliation", affiliation) + &attribute("role", role);
        Self { attributes, inside: String::new() }
    }

    /// Takes in a part that belongs to it.
    fn takes(&mut self, part: &str, way: Way) -> bool {
        if part.starts_with("<actor") || part.starts_with("<reason") {
            self.inside.push_str(part);
        } else if part == "me" {
            self.attributes.push_str(&attribute("jid", &way.ours()));
        } else if let Some((name @ ("jid" | "nick"), value)) = part.split_once('=') {
            self.attributes.push_str(&attribute(name, value));
        } else {
            return false;
        }
        true
    }

    fn xml(self) -> String {
        format!("<item{}>{}</item>", self.attributes, self.inside)
    }
}

fn attribute(name: &str, value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('\'', "&apos;").replace('<', "&lt;");
    if value == "-" || value.is_empty() { String::new() } else { format!(" {name}='{value}'") }
}

fn address(word: &str) -> String {
    match word {
        "-" => ROOM.to_owned(),
        _ if word.contains('@') => word.to_owned(),
        nick => format!("{ROOM}/{nick}"),
    }
}

fn body(text: &str) -> String {
    format!("<body>{text}</body>")
}

fn error(words: &str) -> String {
    let (words, text) = words.split_once(": ").unwrap_or((words, ""));
    let (condition, by) = words.split_once(" by ").unwrap_or((words, "-"));
    let (kind, condition) = condition.split_once('/').unwrap_or(("-", condition));
    let namespace = "urn:ietf:params:xml:ns:xmpp-stanzas";
    let text = if text.is_empty() { "" } else { &format!("<text xmlns='{namespace}'>{text}</text>") };
    let attributes = attribute("type", kind) + &attribute("by", by);
    format!("<error{attributes}><{condition} xmlns='{namespace}'/>{text}</error>")
}

fn is_named(text: &str) -> bool {
    ["at=", "sid=", "oid="].iter().any(|name| text.starts_with(name))
}

fn named(part: &str) -> String {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    match name {
        "at" => format!("<delay xmlns='{DELAY}' from='{ROOM}'{}/>", attribute("stamp", value)),
        "sid" => format!("<stanza-id xmlns='{STANZA_ID}' by='{ROOM}'{}/>", attribute("id", value)),
        _ => format!("<occupant-id xmlns='{OCCUPANT_ID}'{}/>", attribute("id", value)),
    }
}

fn statuses(codes: &str) -> String {
    let codes = codes.split(',').filter(|code| *code != "-");
    codes.map(|code| format!("<status{}/>", attribute("code", code))).collect::<Vec<_>>().concat()
}

fn word_end(text: &str) -> usize {
    text.find([' ', '}']).unwrap_or(text.len())
}

/// Where the element ends with which a text begins.
fn element_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (start, _) in text.match_indices('<') {
        let Some(end) = text[start..].find('>').map(|length| start + length + 1) else { break };
        let tag = &text[start..end];
        if tag.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth == 0 {
            return end;
        }
    }
    text.len()
}
