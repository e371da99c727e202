//! What the room has said, as its archive shows it (XEP-0313).

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::{Element, ElementBuilder, IqType, Kind, MessageType, NS_CLIENT, Stanza};

use crate::stanzas::{ROOM, jid, stamp};

/// The namespace of archives.
pub(crate) const NS_MAM: &str = "urn:xmpp:mam:2";
const NS_DELAY: &str = "urn:xmpp:delay";
/// How much it shows at once, whatever is asked.
const PAGE: usize = 3;

/// All that was ever said, by number.
#[derive(Debug, Default)]
pub(crate) struct Archive(Vec<(u64, Stanza)>);

impl Archive {
    /// Keeps a message with its delay.
    pub(crate) fn keep(&mut self, number: u64, delayed: &Stanza) {
        self.0.push((number, delayed.clone()));
    }

    /// The first page of what is asked for, and its end.
    pub(crate) fn answer(&self, query: &Stanza) -> Vec<Stanza> {
        let id = query.id.as_deref().unwrap_or_default();
        let asked = archive_asked(query);
        let wanted: Vec<_> = self.0.iter().filter(|entry| asked.wants(entry)).collect();
        let most = asked.most.min(PAGE);
        let skipped = if asked.is_backwards { wanted.len().saturating_sub(most) } else { 0 };
        let page = wanted.iter().skip(skipped).take(most);
        let mut said: Vec<_> = page.map(|(number, message)| archived(id, *number, message)).collect();
        let fin = Element::build("fin", NS_MAM);
        let fin = if wanted.len() <= most { fin.attribute("complete", "true") } else { fin };
        let answer = Stanza::new(Kind::Iq(IqType::Result)).id(Some(id)).from(jid(ROOM));
        said.push(answer.child(fin.done()));
        said
    }
}

/// What an archive is asked for: what comes after that number or before that one, and within those times.
struct ArchiveAsked {
    most: usize,
    after: Option<u64>,
    before: Option<u64>,
    /// Whether the last of those are wanted.
    is_backwards: bool,
    since: String,
    until: Option<String>,
}

/// Reads a query to an archive.
fn archive_asked(query: &Stanza) -> ArchiveAsked {
    let query = query.find("query", NS_MAM).expect("a query");
    let inside = |name: &str| query.elements().find(|child| &*child.name == name);
    let page = |name: &str| inside("set").and_then(|set| set.find(name)).map(Element::text);
    let number = |id: String| id.parse().expect("a number");
    let time = |name: &str| {
        let is_field = |field: &&Element| field.attribute("var") == Some(name);
        let field = inside("x").and_then(|form| form.elements().find(is_field));
        field.and_then(|field| field.find("value")).map(Element::text)
    };
    let before = page("before");
    ArchiveAsked {
        most: page("max").map_or(PAGE, |most| most.parse().expect("a count")),
        after: page("after").map(number),
        is_backwards: before.is_some(),
        before: before.filter(|id| !id.is_empty()).map(number),
        since: time("start").unwrap_or_default(),
        until: time("end"),
    }
}

impl ArchiveAsked {
    fn wants(&self, (number, message): &(u64, Stanza)) -> bool {
        let is_timely =
            stamp(message) >= self.since && self.until.as_ref().is_none_or(|until| stamp(message) <= *until);
        is_timely
            && self.after.is_none_or(|after| *number > after)
            && self.before.is_none_or(|before| *number < before)
    }
}

/// A message as the archive shows it: without what was added after it was stored.
fn archived(query: &str, number: u64, message: &Stanza) -> Stanza {
    let stamp = stamp(message);
    let delay = Element::build("delay", NS_DELAY).attribute("stamp", &stamp).done();
    let from = message.from.as_ref().map(Jid::as_str).unwrap_or_default();
    let inside = message.children.iter().filter(|child| !child.is("delay", NS_DELAY));
    let inside = inside.filter(|child| &*child.name != "stanza-id").cloned();
    let mut forwarded =
        Element::build("message", NS_CLIENT).attribute("type", "groupchat").attribute("from", from);
    if let Some(id) = &message.id {
        forwarded = forwarded.attribute("id", id);
    }
    let forwarded = inside.fold(forwarded, ElementBuilder::child).done();
    let forwarded = Element::build("forwarded", "urn:xmpp:forward:0").child(delay).child(forwarded).done();
    let result = Element::build("result", NS_MAM)
        .attribute("queryid", query)
        .attribute("id", &number.to_string())
        .child(forwarded);
    Stanza::new(Kind::Message(MessageType::Normal)).from(jid(ROOM)).child(result.done())
}

/// The number of the message in a result.
pub(crate) fn archived_number(stanza: &Stanza) -> Option<u64> {
    let forwarded = stanza.find("result", NS_MAM)?.elements().next()?;
    let message = forwarded.elements().find(|child| &*child.name == "message")?;
    message.elements().find(|child| &*child.name == "number")?.text().parse().ok()
}
