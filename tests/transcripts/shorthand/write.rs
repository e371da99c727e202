//! Writes the short forms of a stanza, the shortest first. A form need not check whether it fits: the line is
//! read again, and only used if it gives back the same stanza.

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::{
    Element, IqType, Kind, MessageType, NS_CLIENT, NS_STANZAS, PresenceType, Stanza,
};

use super::{ACCOUNT, DELAY, HISTORY, OCCUPANT_ID, ROOM, STANZA_ID, USER, Way, with_short_namespaces};

/// All the lines that may tell a stanza, at last its XML.
pub(super) fn lines(way: Way, stanza: &Stanza) -> Vec<String> {
    let place = if way.is_from_room() { &stanza.from } else { &stanza.to };
    let mut lines = match place.as_ref() {
        Some(place) => {
            Writer { way, stanza, place: word(place), id: stanza.id.as_deref().unwrap_or("-") }.lines()
        }
        None => Vec::new(),
    };
    lines.push(whole(way, stanza));
    lines
}

struct Writer<'a> {
    way: Way,
    stanza: &'a Stanza,
    place: &'a str,
    id: &'a str,
}

impl Writer<'_> {
    fn lines(&self) -> Vec<String> {
        match self.stanza.kind {
            Kind::Presence(PresenceType::Available) if self.way.is_from_room() => {
                [self.shown("self"), self.shown("occupant"), self.with_payload("pres")].concat()
            }
            Kind::Presence(PresenceType::Available) => [self.join(), self.with_payload("pres")].concat(),
            Kind::Presence(PresenceType::Unavailable) if self.way.is_from_room() => {
                [self.shown("gone"), self.with_payload("gone")].concat()
            }
            Kind::Presence(PresenceType::Unavailable) => self.with_payload("gone"),
            Kind::Presence(PresenceType::Probe) => self.with_payload("probe"),
            Kind::Presence(PresenceType::Error) => self.with_payload("refused"),
            Kind::Presence(PresenceType::Other) => Vec::new(),
            Kind::Message(MessageType::Groupchat) => [self.subject(), self.said("gc")].concat(),
            Kind::Message(MessageType::Chat) => self.said("pm"),
            Kind::Message(MessageType::Normal) => self.with_payload("say"),
            Kind::Message(MessageType::Error) => self.with_payload("bounce"),
            Kind::Iq(IqType::Get) => [vec![self.line("ping", "")], self.with_payload("get")].concat(),
            Kind::Iq(IqType::Set) => self.with_payload("set"),
            Kind::Iq(IqType::Result) => self.with_payload("result"),
            Kind::Iq(IqType::Error) => self.with_payload("error"),
        }
    }

    /// The `<x/>` at the end is told by its codes.
    fn shown(&self, verb: &str) -> Vec<String> {
        let Some((x, before)) = self.stanza.children.split_last() else { return Vec::new() };
        let codes: Vec<_> = x.elements().filter_map(|child| child.attribute("code")).collect();
        let codes = if codes.is_empty() { "-".to_owned() } else { codes.join(",") };
        let words = [self.place, self.id, &codes];
        let words = if verb == "occupant" { &words[..2] } else { &words[..] };
        vec![line(verb, words, &self.payload(before))]
    }

    fn join(&self) -> Vec<String> {
        let Some((x, after)) = self.stanza.children.split_first() else { return Vec::new() };
        let muc = inside(x);
        let muc = if matches!(self.way, Way::FromAccount) && muc == HISTORY { "" } else { &muc };
        let after = self.payload(after);
        let payload = if after.is_empty() { muc.to_owned() } else { format!("{muc}|{after}") };
        vec![self.line("join", &payload)]
    }

    fn subject(&self) -> Vec<String> {
        let Some((subject, after)) = self.stanza.children.split_first() else { return Vec::new() };
        let payload = spaced(&[inside(subject), self.payload(after)]);
        vec![line("subject", &[self.place], &payload)]
    }

    /// A message that says its own id is told by it.
    fn said(&self, verb: &str) -> Vec<String> {
        [vec![self.line(verb, "")], self.with_payload(verb)].concat()
    }

    fn with_payload(&self, verb: &str) -> Vec<String> {
        let plain: Vec<_> = self.stanza.children.iter().map(xml).collect();
        vec![self.line(verb, &self.payload(&self.stanza.children)), self.line(verb, &plain.concat())]
    }

    fn line(&self, verb: &str, payload: &str) -> String {
        let words = [self.place, self.id];
        let to_itself = verb == "gc" && !self.way.is_from_room();
        line(verb, if to_itself { &words[1..] } else { &words }, payload)
    }

    fn payload(&self, children: &[Element]) -> String {
        spaced(&children.iter().map(|child| self.part(child)).collect::<Vec<_>>())
    }

    fn part(&self, child: &Element) -> String {
        let is_error = self.stanza.kind.type_attribute() == Some("error");
        let from_room = child.attribute("from").or_else(|| child.attribute("by")) == Some(ROOM);
        let short = match (&*child.namespace, &*child.name) {
            (NS_CLIENT, "body") if !is_error => Some(inside(child)),
            (NS_CLIENT, "error") if is_error => Some(error(child)),
            (USER, "x") => Some(self.user(child)),
            (DELAY, "delay") if from_room => named("at", child.attribute("stamp")),
            (STANZA_ID, "stanza-id") if from_room => named("sid", child.attribute("id")),
            (OCCUPANT_ID, "occupant-id") => named("oid", child.attribute("id")),
            _ => None,
        };
        short.filter(|short| !short.is_empty()).unwrap_or_else(|| xml(child))
    }

    fn user(&self, x: &Element) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut after_status = false;
        for child in x.elements() {
            let code = child.attribute("code").filter(|_| &*child.name == "status");
            match (code, parts.last_mut().filter(|_| after_status)) {
                (Some(code), Some(codes)) => *codes = format!("{codes},{code}"),
                (Some(code), None) => parts.push(code.to_owned()),
                (None, _) if &*child.name == "item" => parts.push(self.item(child)),
                (None, _) => parts.push(xml_within(child, USER)),
            }
            after_status = code.is_some();
        }
        format!("{{{}}}", parts.join(" "))
    }

    fn item(&self, item: &Element) -> String {
        let of = |name| item.attribute(name).unwrap_or_default();
        let jid = item.attribute("jid").map_or_else(String::new, |jid| match jid {
            ours if ours == self.way.ours() => "me".to_owned(),
            other => format!("jid={other}"),
        });
        let nick = named("nick", item.attribute("nick")).unwrap_or_default();
        spaced(&[format!("{}/{}", of("affiliation"), of("role")), jid, nick, inside(item)])
    }
}

fn word(place: &Jid) -> &str {
    match place.as_str().strip_prefix(ROOM) {
        Some("") => "-",
        Some(occupant) => {
            occupant.strip_prefix('/').filter(|nick| !nick.is_empty()).unwrap_or(place.as_str())
        }
        None => place.as_str(),
    }
}

/// Words that are `-` are left out in front of a payload that shows itself where it begins.
fn line(verb: &str, words: &[&str], payload: &str) -> String {
    let shows = payload.is_empty() || payload.starts_with(['<', '{']);
    let told = words.iter().rposition(|word| !shows || *word != "-").map_or(0, |last| last + 1);
    let mut line = [&[verb], &words[..told]].concat().join(" ");
    if !payload.is_empty() {
        line.push(' ');
        line.push_str(payload);
    }
    line
}

fn named(name: &str, value: Option<&str>) -> Option<String> {
    value.map(|value| format!("{name}={value}"))
}

fn error(error: &Element) -> String {
    let kind = error.attribute("type").unwrap_or("-");
    let condition = error.elements().next().map_or("", |condition| &*condition.name);
    let by = error.attribute("by").map_or_else(String::new, |by| format!(" by {by}"));
    let text = error.elements().find(|child| child.is("text", NS_STANZAS));
    let text = text.map_or_else(String::new, |text| format!(": {}", inside(text)));
    format!("{kind}/{condition}{by}{text}")
}

/// Elements follow each other as they are, other parts after a space.
fn spaced(parts: &[String]) -> String {
    let mut told = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !(told.is_empty() || told.ends_with('>') && part.starts_with('<')) {
            told.push(' ');
        }
        told.push_str(part);
    }
    told
}

fn whole(way: Way, stanza: &Stanza) -> String {
    let mut stanza = stanza.clone();
    match way {
        Way::ToAccount => stanza.to = stanza.to.filter(|to| to.as_str() != ACCOUNT),
        Way::ToSession(_) => {}
        Way::FromAccount | Way::FromSession(_) => stanza.from = None,
    }
    with_short_namespaces(&stanza.to_xml())
}

/// An element as it stands in a stanza.
fn xml(element: &Element) -> String {
    xml_within(element, NS_CLIENT)
}

/// An element as it stands inside another of that namespace.
fn xml_within(element: &Element, namespace: &str) -> String {
    inside(&Element::build("x", namespace).child(element.clone()).done())
}

/// What stands inside an element.
fn inside(element: &Element) -> String {
    let xml = Stanza::new(Kind::Message(MessageType::Normal)).child(element.clone()).to_xml();
    let element = xml.strip_prefix("<message>").and_then(|xml| xml.strip_suffix("</message>"));
    let after_start = element.and_then(|element| element.split_once('>'));
    let inside = after_start.and_then(|(_, rest)| rest.rsplit_once("</"));
    with_short_namespaces(inside.map_or("", |(inside, _)| inside))
}
